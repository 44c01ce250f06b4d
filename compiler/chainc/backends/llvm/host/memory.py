"""Memory for one run of a native training loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from chainc.backends.epochs import Arrays, Epochs
from chainc.backends.llvm.host.space import PROCESS, Space
from chainc.backends.llvm.places import LoopPlaces
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainc.schedules.program import control_block
from chainc.schedules.training import layout as training

if TYPE_CHECKING:
    from chainc.schedules.program.failures import Failures


class LoopCode(Protocol):
    """What a run must know of a loop's code."""

    @property
    def places(self) -> LoopPlaces:
        """Where everything is."""

    @property
    def outside(self) -> Sequence[Array]:
        """The constants that are handed over as arrays."""

    @property
    def failures(self) -> Failures:
        """What the codes mean that a run may leave."""


class RunMemory:
    """The arena, the table of arrays, the job and the history."""

    def __init__(
        self,
        code: LoopCode,
        data: Arrays,
        validation: Arrays | None,
        state: Arrays,
        epochs: int,
        readings: Array | None = None,
        outside: Sequence[Array] = (),
        space: Space = PROCESS,
    ) -> None:
        self._code = code
        self._places = code.places
        self._state = state
        self.space = space
        held_out = data if validation is None else validation
        self.validated = validation is not None  # there is other data to evaluate
        columns = code.places.layout.columns
        self._history = space.zeros(8 * epochs * columns).view(np.float64).reshape(epochs, columns)
        self._readings = readings  # of the clock of a loop that is timed
        self._taken = 0  # records that have been handed out
        self._arrays = [*self._placed(data, held_out), *map(space.placed, outside)]
        addresses = [space.address(array) for array in self._arrays]
        self._table = space.placed(np.array(addresses, space.pointer))
        self._arena = space.zeros(code.places.arena_bytes)
        self._words = self._arena[: control_block.BARRIERS].view(np.int64)
        self._write_scalars(data, held_out)
        self.job = space.zeros(8 * training.JOB_WORDS).view(np.int64)
        self.job[training.COUNT] = self._rows(data)
        self.job[training.HELD_OUT] = self._rows(held_out) if self.validated else 0
        self.job[training.BYTES] = self._bytes(code.places.layout.step)
        self.job[training.HELD_OUT_BYTES] = self._bytes(code.places.layout.evaluate)

    @cached_property
    def addresses(self) -> tuple[int, int]:
        """The arena and the table."""
        return self.space.address(self._arena), self.space.address(self._table)

    @cached_property
    def job_address(self) -> int:
        """The job."""
        return self.space.address(self.job)

    @property
    def rows(self) -> int:
        """Of the data."""
        return int(self.job[training.COUNT])

    @property
    def pace(self) -> Array:
        """What is known of how many threads are quickest."""
        return self._arena[control_block.PACE : control_block.CALLS]

    def forget_threads(self) -> None:
        """In the copy of a process that was forked: whoever waited for a call there is not here."""
        self._arena[control_block.BARRIERS : control_block.PACE] = 0

    def plan_steps(
        self, first: int, epochs: int, seed: int, *, ends: bool = True, most: int | None = None
    ) -> None:
        """From a step, perhaps in the middle of an epoch, to the end of the last epoch.

        Does the run end there? The job does no more than `most` steps.
        """
        steps = self._steps_of_epoch
        end = (first // steps + epochs) * steps
        last = end if most is None else min(end, first + most)
        self.plan_piece(first, last, ends=ends and last == end)
        self.job[training.SEED] = seed

    @property
    def planned(self) -> tuple[int, int, bool]:
        """The first step, that which is not done any more, and whether the run ends there."""
        job = self.job
        return int(job[training.FIRST]), int(job[training.LAST]), bool(job[training.ENDS])

    def plan_piece(self, first: int, last: int, *, ends: bool) -> None:
        """Some of the steps that are planned."""
        self.job[training.FIRST], self.job[training.LAST] = first, last
        self.job[training.ENDS] = ends

    def rows_between(self, first: int, last: int) -> int:
        """That these steps visit, those of the validation data at the ends of epochs too."""
        steps, batch_size = self._steps_of_epoch, self._places.layout.batch_size
        epochs = last // steps - first // steps
        return (last - first) * batch_size + epochs * int(self.job[training.HELD_OUT])

    @property
    def rows_of_step(self) -> float:
        """The same of any one, on average."""
        steps = self._steps_of_epoch
        return self.rows_between(0, steps) / steps

    @property
    def _steps_of_epoch(self) -> int:
        return -(-self.rows // self._places.layout.batch_size)

    def plan_again(self, first: int, steps: int, seed: int) -> None:
        """So many steps from one on, as if none had been done."""
        self._words[control_block.STEPS // 8] = self._words[control_block.EPOCHS // 8] = 0
        self.job[training.SEEN] = 0
        self.job[training.FIRST], self.job[training.LAST] = first, first + steps
        self.job[training.SEED] = seed

    def ask_to_stop(self, stop: bool) -> None:
        if stop:
            self._words[control_block.STOP // 8] = 1

    @property
    def stopped(self) -> bool:
        """Is no further step begun, whoever has asked for that?"""
        return bool(self._words[[control_block.STOP // 8, control_block.FAILURE // 8]].any())

    def finished(self) -> Iterator[Epochs]:
        """The epochs that have been finished since the last call, if any."""
        done = int(self._words[control_block.EPOCHS // 8])
        if done == self._taken:
            return
        records = self._history[self._taken : done]
        self._taken = done
        reported = self._places.layout.reported
        seen, held_out = records[:, 0], records[:, 1 + reported]
        with np.errstate(invalid="ignore"):  # an evaluation alone has seen no rows
            values = records[:, 1 : 1 + reported] / seen[:, None]
        sums = records[:, 2 + reported :]
        validation = sums / held_out[:, None] if self.validated else None
        yield Epochs(seen.astype(np.int64), values, validation, ended=self.ended)

    @property
    def ended(self) -> bool:
        """Has what is done after an epoch ended the training?"""
        return bool(self._words[control_block.ENDED // 8])

    @property
    def numbers(self) -> int:
        """That are added up over the rows of an epoch."""
        return self._places.layout.step.added

    @property
    def sums(self) -> Array:
        """Rows of an epoch that has not ended, and what was added up over them."""
        sums = np.empty(1 + self.numbers)
        sums[0], sums[1:] = self.job[training.SEEN], self._totals
        return sums

    def go_on(self, sums: Array) -> None:
        """With an epoch of these sums."""
        self.job[training.SEEN], self._totals[:] = sums[0], sums[1:]

    @cached_property
    def _totals(self) -> Array:
        visit = self._places.layout.step
        return self._arena[visit.totals : visit.totals + 8 * visit.added].view(np.float64)

    def write_back(self) -> None:
        """The state's values into the arrays that were given, where copies stood in for them."""
        for array, copy in self._copies:
            array[...] = copy

    @cached_property
    def _copies(self) -> Sequence[tuple[Array, Array]]:
        places = self._places.table
        both = [(array, self._arrays[places[name]]) for name, array in self._state.items()
                if name in places]  # fmt: skip
        return [(array, placed) for array, placed in both if placed is not array]

    def check(self, steps_before: int = 0) -> None:
        """Raise if a kernel has failed; `steps_before` were done before those that are counted."""
        failure = int(self._words[control_block.FAILURE // 8])
        if failure:
            failed = int(self._words[control_block.FAILED_STEP // 8])
            raise self._code.failures.error(failure, failed + steps_before)

    def _placed(self, data: Arrays, held_out: Arrays) -> Sequence[Array]:
        """The arrays in the order of the table, contiguous and aligned."""
        named = {f"data/{key}": array for key, array in data.items()}
        named |= {f"validation/{key}": array for key, array in held_out.items()}
        named |= {**self._state, "history": self._history}
        if self._readings is not None:
            named["readings"] = self._readings
        places = sorted(self._places.table, key=self._places.table.__getitem__)
        own = ("history", "readings")
        return [named[name] if name in own else self.space.placed(named[name]) for name in places]

    def _rows(self, data: Arrays) -> int:
        return len(data[self._places.batches[0]])

    def _write_scalars(self, data: Arrays, held_out: Arrays) -> None:
        for key, offset in self._places.scalars.items():
            value = data[key]
            if not np.array_equal(value, held_out[key], equal_nan=value.dtype.kind == "f"):
                raise InputError(
                    f"the validation data has another value for the input {key!r}",
                    hint="give the same one: only inputs with rows may differ",
                )
            self._arena[offset : offset + value.nbytes] = np.frombuffer(value.tobytes(), np.uint8)

    def _bytes(self, visit: training.Visit) -> int:
        """Bit i: input i comes as uint8 and is converted."""
        return sum(
            1 << i
            for i, each in enumerate(visit.inputs)
            if each.converts and self._arrays[each.array].dtype == np.uint8
        )
