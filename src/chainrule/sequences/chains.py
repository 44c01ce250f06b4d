"""Labels in a row that depend on their neighbours: a linear-chain conditional random field."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.ir import Node, describe, scope
from chainc.ir.errors import ShapeError
from chainc.ir.types import format_shape
from chainc.ops import (
    arange,
    argmax,
    broadcast_to,
    concat,
    expand_dims,
    logsumexp,
    max,
    mean,
    reshape,
    squeeze,
    sum,
    take,
    take_along_axis,
    where,
)
from chainrule.declare.losses.checks import (
    check_float,
    check_labels,
    check_node,
    check_reduction,
    known_classes,
    where_of,
)
from chainrule.sequences.lengths import counted
from chainrule.sequences.scan import scan

__all__ = ["crf"]


def crf(
    logits: Node,
    labels: Node,
    transitions: Node,
    *,
    lengths: Node | None = None,
    reduction: str = "mean",
) -> Node:
    """-ln of the probability of the labels, in a linear-chain field (Lafferty et al., ICML 2001).

    A row of labels has the score Σ logits[t, label(t)] + Σ transitions[label(t), label(t+1)]; its
    probability is e^score over the sum of that of all rows there could be.

    Args:
        logits: floating-point (batch, time, classes).
        labels: class numbers, of an integer type, (batch, time).
        transitions: how well each class (row) goes before another (column), (classes, classes); a
            parameter as a rule.
        lengths: how many steps of each row count, integers (batch); by default all.
        reduction: "mean", "sum" over the rows, or "none" for the loss of each.

    Raises:
        DTypeError: logits or transitions are not floating-point, or the labels no integers.
        ShapeError: the shapes do not fit, or the number of classes is a named size.
        InputError: the reduction is unknown.
    """
    check_reduction("crf", reduction)
    check_labels("crf", logits, labels)
    classes = _check("crf", logits, transitions)
    steps = _steps("crf", logits, lengths)
    with scope("crf"):
        own = squeeze(take_along_axis(logits, expand_dims(labels, -1), axis=-1), -1)
        pairs = labels[:, :-1] * classes + labels[:, 1:]
        between = take(reshape(transitions, (-1,)), pairs)
        if steps is not None:
            own, between = where(steps, own, 0.0), where(steps[:, 1:], between, 0.0)
        score = sum(own, axis=1) + sum(between, axis=1)
        losses = logsumexp(_forward(logits, transitions, steps), axis=-1) - score
        if reduction == "none":
            return losses
        return sum(losses) if reduction == "sum" else mean(losses)


def viterbi(logits: Node, transitions: Node, *, lengths: Node | None = None) -> Node:
    """The likeliest row of labels of `losses.crf`, as int64 (batch, time) (Viterbi, 1967).

    Each step keeps, for each class, the best way there; then the best end is followed back. Behind
    the end of a shorter row its last label stands.

    Args:
        logits: floating-point (batch, time, classes).
        transitions: as for `losses.crf`.
        lengths: likewise.

    Raises:
        DTypeError: logits or transitions are not floating-point.
        ShapeError: the shapes do not fit, or the number of classes is a named size.
    """
    classes = _check("viterbi", logits, transitions)
    steps = _steps("viterbi", logits, lengths)

    def forward(best: Node, given: Sequence[Node]) -> tuple[Node, Node]:
        ways = expand_dims(best, 2) + transitions
        new, came_from = max(ways, axis=1) + given[0], argmax(ways, axis=1)
        if steps is None:
            return new, came_from
        stay = broadcast_to(arange(classes), came_from.shape)
        return where(given[1], new, best), where(given[1], came_from, stay)

    def back(label: Node, came_from: Node) -> tuple[Node, Node]:
        before = squeeze(take_along_axis(came_from, expand_dims(label, 1), axis=1), 1)
        return before, before

    with scope("viterbi"):
        last, came_from = scan(forward, logits[:, 0], _later(logits, steps), axis=1)
        assert isinstance(last, Node)
        assert isinstance(came_from, Node)
        end = argmax(last, axis=-1)
        _, before = scan(back, end, came_from, axis=1, reverse=True)
        assert isinstance(before, Node)
        return concat([before, expand_dims(end, 1)], axis=1)


def _forward(logits: Node, transitions: Node, steps: Node | None) -> Node:
    """Ln of the sum over all rows that end in each class, (batch, classes)."""

    def step(ways: Node, given: Sequence[Node]) -> tuple[Node, None]:
        new = logsumexp(expand_dims(ways, 2) + transitions, axis=1) + given[0]
        return (new if steps is None else where(given[1], new, ways)), None

    last, _ = scan(step, logits[:, 0], _later(logits, steps), axis=1)
    assert isinstance(last, Node)
    return last


def _later(logits: Node, steps: Node | None) -> Sequence[Node]:
    """What the steps after the first one read."""
    later = logits[:, 1:]
    return [later] if steps is None else [later, expand_dims(steps, 2)[:, 1:]]


def _steps(function: str, logits: Node, lengths: Node | None) -> Node | None:
    """Which steps count, (batch, time); None where all do."""
    if lengths is None:
        return None
    check_node(function, "lengths", lengths)
    if lengths.shape != logits.shape[:1] or lengths.dtype.kind != "i":
        raise ShapeError(
            f"{function}: the lengths {describe(lengths)} are no integers "
            f"{format_shape(logits.shape[:1])}",
            hint='declare them as cr.input("lengths", ("batch",), dtype="int32")',
        )
    return counted(lengths, logits.shape[1])


def _check(function: str, logits: Node, transitions: Node) -> int:
    """The number of classes."""
    check_float(function, "logits", logits)
    check_float(function, "transitions", transitions)
    known = where_of(logits=logits, transitions=transitions)
    if logits.ndim != 3:
        raise ShapeError(
            f"{function}: the logits are {logits.type}",
            where=known,
            hint="give (batch, time, classes)",
        )
    classes = known_classes(function, logits, transitions)
    if transitions.shape != (classes, classes) or transitions.dtype != logits.dtype:
        raise ShapeError(
            f"{function}: the transitions are {transitions.type}, and there are {classes} classes",
            where=known,
            hint=f'declare them as cr.parameter("transitions", ({classes}, {classes}), 0.0)',
        )
    if logits.shape[1] == 1:
        raise ShapeError(
            f"{function}: there is one step", where=known, hint="use losses.cross_entropy"
        )
    return classes
