"""One wrong gradient under examination, and what a mistake would have made of the right one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.leaves import Input
from chainc.ops.contract import Contract
from chainrule.evaluation.backpropagation import Contribution
from chainrule.evaluation.values import Floats
from chainrule.teaching.grading.attempt import Attempt, total

NEAREST = 28  # nodes above a gradient at which mistakes are looked for
FARTHEST = 12  # and those at the loss

Key = tuple[str, Node, str]  # a mistake: its kind, its place, its variant


@dataclass(frozen=True)
class Suspect:
    """A mistake, and the wrong gradient that it leads to.

    Attributes:
        kind: the mistake in a few words.
        gradient: what one gets by it.
        what: the mistake in a sentence.
        node: where in the forward pass; its line is shown.
        hint: what to look at next.
        variant: tells apart suspects of one kind at one node.
        source: a node above, from which the mistake may have come down; `node` by default.
    """

    kind: str
    gradient: Floats
    what: str
    node: Node
    hint: str
    variant: str = ""
    source: Node | None = None

    @property
    def key(self) -> Key:
        """Equal for one mistake that shows in several gradients."""
        return self.kind, self.node if self.source is None else self.source, self.variant


@dataclass(frozen=True)
class Site:
    """One chain-rule step between a wrong gradient and the given ones above it.

    Attributes:
        operand: the node whose gradient the step adds to.
        index: which of the contributions to the operand it makes.
        added: the contribution itself.
        reader: the node that the step goes through.
        above: the gradient of the reader.
    """

    operand: Node
    index: int
    added: Contribution
    reader: Node
    above: Floats


@dataclass(frozen=True)
class Case:
    """A gradient that is not what follows from those above it.

    Attributes:
        node: whose gradient it is.
        given: what the student returned.
        attempt: the backward pass it is compared with.
        names: what nodes are called.
        spoilt: what it should be if one mistake is known already.
    """

    node: Node
    given: Floats
    attempt: Attempt
    names: Mapping[Node, str]
    spoilt: Floats | None = None

    @cached_property
    def expected(self) -> Floats:
        return self.attempt.expected(self.node) if self.spoilt is None else self.spoilt

    @property
    def rows(self) -> tuple[int, ...]:
        """Sizes that may be those of a batch: named ones, and first axes of inputs."""
        steps = self.attempt.steps
        inputs = [self.value(n) for n in steps.passed.nodes if isinstance(n.op, Input)]
        sizes = {*steps.sizes.values(), *(len(value) for value in inputs if value.ndim)}
        return tuple(sorted(size for size in sizes if size > 1))

    @property
    def examined(self) -> Sequence[Node]:
        """Nodes at which mistakes are looked for: between this one and the given ones above."""
        segment = self.attempt.segment(self.node)
        return (*segment[:NEAREST], *segment[max(NEAREST, len(segment) - FARTHEST) :])

    def value(self, node: Node) -> Floats:
        """Of the forward pass."""
        return self.attempt.steps.value(node)

    def called(self, node: Node) -> str:
        """`'W1'`, or `relu (mlp.py:12)` for a node that has no name."""
        if node in self.names:
            return repr(self.names[node])
        location = node.origin.location
        word = op_word(node)
        return f"{word} ({location.short})" if location else word

    def source(self) -> Node:
        """The loss where nothing between it and the node is given, else the node."""
        loss = self.attempt.steps.passed.loss
        return loss if loss in set(self.attempt.segment(self.node)) else self.node

    def sites(self) -> Iterator[Site]:
        """The steps by which the gradient is computed, the nearest first."""
        for operand in self.examined:
            for index, contribution in enumerate(self.attempt.contributions[operand]):
                if contribution.reader is not None:
                    above = self.attempt.used(contribution.reader)
                    yield Site(operand, index, contribution, contribution.reader, above)

    def instead(self, site: Site, value: Floats) -> Floats | None:
        """The gradient, had the step given this value; None if the value does not fit in."""
        contributions = self.attempt.contributions[site.operand]
        if value.shape != site.added.value.shape:
            return value if site.operand is self.node and len(contributions) == 1 else None
        new = Contribution(value, site.reader, site.added.position)
        changed = [new if i == site.index else each for i, each in enumerate(contributions)]
        return self.carried(site.operand, changed)

    def carried(self, operand: Node, contributions: list[Contribution]) -> Floats:
        """The gradient, had the one of a node above it been the sum of these."""
        return self.attempt.carried(operand, total(contributions), self.node)


def op_word(node: Node) -> str:
    """What an op is called in a sentence."""
    return "the matrix product" if isinstance(node.op, Contract) else node.op.label
