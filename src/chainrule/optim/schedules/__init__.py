"""Learning rates that change while training: functions of the number of updates done so far.

A schedule is called with that number, a floating-point scalar node, and gives the rate, a scalar
node. It runs inside the compiled step. They compose: `warmup(100, cosine(0.1, 1000))`. A function
of one's own, from node to node, is a schedule as well. `plot` draws the rate over the steps.
"""

from chainrule.optim.schedules.cosines import *
from chainrule.optim.schedules.decay import *
from chainrule.optim.schedules.plateaus import *
from chainrule.optim.schedules.schedule import *
from chainrule.optim.schedules.warming import *
from chainrule.writing.public import public_names


def __dir__() -> list[str]:
    return public_names(globals())
