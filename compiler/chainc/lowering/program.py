"""The lowered form: kernels over buffers, in order, and the training loop around them.

Nothing here knows ops or graphs. A backend prints the kernels in its own language; the memory
planner decides which buffers share storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chainc.ir import Origin
from chainc.ir.types import Dim, names_of
from chainc.lowering.kernels import Kernel
from chainc.lowering.views import Buffer, Operand, SizeValue, View


@dataclass(frozen=True)
class IndexBound:
    """An input whose values are used as indices must lie in 0 … bound-1."""

    key: str
    bound: Dim
    origin: Origin


@dataclass(frozen=True, eq=False)
class Program:
    """Kernels in order.

    `prologue` depends on sizes and constants only and runs once when the program is bound;
    `body` runs at each call. `updates` are copies of new values into state slots that the
    planner could not write in place; they run last. `in_place` says which values a buffer holds
    one after another, where it holds several. A `seldom` program should rather compile quickly
    than run fast.
    """

    inputs: tuple[Buffer, ...]
    states: tuple[Buffer, ...]
    prologue: tuple[Kernel, ...]
    body: tuple[Kernel, ...]
    updates: tuple[tuple[Buffer, View], ...]
    outputs: tuple[Operand, ...]
    names: tuple[str, ...]
    index_bounds: tuple[IndexBound, ...] = ()
    in_place: Mapping[Buffer, tuple[Buffer, ...]] = field(default_factory=dict)
    seldom: bool = False

    @property
    def size_names(self) -> tuple[str, ...]:
        """Every named size: in order of appearance in the inputs, then those that none has."""
        dims = [dim for buffer in self.inputs for dim in buffer.type.shape]
        kernels = (*self.prologue, *self.body)
        values = [*(each for kernel in kernels for each in kernel.operands), *self.outputs]
        for type in (*(kernel.out.type for kernel in kernels), *(each.type for each in values)):
            dims.extend(type.shape)
        dims.extend(each.dim for each in values if isinstance(each, SizeValue))
        return tuple(dict.fromkeys(name for dim in dims for name in names_of(dim)))


@dataclass(frozen=True)
class TrainingLoop:
    """Epochs over minibatches around a step: a structure, not Python.

    Each epoch visits the rows of the batch inputs in a new order; the last batch may be smaller,
    and is done by the same step. `evaluate` gives the same outputs on other data, without
    updates.
    """

    step: Program
    evaluate: Program
    batch_inputs: tuple[str, ...]  # inputs whose first axis is the batch
    batch_size: int
    shuffle: bool
    order_stream: int
    least_rows: int = 1  # that a step needs, the last one of an epoch too
    watch: bool = False  # stop at the first number that is not finite, and say where it arose
    means: tuple[bool, ...] = ()  # which outputs of `evaluate` are means over rows
