"""What a run reports: one number for each epoch, by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chainrule.declare.arguments import text
from chainrule.declare.calls import answers_calls
from chainrule.writing.html_table import html_table

SHOWN = 20  # epochs that a table lists; of more, the first and the last


@answers_calls
class History(dict[str, tuple[float, ...]]):
    """Losses and metrics by name, an epoch a number; a notebook shows a table."""

    def _repr_html_(self) -> str:
        return self.table()

    def table(self, caption: str = "") -> str:
        """An HTML table, an epoch a row."""
        header = ("epoch", *self)
        return html_table(
            header,
            list(self._rows()),
            caption=text("table", "caption", caption),
            numbers=range(len(header)),
        )

    def _rows(self) -> Iterator[Sequence[str]]:
        epochs = list(enumerate(zip(*self.values(), strict=True), start=1))
        left_out = len(epochs) - SHOWN
        for number, values in epochs:
            position = number - 1 - SHOWN // 2
            if left_out > 0 and position == 0:
                yield ("…", *("…" for _ in values))
            if left_out <= 0 or not 0 <= position < left_out:
                yield (str(number), *(f"{value:.6g}" for value in values))
