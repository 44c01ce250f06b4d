"""The outcome of a check, in words: for each gradient right or wrong, and why."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from chainc.dataclass import dataclass
from chainc.ir.types import format_shape
from chainrule.writing.html_table import html_table


class Verdict(Enum):
    """What is to be said of one gradient."""

    RIGHT = "right"
    WRONG = "wrong"
    FOLLOWS = "follows from an earlier mistake"
    UNCLEAR = "computed from a gradient of the wrong shape"
    MISSING = "missing"


@dataclass(frozen=True)
class Cause:
    """A mistake that explains a wrong gradient.

    Attributes:
        mistake: its name, such as "missing sum".
        what: what happened, in a sentence.
        where: the line of the forward pass that it belongs to.
        hint: what to look at next.
    """

    mistake: str
    what: str
    where: str
    hint: str


@dataclass(frozen=True)
class Finding:
    """One gradient of a student's backward pass.

    Attributes:
        name: of the node.
        verdict: right, wrong, a consequence of an earlier mistake, or missing.
        shape: of what was given; None if nothing was.
        expected: the shape of the node.
        error: largest difference over the largest true element; None where shapes differ.
        causes: mistakes that lead to exactly this gradient, the likeliest first; empty where
            none is recognised.
        where: the node's line.
    """

    name: str
    verdict: Verdict
    shape: tuple[int, ...] | None
    expected: tuple[int, ...]
    error: float | None
    causes: tuple[Cause, ...]
    where: str

    @property
    def cells(self) -> tuple[str, ...]:
        shape = "" if self.shape is None else format_shape(self.shape)
        return (
            self.name,
            shape,
            "" if self.error is None else f"{self.error:.1e}",
            self.summary,
        )

    @property
    def summary(self) -> str:
        if self.verdict is Verdict.WRONG:
            return f"wrong: {self.causes[0].mistake if self.causes else 'cause not recognised'}"
        return str(self.verdict.value)

    def explanation(self) -> str:
        """What, where and what to try, on a line each."""
        if self.verdict is Verdict.MISSING:
            return _three_lines(
                self.name,
                f"there is no gradient for {self.name!r}",
                self.where,
                "return one for every parameter, or say with wrt= which ones are asked for",
            )
        if not self.causes:
            return _three_lines(
                self.name,
                f"the gradient of {self.name!r} is wrong, and by none of the usual mistakes",
                self.where,
                "return the gradients of the nodes between this one and the loss as well, named "
                "with names=; the first wrong step is then found",
            )
        first, *others = self.causes
        text = _three_lines(self.name, first.what, first.where, first.hint)
        more = dict.fromkeys(f"{other.what} ({other.where})" for other in others[:2])
        return "\n".join([text, *(f"  or: {what}" for what in more)])


def _three_lines(name: str, what: str, where: str, hint: str) -> str:
    return f"{name}\n  what: {what}\n  where: {where}\n  try: {hint}"


HEADER = ("gradient", "shape", "error", "verdict")


@dataclass(frozen=True, repr=False)
class BackwardCheck:
    """What `check_backward` found; prints as a table with the mistakes in words below it.

    Attributes:
        findings: one a gradient, in the order of the backward pass: the loss's side first.
    """

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return all(finding.verdict is Verdict.RIGHT for finding in self.findings)

    @property
    def mistakes(self) -> tuple[Finding, ...]:
        """What is wrong or missing by itself, consequences left out; the first to mend first."""
        own = (Verdict.WRONG, Verdict.MISSING)
        return tuple(finding for finding in self.findings if finding.verdict in own)

    @property
    def headline(self) -> str:
        right = sum(finding.verdict is Verdict.RIGHT for finding in self.findings)
        counted = f"{right} of {len(self.findings)} gradients are right"
        if self.passed:
            return f"all {right} gradients are right" if right > 1 else "the gradient is right"
        return f"{counted}; the first mistake, going backward, is at {self.mistakes[0].name!r}"

    def __str__(self) -> str:
        table = _lines([HEADER, *(finding.cells for finding in self.findings)])
        told = [f"\n{finding.explanation()}" for finding in self.mistakes]
        return "\n".join([self.headline, "", *table, *told])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [finding.cells for finding in self.findings]
        notes = [finding.explanation() for finding in self.mistakes]
        return html_table(HEADER, rows, caption=self.headline, notes=notes)


def _lines(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in table
    ]
