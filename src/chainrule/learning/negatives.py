"""Good and bad data for rules that tell them apart."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node, topological
from chainc.ir.errors import GraphError
from chainc.ops import (
    arange,
    argmax,
    astype,
    broadcast_to,
    concat,
    expand_dims,
    less,
    log,
    one_hot,
    permutation,
    reshape,
    take,
    uniform,
    where,
)
from chainrule.learning.network import Network, row_size


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of a model's input, with the labels of the loss where bad data need them.

    Attributes:
        x: the input, (rows, ...).
        labels: the class of each row; None where the loss reads none.
        output: what the model gives, (rows, classes).
    """

    x: Node
    labels: Node | None
    output: Node

    @property
    def classes(self) -> int:
        return row_size(self.output)

    def labelled(self, classes: Node) -> Node:
        """The rows with a class in place of their first elements, as a 1 among 0."""
        values = reshape(self.x, (self.x.shape[0], row_size(self.x)))
        marks = astype(classes, self.x.type.dtype)
        return reshape(concat([marks, values[:, self.classes :]], axis=1), self.x.shape)

    def pair(self, negatives: str) -> tuple[Node, Node]:
        """Good and bad rows."""
        if negatives == "shuffle":
            return self.x, self._mixed()
        assert self.labels is not None
        wrong = self._wrong(self.labels) if negatives == "label" else self._mistaken(self.labels)
        true, false = (one_hot(each, self.classes) for each in (self.labels, wrong))
        return self.labelled(true), self.labelled(false)

    def _wrong(self, labels: Node) -> Node:
        """Another class for each row, any with the same chance."""
        added = uniform(labels.shape) * (self.classes - 1)
        return (labels + 1 + astype(added, labels.type.dtype)) % self.classes

    def _mistaken(self, labels: Node) -> Node:
        """Another class for each row, drawn as the model finds them likely."""
        drawn = uniform(self.output.shape, low=1e-6, dtype=self.output.type.dtype)
        likely = self.output - log(-log(drawn))  # its largest is drawn from the softmax
        true = less(0.5, one_hot(labels, self.classes))
        return argmax(where(true, -float("inf"), likely), axis=1)

    def _mixed(self) -> Node:
        """The beginning of each row, and the end of another."""
        rows, size = self.x.shape[0], row_size(self.x)
        values = reshape(self.x, (rows, size))
        others = take(values, permutation(rows), axis=0)
        ends = uniform((rows, 1), low=0.25 * size, high=0.75 * size)
        own = less(expand_dims(astype(arange(size), ends.type.dtype), 0), ends)
        return reshape(where(broadcast_to(own, values.shape), values, others), self.x.shape)


def examples_of(rule: str, network: Network, *, labelled: bool) -> Examples:
    """What a loss gives its model.

    Raises:
        GraphError: labels are needed, and there are none, or they have no place in the input.
    """
    x = network.blocks[0].entry
    assert x is not None
    labels = labels_of(network)
    found = Examples(x, labels, network.output)
    if labelled and labels is None:
        raise GraphError(
            f"{rule}: the loss reads no labels, one whole number for each row",
            hint='give it some: cr.input("y", ("batch",), dtype="int32"), or negatives="shuffle"',
        )
    if labelled and row_size(x) <= found.classes:
        raise GraphError(
            f"{rule}: a row of {row_size(x)} elements has no room for a label of "
            f"{found.classes} classes",
            hint='use negatives="shuffle", or an input with elements in front for the label',
        )
    return found


def labels_of(network: Network) -> Node | None:
    """The input of the loss that holds the class of each row; None where there is not one."""
    rows = network.output.shape[:1]
    found = [
        node
        for node in topological([network.loss])
        if node.op.name == "input" and node.type.dtype.kind in "iu" and node.shape == rows
    ]
    return found[0] if len(found) == 1 else None
