"""The library's losses as one line each, with the derivative that textbooks give for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from chainc.dataclass import dataclass
from chainc.formulas import blackboard, notation
from chainc.formulas.blackboard import ATOM, ENTRYWISE, PRODUCT, Written
from chainc.ir import Graph, Node, rebuild
from chainc.ir.types import product
from chainrule.declare import losses

Writer = Callable[[Written, Written], Written]


@dataclass(frozen=True)
class KnownLoss:
    """The mean over some elements of a function of predictions and targets.

    Attributes:
        function: of the library.
        has_labels: the targets are class numbers, one for each row of predictions.
        element: what the mean is taken of.
        derivative: of one element, with respect to the prediction.
    """

    function: Callable[[Node, Node], Node]
    has_labels: bool
    element: Writer
    derivative: Writer

    def takes(self, prediction: Node, target: Node) -> bool:
        if not prediction.type.dtype.is_float:
            return False
        if self.has_labels:
            return target.type.dtype.kind == "i" and target.shape == prediction.shape[:-1]
        return target.type.dtype.is_float and target.shape == prediction.shape


@dataclass(frozen=True, eq=False)
class LossBox:
    """The nodes of one use of a known loss, closed to one equation."""

    known: KnownLoss
    root: Node
    inside: frozenset[Node]
    prediction: Node
    target: Node

    @property
    def mean_of(self) -> Written:
        shape = self.target.shape
        text = str(product(shape))
        return Written(text, _count(shape), PRODUCT if "*" in text else ATOM)

    def write(self, prediction: Written, target: Written) -> Written:
        element = self.known.element(prediction, target)
        sign = "−" if element.is_negative else ""
        inner = (blackboard.negative(element) if sign else element).within(PRODUCT)
        latex = rf"\frac{{1}}{{{self.mean_of.latex}}} \sum {inner.latex}"
        text = f"{sign}1/{self.mean_of.within(ATOM).text}·Σ {inner.text}"
        return Written(text, f"{'-' if sign else ''}{latex}", ENTRYWISE)

    def derivative(self, prediction: Written, target: Written) -> Written:
        element = self.known.derivative(prediction, target)
        if self.mean_of.text == "1":
            return element
        return blackboard.quotient(element, self.mean_of)


def _count(shape: Sequence[object]) -> str:
    sizes = sorted((str(dim) for dim in shape if dim != 1), key=lambda size: not size.isdigit())
    written = [size if size.isdigit() else blackboard.word(size) for size in sizes]
    return r" \cdot ".join(written) or "1"


def _minus(a: Written, b: Written) -> Written:
    return blackboard.total([a, blackboard.negative(b)])


def _one_hot(labels: Written) -> Written:
    return blackboard.call("onehot", labels)


def _cross_entropy(z: Written, labels: Written) -> Written:
    softmax = blackboard.call("softmax", z)
    picked = Written(f"{softmax.text}[{labels.text}]",
                     rf"{softmax.latex}_{{{labels.latex}}}", ATOM)  # fmt: skip
    return blackboard.negative(blackboard.call("ln", picked))


def _binary(z: Written, t: Written) -> Written:
    spread, one = blackboard.call("σ", z), blackboard.number(1)
    right = blackboard.product([_minus(one, t), blackboard.call("ln", _minus(one, spread))])
    left = blackboard.product([t, blackboard.call("ln", spread)])
    return blackboard.negative(blackboard.total([left, right]))


KNOWN: Mapping[str, KnownLoss] = {
    "cross_entropy": KnownLoss(
        losses.cross_entropy,
        True,
        _cross_entropy,
        lambda z, y: _minus(blackboard.call("softmax", z), _one_hot(y)),
    ),
    "binary_cross_entropy": KnownLoss(
        losses.binary_cross_entropy,
        False,
        _binary,
        lambda z, t: _minus(blackboard.call("σ", z), t),
    ),
    "squared_error": KnownLoss(
        losses.squared_error,
        False,
        lambda p, t: blackboard.power(_minus(p, t), blackboard.number(2)),
        lambda p, t: blackboard.product([blackboard.number(2), _minus(p, t)]),
    ),
    "absolute_error": KnownLoss(
        losses.absolute_error,
        False,
        lambda p, t: blackboard.Blackboard().absolute(_minus(p, t)),
        lambda p, t: blackboard.call("sign", _minus(p, t)),
    ),
}


def loss_boxes(
    graph: Graph, on_paths: Mapping[Node, object], kept: Collection[Node]
) -> list[LossBox]:
    """The library's losses in a graph that can be closed.

    Args:
        graph: where to look.
        on_paths: nodes through which a derivative flows; none may be the targets of a loss.
        kept: nodes that must stay visible.
    """
    found = [_box(graph, root) for root in graph.nodes]
    return [
        box
        for box in found
        if box is not None
        and box.target not in on_paths
        and box.inside.isdisjoint(set(kept) - {box.root})
    ]


def _box(graph: Graph, root: Node) -> LossBox | None:
    scopes = root.origin.scopes
    known = KNOWN.get(scopes[-1].name) if scopes else None
    if known is None or root.shape:
        return None
    inside = frozenset(node for node in graph.nodes if node.origin.scopes == scopes)
    read = dict.fromkeys(operand for node in inside for operand in node.inputs)
    entries = [n for n in read if n not in inside and notation.literal(n) is None]
    if len(entries) != 2 or not _is_closed(graph, inside, root):
        return None
    for prediction, target in (entries, entries[::-1]):
        if known.takes(prediction, target) and _is_same(root, known.function(prediction, target)):
            return LossBox(known, root, inside, prediction, target)
    return None


def _is_closed(graph: Graph, inside: frozenset[Node], root: Node) -> bool:
    return all(user in inside for node in inside - {root} for user in graph.users[node])


def _is_same(found: Node, expected: Node) -> bool:
    """Do both compute the same by the same ops over the same nodes?"""
    merged = rebuild(Graph((found, expected)), merge=True)
    return merged.outputs[0] is merged.outputs[1]
