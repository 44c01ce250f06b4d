"""What a comparison of learning rules has found: a row for each, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainc.ir.errors import InputError
from chainrule.declare.arguments import text
from chainrule.declare.calls import answers_calls
from chainrule.learning.comparing.row import Row
from chainrule.steps.ending import VALIDATION
from chainrule.writing.html_table import html_table
from chainrule.writing.phrases import counted
from chainrule.writing.text_table import text_table

if TYPE_CHECKING:
    from chainrule.plots.paper.plot import Plot


@answers_calls
@dataclass(frozen=True, eq=False)
class Comparison:
    """The same model under several rules; prints as a table, and `comparison["name"]` is a row.

    Attributes:
        rows: one a rule, in the order given.
    """

    rows: tuple[Row, ...]

    def __getitem__(self, rule: str) -> Row:
        found = [row for row in self.rows if row.rule == text("comparison", "the rule", rule)]
        if not found:
            known = ", ".join(row.rule for row in self.rows)
            raise InputError(f"comparison: there is no rule {rule!r}", hint=f"there is {known}")
        return found[0]

    @property
    def layers(self) -> tuple[str, ...]:
        """Those of the model, from the first to the last."""
        return tuple(self.rows[0].angles)

    @property
    def measured(self) -> tuple[str, ...]:
        """What the histories hold; the metrics before the loss."""
        names = list(self.rows[0].history)
        return tuple(sorted(names, key=lambda name: name.removeprefix(VALIDATION) == "loss"))

    @property
    def judged_by(self) -> str:
        """The first of them, on held-out data where there are any."""
        first = self.measured[0].removeprefix(VALIDATION)
        return f"{VALIDATION}{first}" if f"{VALIDATION}{first}" in self.measured else first

    def __str__(self) -> str:
        return "\n".join([*text_table(self._header, self._cells, words=(0,)), self._note])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        header = self._header
        return html_table(header, self._cells, notes=[self._note], numbers=range(1, len(header)))

    def plot(self) -> Plot:
        """How well each rule does over the epochs, its angles by layer, its time and its memory.

        Raises:
            RenderingError: matplotlib is not installed.
            InputError: there are more rules or layers than can be told apart.
        """
        from chainrule.learning.comparing.picture import drawn

        return drawn(self.rows, self.judged_by)

    @property
    def _header(self) -> Sequence[str]:
        own = {layer: layer.rpartition("/")[2] for layer in self.layers}
        shown = own if len(set(own.values())) == len(own) else {each: each for each in own}
        return ("rule", *self.measured, "s/epoch", "bytes", "kept", *shown.values())

    @property
    def _cells(self) -> Sequence[Sequence[str]]:
        return [row.cells(self.measured, self.layers) for row in self.rows]

    @property
    def _note(self) -> str:
        epochs = len(self.rows[0].seconds)
        return (
            f"after {counted(epochs, 'epoch')}; bytes: what a run allocates; kept: numbers that a "
            "rule keeps beside the model;\nby layer: its angle to the gradient before → after "
            "training"
        )
