"""Losses: scalars to minimise, each the mean over its elements, computed from logits.

A logit is a score before the softmax or the sigmoid. From logits a loss stays finite, and so does
its gradient, where a probability would round to 0 or 1.
"""

from chainrule.declare.calls import answer_calls
from chainrule.declare.losses import gan as gan
from chainrule.declare.losses.balancing import *
from chainrule.declare.losses.entropy import *
from chainrule.declare.losses.focal import *
from chainrule.declare.losses.margin import *
from chainrule.declare.losses.regression import *
from chainrule.declare.losses.unlabelled import *
from chainrule.writing.public import public_names

answer_calls(vars(gan), gan.__all__, "losses.gan")


def __dir__() -> list[str]:
    return public_names(globals(), ["gan"])
