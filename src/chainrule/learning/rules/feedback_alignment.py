"""Feedback alignment: the chain rule, with fixed random matrices on the way back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, scope, substitute
from chainc.ir.leaves import Slot
from chainc.passes.feedback import feed_back
from chainrule.declare.init import InitializerLike
from chainrule.learning.network import Weighing, weighings_of
from chainrule.optim.signals.rule import Objective, Rule, Signals
from chainrule.optim.signals.rules import backprop
from chainrule.optim.slots import slot

__all__ = ["FeedbackAlignment"]


@dataclass(frozen=True)
class FeedbackAlignment(Rule):
    """Backpropagation in which every weight matrix W is replaced by a random B on the way back.

    B is drawn once, from the seed. The weights come to agree with it, so that the signals point
    less than 90° away from the gradient (Lillicrap et al. 2016, Nature Communications 7:13276).
    Nothing needs to know the weights of another place.

    Attributes:
        init: the initialiser of the random matrices.
    """

    init: InitializerLike = "he_normal"

    def signals(self, objective: Objective) -> Signals:
        weighings = weighings_of(type(self).__name__, objective)
        gradients = backprop(objective.loss, objective.parameters)
        with scope(self.name):
            matrices = dict(self._matrices(weighings))
        fed = feed_back(Graph(tuple(gradients.values())), matrices)
        return dict(zip(gradients, fed.outputs, strict=True))

    def _matrices(self, weighings: Sequence[Weighing]) -> Iterator[tuple[tuple[Node, Node], Node]]:
        """By product and operand, the same function of random parameters."""
        kept: dict[Node, Node] = {}
        for weighing in weighings:
            weights = weighing.product.inputs[weighing.weights]
            made = Graph((weights,))
            for leaf in made.leaves("state"):
                assert isinstance(leaf.op, Slot)
                kept.setdefault(leaf, slot("feedback", leaf, self.init))
            yield (weighing.product, weights), substitute(made, kept).outputs[0]
