"""Mistakes at a fan-out: terms that are missing, counted twice, or of the wrong sign."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from chainc.ir import Node, Scope
from chainrule.evaluation.backpropagation import Contribution
from chainrule.teaching.grading.case import Case, Suspect
from chainrule.teaching.grading.mistakes import Mistake
from chainrule.teaching.grading.time_mistakes import step_of

SOFTMAX_LOSSES = ("cross_entropy", "binary_cross_entropy", "log_softmax")


def missing_path(case: Case) -> Iterator[Suspect]:
    """One term of a sum at a fan-out left out, or all but one."""
    for operand, paths in _fan_outs(case):
        for reader, path in paths.items():
            rest = _others(paths, reader)
            yield _missing(case, operand, reader, rest)
            if len(paths) > 2 and (step_of(reader) is None or step_of(operand) is not None):
                yield _only(case, operand, reader, path)


# the contributions to a gradient, by the node that they come back through
Paths = Mapping[Node, list[Contribution]]


def _fan_outs(case: Case) -> Iterator[tuple[Node, Paths]]:
    """Nodes that several others read."""
    for operand in case.examined:
        paths = _paths(case, operand)
        if len(paths) > 1:
            yield operand, paths


def _paths(case: Case, operand: Node) -> Paths:
    paths: dict[Node, list[Contribution]] = {}
    for each in case.attempt.contributions[operand]:
        reader = operand if each.reader is None else each.reader  # the loss starts with a 1
        paths.setdefault(reader, []).append(each)
    return paths


def _others(paths: Paths, reader: Node) -> list[Contribution]:
    return [each for node, path in paths.items() if node is not reader for each in path]


def _missing(case: Case, operand: Node, reader: Node, rest: list[Contribution]) -> Suspect:
    gradient = case.carried(operand, rest)
    variant = case.called(operand)
    loss = _softmax_loss(operand, reader)
    if loss:
        what = (
            f"of the gradient of the {loss} only one term is there, p or y alone: for the logits "
            "it is a difference, p − y"
        )
        hint = "differentiate both terms of the loss: the one with the logarithm, and the target's"
        return Suspect("p without y", gradient, what, reader, hint, variant)
    what = (
        f"{case.called(operand)} is used more than once in the forward pass, and the term that "
        f"comes back through {case.called(reader)} is missing"
    )
    return Suspect("missing fan-out term", gradient, what, reader, _ADD_UP, variant)


_ADD_UP = "one path, one term, and they add up; is there an = where += belongs?"


def _only(case: Case, operand: Node, reader: Node, path: list[Contribution]) -> Suspect:
    what = (
        f"{case.called(operand)} is used more than twice in the forward pass, and only the term "
        f"that comes back through {case.called(reader)} is there"
    )
    gradient = case.carried(operand, path)
    variant = f"only {case.called(operand)}"
    return Suspect("missing fan-out term", gradient, what, reader, _ADD_UP, variant)


def _softmax_loss(operand: Node, reader: Node) -> str | None:
    """The loss that a path enters at its logits."""
    for scope in reader.origin.scopes:
        if scope.name in SOFTMAX_LOSSES and _are_logits(operand, scope):
            return scope.name.replace("_", " ")
    return None


def _are_logits(node: Node, loss: Scope) -> bool:
    """They lie outside the box of the loss, or are what it first makes of them, by a shift."""
    return any(loss not in each.origin.scopes for each in (node, *node.inputs))


def missing_two_of_a_square(case: Case) -> Iterator[Suspect]:
    """For x·x the derivative with respect to one of the two."""
    for operand in case.examined:
        for reader, path in _paths(case, operand).items():
            for left_out in path if len(path) > 1 else ():
                contributions = case.attempt.contributions[operand]
                yield Suspect(
                    "missing factor 2",
                    case.carried(operand, [each for each in contributions if each is not left_out]),
                    f"{case.called(operand)} stands twice in {case.called(reader)}, and only one "
                    "of the two counts: for a square, the 2 is missing",
                    reader,
                    "what is the derivative of a square?",
                    case.called(operand),
                )


def counted_twice(case: Case) -> Iterator[Suspect]:
    for operand, paths in _fan_outs(case):
        for reader, path in paths.items():
            yield Suspect(
                "term counted twice",
                case.carried(operand, [*case.attempt.contributions[operand], *path]),
                f"the term that comes back to {case.called(operand)} through "
                f"{case.called(reader)} is added twice",
                reader,
                "every path counts once; is a += run twice?",
                case.called(operand),
            )


def lost_minus(case: Case) -> Iterator[Suspect]:
    """One path of several with the wrong sign."""
    for operand, paths in _fan_outs(case):
        for reader, path in paths.items():
            rest = _others(paths, reader)
            negated = [replace(each, value=-each.value) for each in path]
            yield Suspect(
                "sign",
                case.carried(operand, [*rest, *negated]),
                f"the term that comes back to {case.called(operand)} through "
                f"{case.called(reader)} has the wrong sign",
                reader,
                "follow the minus signs of the forward pass along this path alone",
                case.called(operand),
            )


def softmax_by_elements(case: Case) -> Iterator[Suspect]:
    """The Jacobian of a softmax taken as diagonal."""
    for inside in case.examined:
        for output in _softmax_outputs(case, inside):
            p, above = case.value(output), case.attempt.used(output)
            if p.shape != case.value(inside).shape:
                continue
            for formula, derivative in (("p·(1 − p)", p * (1 - p)), ("p", p)):
                yield Suspect(
                    "softmax by elements",
                    case.attempt.carried(inside, above * derivative, case.node),
                    f"the derivative of the softmax is taken as {formula} for each element alone",
                    output,
                    "every score changes every probability of its row: the Jacobian has entries "
                    "beside the diagonal",
                    formula,
                )


def _softmax_outputs(case: Case, inside: Node) -> Iterator[Node]:
    """The results of the softmax boxes that read this node from outside."""
    for each in case.attempt.contributions[inside]:
        scopes = () if each.reader is None else each.reader.origin.scopes
        box = next((scope for scope in scopes if scope.name == "softmax"), None)
        if box is None or box in inside.origin.scopes:
            continue
        yield next(node for node in case.attempt.contributions if box in node.origin.scopes)


PATHS: tuple[Mistake, ...] = (
    softmax_by_elements,
    missing_path,
    missing_two_of_a_square,
    lost_minus,
    counted_twice,
)
