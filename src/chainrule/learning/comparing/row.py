"""What one learning rule has done in a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

from chainc.dataclass import dataclass
from chainrule.compiled.history import History
from chainrule.compiled.state import State
from chainrule.writing.array_text import number_text


@dataclass(frozen=True, eq=False)
class Row:
    """What one rule has done.

    Attributes:
        rule: its name.
        history: the loss and the metrics after each epoch, those on held-out data as `val_loss`.
        seconds: of each epoch, without what was measured between them.
        compile_seconds: of making the code.
        memory: bytes that a run allocates beside the data; None where the target does not tell.
        kept: numbers that the rule keeps beside the model, such as fixed random matrices.
        angles: by layer, in degrees, before training and after each epoch: between the signals and
            the gradient, of the same rows each time. NaN where one of them is 0.
        state: what the training has left.
    """

    rule: str
    history: History
    seconds: tuple[float, ...]
    compile_seconds: float
    memory: int | None
    kept: int
    angles: Mapping[str, tuple[float, ...]]
    state: State

    @property
    def epoch_seconds(self) -> float:
        """Of an epoch: the median."""
        return median(self.seconds)

    def cells(self, measured: Sequence[str], layers: Sequence[str]) -> tuple[str, ...]:
        """As the table shows it."""
        return (
            self.rule,
            *(f"{self.history[name][-1]:.4f}" for name in measured),
            number_text(self.epoch_seconds, 2),
            "-" if self.memory is None else f"{self.memory:,}",
            f"{self.kept:,}",
            *(f"{_degrees(self.angles[name][0])} → {_degrees(self.angles[name][-1])}"
              for name in layers),
        )  # fmt: skip


def _degrees(angle: float) -> str:
    return f"{angle:.0f}°" if math.isfinite(angle) else "-"
