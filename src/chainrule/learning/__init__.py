"""Learning rules: backpropagation and its siblings, each of which tells parameters how to change.

`optim.Adam(lr=1e-3).minimize(loss, rule=learning.FeedbackAlignment(), model=model)` is a step by
one of them.
"""

from chainrule.declare.calls import answer_calls
from chainrule.learning.comparing.compare import compare
from chainrule.learning.comparing.comparison import Comparison
from chainrule.learning.rules.backprop import Backprop
from chainrule.learning.rules.direct_feedback_alignment import DirectFeedbackAlignment
from chainrule.learning.rules.evolution_strategies import EvolutionStrategies
from chainrule.learning.rules.feedback_alignment import FeedbackAlignment
from chainrule.learning.rules.forward_forward import ForwardForward
from chainrule.learning.rules.forward_gradient import ForwardGradient
from chainrule.learning.rules.hebbian import Hebb, Oja
from chainrule.learning.rules.local_losses import LocalLosses
from chainrule.learning.rules.numeric import Numeric
from chainrule.learning.rules.perturbation import NodePerturbation, WeightPerturbation
from chainrule.learning.rules.target_propagation import TargetPropagation
from chainrule.optim.signals.rule import Objective, Rule

__all__ = [
    "Backprop",
    "Comparison",
    "DirectFeedbackAlignment",
    "EvolutionStrategies",
    "FeedbackAlignment",
    "ForwardForward",
    "ForwardGradient",
    "Hebb",
    "LocalLosses",
    "NodePerturbation",
    "Numeric",
    "Objective",
    "Oja",
    "Rule",
    "TargetPropagation",
    "WeightPerturbation",
    "compare",
]

answer_calls(globals(), __all__, "learning")


def __dir__() -> list[str]:
    return list(__all__)
