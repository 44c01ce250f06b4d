"""What every target's training loop gives while it runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping
from typing import Protocol

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir.types import Array

MOST_STEPS = 2**62  # that a state may have behind it, so that those of a run can be counted on

# in a state from the middle of an epoch: the step that began it, and, unless the run was stopped
# there, how many rows it has seen and what is added up over them
EPOCH_START, EPOCH_SUMS = "epoch_start", "epoch_sums"

Arrays = Mapping[str, Array]
Continued = MutableMapping[str, Array]  # a state; its arrays are updated in place


@dataclass(frozen=True)
class EpochPlace:
    """Where a run begins among the epochs over its rows.

    Attributes:
        step: the number of steps that the state has behind it, over whatever rows.
        first: the step to begin with, if all steps had been over rows as many as these: its
            quotient by `steps` is the epoch, which chooses the order of the rows.
        steps: of an epoch.
    """

    step: int
    first: int
    steps: int

    @classmethod
    def of(cls, state: Arrays, rows: int, batch_size: int) -> EpochPlace:
        """Where the state says that its epoch began; without a word, as if all rows were these."""
        step, steps = int(state["step"]), -(-rows // batch_size)
        start = int(state.get(EPOCH_START, step - step % steps))
        if step - start >= steps:  # of other rows, and more of them
            start = step
        return cls(step, start // steps * steps + step - start, steps)

    def sums(self, state: Arrays, numbers: int) -> Array:
        """Rows that the epoch has seen before, and so many numbers that were added up over them.

        Of a state in which there are others, those of another training, none are taken.
        """
        none = np.zeros(1 + numbers)
        found = np.array(state.get(EPOCH_SUMS, none), np.float64)
        begins = self.first % self.steps == 0
        return none if begins or found.shape != none.shape else found

    def note(self, state: Continued, sums: Array) -> None:
        """Note in the state where its epoch began, and its sums, if it has not ended."""
        step = int(state["step"])
        done = (self.first + step - self.step) % self.steps
        state.pop(EPOCH_START, None)
        state.pop(EPOCH_SUMS, None)
        if not done:
            return
        state[EPOCH_START] = np.asarray(step - done, np.int64)
        if sums[0]:
            state[EPOCH_SUMS] = np.array(sums)


@dataclass(frozen=True, eq=False)
class Epochs:
    """One or more epochs, one after the other, as they were finished.

    Attributes:
        seen: how many rows each has visited, [epochs].
        means: what is reported of them, such as the mean of the loss, [epochs, numbers].
        validation: the same of the validation data, or None without any.
        ended: with the last of them the training is over, whatever was asked for.
    """

    seen: Array
    means: Array
    validation: Array | None
    ended: bool = False


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
        state: Continued,
        epochs: int,
        stop: Callable[[], bool],
        *,
        every: Callable[[], int] | None = None,
        steps: int | None = None,
    ) -> Iterator[Epochs]:
        """Run epochs over the data, from where the state's `EpochPlace` is.

        Args:
            data: arrays by input name.
            validation: the same of other rows, evaluated after every epoch.
            state: arrays by slot name, updated in place by the time the iterator ends; where
                that is in the middle of an epoch, `EPOCH_START` and `EPOCH_SUMS` are added.
            epochs: how many; one that has been begun counts.
            stop: asked again and again; once it is true, no further step is begun.
            every: asked after how many epochs more the state's arrays are written, before these
                are given and the next begins; without it the state is there in the end.
            steps: no more than so many, even if that is in the middle of an epoch, of which
                nothing is given then: it goes on in another run, from the state.
        """
        ...

    def evaluate(self, data: Arrays, state: Arrays) -> Array:
        """What is reported of all rows of the data; nothing is updated."""
        ...
