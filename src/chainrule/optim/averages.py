"""Averages of the parameters over the steps, which often predict better than the last ones.

    step = optim.SGD(0.1, average=optim.averages.ema(0.999)).minimize(loss)
    program = cr.compile(cr.training(step, epochs=20, batch_size=32,
                                     metrics={"averaged": step.averaged(loss)}))
    result = program.run(data, validation=held_out)
    program.evaluate(held_out, optim.averages.of(result))

An average is a state beside its parameter. Training goes on with the parameters themselves; the
averages are read where one asks for them: `step.averaged(node)` is a node with the averages in
place of the parameters, in the form for inference, and `of` a state with the averages under the
parameters' names, for whatever takes a state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import StateError
from chainc.ir.leaves import Slot, constant
from chainc.ir.types import DType, TensorType
from chainc.ops import astype, equal, where
from chainrule.declare.arguments import count, number
from chainrule.optim.slots import slot

if TYPE_CHECKING:
    from chainrule.compiled.state import HasState, State

__all__ = ["ema", "of", "swa"]


def __dir__() -> list[str]:
    return list(__all__)


PREFIX = "average"


class Average(ABC):
    """a ← a + share · (w - a) after each update; what the share is makes the kind of average."""

    @abstractmethod
    def share(self, updates: Node, dtype: DType) -> Node:
        """The share of the new value after so many updates, an int64 scalar from 1 on."""

    def update(self, parameter: Node, moved: Node, updates: Node) -> tuple[Node, Node]:
        """The average of a parameter and its new value, where the parameter moves to `moved`."""
        average = slot(PREFIX, parameter, FirstOf(parameter))
        share = self.share(updates, parameter.type.dtype)
        return average, average + share * (moved - average)


@dataclass(frozen=True, eq=False)
class FirstOf:
    """The first value of a parameter as that of its average."""

    parameter: Node

    def __call__(self, type: TensorType, seed: Node, stream: str) -> Node:
        op = self.parameter.op
        assert isinstance(op, Slot)
        assert op.initial is not None
        return op.initial(type, seed, f"initial/{op.key}")


@dataclass(frozen=True)
class Exponential(Average):
    """The newest value weighs 1 - decay, each earlier one `decay` times its successor."""

    decay: float

    def share(self, updates: Node, dtype: DType) -> Node:
        return where(equal(updates, 1), constant(1.0, dtype), constant(1.0 - self.decay, dtype))


@dataclass(frozen=True)
class Equal(Average):
    """The mean of the values after `start` updates and after each `every` further ones."""

    start: int
    every: int

    def share(self, updates: Node, dtype: DType) -> Node:
        since = updates - self.start
        taken = astype(since // self.every + 1, dtype)
        due = equal(since % self.every, 0)
        return where(since <= 0, constant(1.0, dtype), where(due, 1.0 / taken, 0.0))


def ema(decay: float = 0.999) -> Average:
    """An exponential moving average: a ← decay · a + (1 - decay) · w after each update.

    The first update sets it to the parameter, as in PyTorch.

    Raises:
        InputError: the decay is not between 0 and 1.
    """
    hint = "give a number a little below 1, such as optim.averages.ema(0.999)"
    number("averages.ema", "decay", decay, above=0, below=1, hint=hint)
    return Exponential(decay)


def swa(start: int, every: int = 1) -> Average:
    """Stochastic weight averaging (Izmailov et al., 2018): an equal mean over a training's end.

    Batch normalisation has running statistics of the parameters, not of their averages.

    Args:
        start: updates before the first value that is taken.
        every: updates between two values, such as those of an epoch.

    Raises:
        InputError: they are no whole numbers in range.
    """
    count("averages.swa", "start", start, at_least=0, hint="give a number of steps: swa(1000)")
    count("averages.swa", "every", every, hint="give a number of steps, such as every=100")
    return Equal(start, every)


def of(state: State | HasState) -> State:
    """A state in which each parameter has the value of its average.

    Args:
        state: what a run has left, or its result.

    Raises:
        StateError: it is no state, or there is no average in it.
    """
    from chainrule.compiled.state import State, state_of  # who only declares does not load it

    values = state_of(state)
    beginning = f"{PREFIX}/"
    found = {
        name.removeprefix(beginning): value
        for name, value in values.items()
        if name.startswith(beginning)
    }
    if not found:
        raise StateError(
            "averages.of: there is no average in this state",
            hint="train with one: optim.SGD(0.1, average=optim.averages.ema(0.999))",
        )
    return State({**values, **found})
