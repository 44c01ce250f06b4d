"""`import chainrule.init` works wherever the module lies, as `os.path` does."""

import sys

from chainrule.declare import init
from chainrule.declare.calls import answer_calls
from chainrule.declare.init import *

answer_calls(vars(init), dir(init), "init")
sys.modules[__name__] = init
