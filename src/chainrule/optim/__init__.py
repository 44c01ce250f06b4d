"""Optimizers: learning rules give each parameter a signal, optimizers turn it into an update."""

from chainrule.optim.optimizers import *
from chainrule.optim.signal import *
from chainrule.optim.slots import *
from chainrule.steps.step import *
from chainrule.writing.public import public_names


def __dir__() -> list[str]:
    return public_names(globals())
