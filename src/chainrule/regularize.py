"""`import chainrule.regularize` works wherever the module lies, as `os.path` does."""

import sys

from chainrule.declare.calls import answer_calls
from chainrule.optim import regularize
from chainrule.optim.regularize import *

answer_calls(vars(regularize), dir(regularize), "regularize")
sys.modules[__name__] = regularize
