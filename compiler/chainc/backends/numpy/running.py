"""The generated NumPy loop behind the interface that every target has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from chainc.backends.epochs import Arrays, Epochs
from chainc.ir.types import Array


class Train(Protocol):
    """The generated loop: (epoch, rows seen, mean of each output) after every epoch."""

    def __call__(
        self, data: Arrays, state: Arrays, epochs: int, stop: Callable[[], bool]
    ) -> Iterator[tuple[int, int, Array]]: ...


class Validate(Protocol):
    """The generated evaluation: the mean of each output over the rows."""

    def __call__(self, data: Arrays, state: Arrays) -> Array: ...


@dataclass(frozen=True)
class NumpyTraining:
    """The functions of a generated module; `stop` is asked before every step."""

    train: Train
    validate: Validate
    byte_inputs: Collection[str] = ()

    def run(
        self,
        data: Arrays,
        validation: Arrays | None,
        state: Arrays,
        epochs: int,
        stop: Callable[[], bool],
    ) -> Iterator[Epochs]:
        """See `TrainingRunner`; every epoch comes by itself."""
        for _, seen, means in self.train(data, state, epochs, stop):
            held_out = None if validation is None else self.validate(validation, state)[None]
            yield Epochs(np.array([seen]), means[None], held_out)

    def evaluate(self, data: Arrays, state: Arrays) -> Array:
        """See `TrainingRunner`."""
        return self.validate(data, state)
