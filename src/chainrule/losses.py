"""`import chainrule.losses` works wherever the module lies, as `os.path` does."""

import sys

from chainrule.declare import losses
from chainrule.declare.calls import answer_calls
from chainrule.declare.losses import *

answer_calls(vars(losses), dir(losses), "losses")
sys.modules[__name__] = losses
