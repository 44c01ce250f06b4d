"""What every target's training loop gives while it runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from chainc.ir.types import Array

MOST_STEPS = 2**62  # that a state may have behind it, so that those of a run can be counted on

Arrays = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Epochs:
    """One or more epochs, one after the other, as they were finished.

    Attributes:
        seen: how many rows each has visited, [epochs].
        means: the mean of each output over them, [epochs, outputs].
        validation: the mean of each output over the validation data, or None without any.
    """

    seen: Array
    means: Array
    validation: Array | None


class TrainingRunner(Protocol):
    """A compiled training loop, for any target."""

    @property
    def byte_inputs(self) -> Collection[str]:
        """The inputs whose data may be uint8 where a floating-point type is declared."""
        ...

    def run(
        self,
        data: Arrays,
        validation: Arrays | None,
        state: Arrays,
        epochs: int,
        stop: Callable[[], bool],
    ) -> Iterator[Epochs]:
        """Run epochs over the data, from where state["step"] says on.

        Args:
            data: arrays by input name.
            validation: the same of other rows, evaluated after every epoch.
            state: arrays by slot name, updated in place by the time the iterator ends.
            epochs: how many; one that has been begun counts.
            stop: asked again and again; once it is true, no further step is begun.
        """
        ...

    def evaluate(self, data: Arrays, state: Arrays) -> Array:
        """The mean of each output over all rows of the data; nothing is updated."""
        ...
