"""L-BFGS: directions that know the curvature, from the last steps and how the gradient changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, scope, substitute
from chainc.ir.types import DType, float32, float64
from chainc.ops import abs, astype, equal, maximum, sum, where
from chainc.ops.runs.modes import resolve
from chainrule.declare.arguments import count, number
from chainrule.declare.leaves import step_counter
from chainrule.optim.hyperparameters import Hyperparameters
from chainrule.optim.optimizers.changes import Changes, step_of
from chainrule.optim.optimizers.minimizer import Minimizer
from chainrule.optim.signals.rule import Signals
from chainrule.optim.signals.rules import check_signals
from chainrule.optim.slots import slot
from chainrule.steps.step import Step

__all__ = ["LBFGS"]

Vector = Mapping[Node, Node]  # by parameter: all parameters are one vector

SUFFICIENT = 1e-4  # the share of the expected fall that a step has to bring (Armijo)
CURVATURE = 1e-10  # a pair whose s · y is not above this is not kept, as in PyTorch


@dataclass(frozen=True, eq=False)
class Pair:
    """A step s, how the gradient changed by y over it, and 1 / (s · y); without one, zeros."""

    s: Vector
    y: Vector
    inverse: Node


@dataclass(frozen=True)
class LBFGS(Minimizer):
    """Limited-memory BFGS (Liu and Nocedal, 1989), for a loss on all rows: w ← w + rate · d.

    The direction d = -H g comes from the last `history` steps s and changes y of the gradient, by
    the two-loop recursion from H = (s · y / y · y) I. The rate is the first of lr, lr/2, lr/4 …
    with which the loss falls by 10⁻⁴ of what the slope promises (Armijo). If none of `trials` does,
    the parameters stay, the memory is emptied, and the next step searches on along -g, from where
    this one ended. At first the direction is -g, not longer than 1 in the sum of its absolute
    values. With trials=1 there is no search, as in PyTorch by default: the rate is lr.

    The search stands in the step's graph, so a compiled loop holds it: it computes the loss at
    all `trials` rates, even where the first will do, each a forward pass. The gradient is that of
    the loss, on the same rows in each step: take batch_size as the number of rows.

    Attributes:
        lr: the first rate that is tried.
        history: how many steps are remembered, each with two vectors as long as the parameters.
        trials: how many rates are tried.

    Raises:
        InputError: a number is not positive, or not whole where it counts.
    """

    lr: float = 1.0
    history: int = 10
    trials: int = 8

    def __post_init__(self) -> None:
        number("LBFGS", "lr", self.lr, above=0, hint="give lr=1.0: the direction has its length")
        count("LBFGS", "history", self.history, hint="give a few steps, such as history=10")
        count("LBFGS", "trials", self.trials, hint="try a few rates, such as trials=8, or just 1")

    def step(self, loss: Node, signals: Signals) -> Step:
        check_signals(signals)
        wide = any(parameter.type.dtype == float64 for parameter in signals)
        hyperparameters = Hyperparameters(float64 if wide else float32)
        with scope("lbfgs"):
            updates = dict(self._updates(loss, signals, hyperparameters))
            updates[step_counter()] = step_counter() + 1
        return step_of(loss, [Changes(updates, signals, hyperparameters.inputs, {})])

    def _updates(
        self, loss: Node, gradient: Vector, hyperparameters: Hyperparameters
    ) -> Mapping[Node, Node]:
        dtype = hyperparameters.dtype
        last_gradient, last_move = _kept("gradient", gradient), _kept("move", gradient)
        pairs = [_pair(position, gradient, hyperparameters) for position in range(self.history)]
        scale = hyperparameters.state("lbfgs/scale", first=0.0)  # 0 while nothing is remembered

        change = _sum(gradient, last_gradient, -1.0)
        product, square = dot(last_move, change, dtype), dot(change, change, dtype)
        is_new = product > CURVATURE
        newest = Pair(last_move, change, 1.0 / where(is_new, product, 1.0))
        found = [_chosen(is_new, *both) for both in zip([newest, *pairs], pairs, strict=False)]
        length = where(is_new, product / where(is_new, square, 1.0), scale)

        norm = _total([astype(sum(abs(each)), dtype) for each in gradient.values()])
        start = where(length > 0.0, length, 1.0 / maximum(norm, 1.0))
        direction = towards_minimum(gradient, found, start, dtype)
        slope = dot(gradient, direction, dtype)
        rate = self._rate(loss, direction, slope, hyperparameters.input("lr", self.lr))
        move = _times(direction, rate)

        stuck = equal(rate, 0.0)
        updates = dict(_moved(move))
        updates.update(zip(last_gradient.values(), gradient.values(), strict=True))
        updates.update(zip(last_move.values(), move.values(), strict=True))
        for pair, new in zip(pairs, found, strict=True):
            updates.update(zip(pair.s.values(), new.s.values(), strict=True))
            updates.update(zip(pair.y.values(), new.y.values(), strict=True))
            updates[pair.inverse] = where(stuck, 0.0, new.inverse)
        updates[scale] = where(stuck, start * 0.5**self.trials, length)
        return updates

    def _rate(self, loss: Node, direction: Vector, slope: Node, lr: Node) -> Node:
        """The first rate that brings enough, or 0; the only one if there is no search."""
        if self.trials == 1:
            return lr
        rates = [lr * 0.5**trial for trial in range(self.trials)]
        chosen = 0.0 * lr
        for rate in reversed(rates):
            there = value_at(loss, dict(_moved(_times(direction, rate))))
            enough = there <= loss + astype(SUFFICIENT * rate * slope, loss.type.dtype)
            chosen = where(enough, rate, chosen)
        return chosen


def towards_minimum(gradient: Vector, pairs: Sequence[Pair], start: Node, dtype: DType) -> Vector:
    """-H g by the two-loop recursion (Nocedal 1980), from the newest pair to the oldest and back.

    A pair of zeros changes nothing.
    """
    rest = gradient
    weights: list[Node] = []
    for pair in pairs:
        weights.append(pair.inverse * dot(pair.s, rest, dtype))
        rest = _sum(rest, pair.y, -weights[-1])
    found = _times(rest, start)
    for pair, weight in zip(reversed(pairs), reversed(weights), strict=True):
        found = _sum(found, pair.s, weight - pair.inverse * dot(pair.y, found, dtype))
    return _times(found, -1.0)


def value_at(loss: Node, places: Vector) -> Node:
    """The loss, as it is in training, with other values in place of the parameters."""
    (plain,) = resolve(Graph((loss,)), "train").outputs
    return substitute(Graph((plain,)), places).outputs[0]


def dot(a: Vector, b: Vector, dtype: DType) -> Node:
    """The product of two vectors."""
    return _total([astype(sum(each * b[parameter]), dtype) for parameter, each in a.items()])


def _total(parts: Sequence[Node]) -> Node:
    total = parts[0]
    for each in parts[1:]:
        total = total + each
    return total


def _kept(name: str, like: Vector) -> Vector:
    return {parameter: slot(f"lbfgs/{name}", parameter) for parameter in like}


def _pair(position: int, like: Vector, hyperparameters: Hyperparameters) -> Pair:
    inverse = hyperparameters.state(f"lbfgs/inverse{position}", first=0.0)
    return Pair(_kept(f"step{position}", like), _kept(f"change{position}", like), inverse)


def _chosen(condition: Node, yes: Pair, no: Pair) -> Pair:
    def either(a: Vector, b: Vector) -> Vector:
        return {parameter: where(condition, each, b[parameter]) for parameter, each in a.items()}

    inverse = where(condition, yes.inverse, no.inverse)
    return Pair(either(yes.s, no.s), either(yes.y, no.y), inverse)


def _sum(a: Vector, b: Vector, factor: Node | float) -> Vector:
    """A + factor · b."""
    return {each: a[each] + _like(factor, each) * b[each] for each in a}


def _times(a: Vector, factor: Node | float) -> Vector:
    return {each: _like(factor, each) * a[each] for each in a}


def _moved(move: Vector) -> Mapping[Node, Node]:
    return {parameter: parameter + each for parameter, each in move.items()}


def _like(factor: Node | float, parameter: Node) -> Node | float:
    """A scalar in the type of a parameter."""
    return astype(factor, parameter.type.dtype) if isinstance(factor, Node) else factor
