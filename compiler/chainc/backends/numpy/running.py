"""The generated NumPy behind the interfaces that every target has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import count
from typing import Protocol

import numpy as np

from chainc.backends.epochs import Arrays, Continued, EpochPlace, Epochs
from chainc.backends.numpy.code import NumpyCode
from chainc.backends.target import Run
from chainc.dataclass import dataclass
from chainc.ir.types import Array


class Bind(Protocol):
    """The generated `bind_run`: a function whose results are its buffers."""

    def __call__(self, state: Mapping[str, Array], *sizes: int) -> Run: ...


class Train(Protocol):
    """The generated loop: (epoch, rows seen, what is reported, is it complete?) after each."""

    def __call__(
        self,
        data: Arrays,
        state: Arrays,
        sums: Array,
        first: int,
        epochs: int,
        stop: Callable[[], bool],
    ) -> Iterator[tuple[int, int, Array, bool]]: ...


class Validate(Protocol):
    """The generated evaluation: what is reported of the rows."""

    def __call__(self, data: Arrays, state: Arrays) -> Array: ...


class EndEpoch(Protocol):
    """The generated end of an epoch: is the training over?"""

    def __call__(self, data: Arrays, state: Arrays, record: Array, last: bool) -> bool: ...


@dataclass(frozen=True)
class NumpyFunction:
    """The function of a generated module, and its code."""

    bind_run: Bind
    code: NumpyCode

    def bind(self, state: Mapping[str, Array], *sizes: int) -> Run:
        """See `ExecutableFunction`."""
        run = self.bind_run(state, *sizes)

        def copied(*inputs: Array) -> tuple[Array, ...]:
            with np.errstate(all="ignore"):  # the results are buffers of the next call
                return tuple(np.array(result) for result in run(*inputs))

        return copied

    def generated(self, *sizes: int) -> NumpyCode:
        """See `ExecutableFunction`; it is the same for all sizes."""
        return self.code


@dataclass(frozen=True)
class NumpyTraining:
    """The functions of a generated module; `stop` is asked before every step."""

    train: Train
    validate: Validate
    batch_input: str
    batch_size: int
    numbers: int
    end_epoch: EndEpoch | None = None
    byte_inputs: Collection[str] = ()

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
        """See `TrainingRunner`; every epoch comes by itself, the state with it."""
        place = EpochPlace.of(state, len(data[self.batch_input]), self.batch_size)
        sums = place.sums(state, self.numbers)
        ended = stop if steps is None else _after(steps, stop)
        loop = self.train(data, state, sums, place.first, epochs, ended)
        try:
            for number, (_, seen, means, complete) in enumerate(loop, start=1):
                if not complete and steps is not None and not stop():
                    return  # no more steps are asked for
                held_out = None if validation is None else self.validate(validation, state)
                over = False
                if self.end_epoch is not None and complete:
                    record = self._record(seen, means, validation, held_out)
                    over = self.end_epoch(data, state, record, number == epochs)
                sums[0] = 0  # they are recorded
                place.note(state, sums)
                evaluated = None if held_out is None else held_out[None]
                yield Epochs(np.array([seen]), means[None], evaluated, ended=over)
                if over:
                    return
        finally:
            place.note(state, sums)

    def _record(
        self, seen: int, means: Array, validation: Arrays | None, held_out: Array | None
    ) -> Array:
        """Rows and the sums over them, of both."""
        rows = 0 if validation is None else len(validation[self.batch_input])
        others = np.zeros_like(means) if held_out is None else held_out * rows
        return np.concatenate([[seen], means * seen, [rows], others])

    def evaluate(self, data: Arrays, state: Arrays) -> Array:
        """See `TrainingRunner`."""
        return self.validate(data, state)


def _after(steps: int, stop: Callable[[], bool]) -> Callable[[], bool]:
    """What is asked before every step: have so many been done, or is it time to stop?"""
    done = count()
    return lambda: next(done) >= steps or stop()


def execute(source: str, title: str, **given: object) -> dict[str, object]:
    """Define the functions of source that this compiler has just printed, over given globals."""
    namespace = dict(given)
    exec(compile(source, f"<chainrule {title}>", "exec"), namespace)
    return namespace
