"""`import chainrule.schedules` works wherever the module lies, as `os.path` does."""

import sys

from chainrule.declare.calls import answer_calls
from chainrule.optim.schedules import *

schedules = sys.modules["chainrule.optim.schedules"]  # the package would look for such a name
answer_calls(vars(schedules), dir(schedules), "schedules")
sys.modules[__name__] = schedules
