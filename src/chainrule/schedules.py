"""`import chainrule.schedules` works wherever the module lies, as `os.path` does."""

import sys

from chainrule.declare.calls import answer_calls
from chainrule.optim import schedules
from chainrule.optim.schedules import *

answer_calls(vars(schedules), dir(schedules), "schedules")
sys.modules[__name__] = schedules
