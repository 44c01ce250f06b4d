"""What a run leaves: a state, and what each epoch has reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from chainc.dataclass import dataclass
from chainrule.compiled.state import State, UnknownNameError
from chainrule.declare.arguments import text
from chainrule.declare.calls import answers_calls
from chainrule.reports.columns import Value
from chainrule.writing.html_table import html_table
from chainrule.writing.phrases import counted
from chainrule.writing.short_text import history_text

SHOWN = 20  # epochs that a table lists; of more, the first and the last


@answers_calls
class History(dict[str, tuple[float, ...]]):
    """Losses and metrics by name, an epoch a number; a notebook shows a table."""

    def __missing__(self, name: str) -> tuple[float, ...]:
        hint = f"its names are {', '.join(self) or 'none'}"
        unseen = name.startswith("val_") and not any(each.startswith("val_") for each in self)
        raise UnknownNameError(
            f"there is no {name!r} in this history",
            hint=f"{hint}; val_... come with validation=" if unseen else hint,
        )

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


@answers_calls
@dataclass(frozen=True)
class Result:
    """What a run leaves.

    Attributes:
        state: the values of all slots.
        history: of the loss and each metric that is a scalar, one number an epoch.
        metrics: what the last epoch reported, by name, also what is no scalar.
        interrupted: Ctrl-C ended the run; the state is that after the last whole step.
        stopped: a rule of the training, or a callback, ended it before its last epoch.
    """

    state: State
    history: History
    metrics: Mapping[str, Value] = field(default_factory=dict)
    interrupted: bool = False
    stopped: bool = False

    def __repr__(self) -> str:
        values = counted(len(self.state), "value")
        return f"Result({history_text(self.history)}{self._ended()}; a state of {values})"

    def _repr_html_(self) -> str:
        state = f"a state of {len(self.state)} values{self._ended()}"
        return self.history.table(f"{state}; its history:")

    def _ended(self) -> str:
        if self.interrupted:
            return ", ended by Ctrl-C"
        return ", stopped early" if self.stopped else ""
