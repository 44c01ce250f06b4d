"""Optimizers: learning rules give each parameter a signal, optimizers turn it into an update."""

from chainrule.declare.calls import answer_calls
from chainrule.optim import averages as averages
from chainrule.optim.groups import *
from chainrule.optim.optimizers.adam import *
from chainrule.optim.optimizers.adaptive import *
from chainrule.optim.optimizers.lbfgs import *
from chainrule.optim.optimizers.lion import *
from chainrule.optim.optimizers.optimizer import *
from chainrule.optim.optimizers.sgd import *
from chainrule.optim.rate_search import *
from chainrule.optim.signals import clip as clip
from chainrule.optim.signals.accumulate import *
from chainrule.optim.signals.chain import *
from chainrule.optim.signals.freeze import *
from chainrule.optim.signals.noise import *
from chainrule.optim.signals.rules import *
from chainrule.optim.slots import *
from chainrule.steps.step import *
from chainrule.writing.public import public_names

answer_calls(globals(), public_names(globals()), "optim")


def __dir__() -> list[str]:
    return public_names(globals(), ("averages", "clip"))
