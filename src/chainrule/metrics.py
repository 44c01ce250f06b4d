"""`import chainrule.metrics` works wherever the module lies, as `os.path` does."""

import sys

from chainrule.declare import metrics
from chainrule.declare.calls import answer_calls
from chainrule.declare.metrics import *

answer_calls(vars(metrics), dir(metrics), "metrics")
sys.modules[__name__] = metrics
