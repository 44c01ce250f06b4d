"""Optimizers: learning rules give each parameter a signal, optimizers turn it into an update."""

from typing import TYPE_CHECKING

from chainrule.declare.calls import answer_calls
from chainrule.optim.groups import *
from chainrule.optim.optimizers.optimizer import *
from chainrule.optim.optimizers.sgd import *
from chainrule.optim.signals.accumulate import *
from chainrule.optim.signals.chain import *
from chainrule.optim.signals.rules import *
from chainrule.optim.slots import *
from chainrule.steps.step import *
from chainrule.writing.public import shown_later

if TYPE_CHECKING:
    from chainrule.optim import averages as averages
    from chainrule.optim.optimizers.adam import *
    from chainrule.optim.optimizers.adaptive import *
    from chainrule.optim.optimizers.lbfgs import *
    from chainrule.optim.optimizers.lion import *
    from chainrule.optim.rate_search import *
    from chainrule.optim.signals import clip as clip
    from chainrule.optim.signals.freeze import *
    from chainrule.optim.signals.noise import *
else:
    # Who takes one optimizer does not wait for the others.
    _LATER = {
        "AdaDelta": "chainrule.optim.optimizers.adaptive",
        "AdaGrad": "chainrule.optim.optimizers.adaptive",
        "Adam": "chainrule.optim.optimizers.adam",
        "AdamW": "chainrule.optim.optimizers.adam",
        "LBFGS": "chainrule.optim.optimizers.lbfgs",
        "Lion": "chainrule.optim.optimizers.lion",
        "NAdam": "chainrule.optim.optimizers.adam",
        "RMSProp": "chainrule.optim.optimizers.adaptive",
        "RateSearch": "chainrule.optim.rate_search",
        "averages": "chainrule.optim.averages",
        "clip": "chainrule.optim.signals.clip",
        "find_rate": "chainrule.optim.rate_search",
        "freeze": "chainrule.optim.signals.freeze",
        "noise": "chainrule.optim.signals.noise",
    }

    def _answer(names: list[str]) -> None:
        answer_calls(globals(), names, "optim")

    __getattr__, __all__ = shown_later(globals(), _LATER, _answer)

    def __dir__() -> list[str]:
        return list(__all__)
