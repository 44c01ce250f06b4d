"""The lowered form: kernels over buffers, in order, and the training loop around them.

Nothing here knows ops or graphs. A backend prints the kernels in its own language; the memory
planner decides which buffers share storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chainc.ir import Node, Origin
from chainc.ir.types import Dim, Shape, TensorType


@dataclass(frozen=True)
class Panels:
    """One axis in panels of `lanes` elements.

    A panel holds, for all other axes in row-major order, its lanes side by side. `gap` unused
    rows between panels keep them out of each other's cache sets.

    [K, N] along axis 1, lanes 16:  element (k, n) at (n // 16)·16·(K + gap) + 16·k + n mod 16
    """

    axis: int
    lanes: int
    gap: int = 0


@dataclass(frozen=True, eq=False)
class Buffer:
    """Storage for one tensor, told apart by identity; `name` is what to call it in source.

    `role`: "input" is given at each call, "state" outlives it, "constant" holds `data`,
    "work" belongs to the program. In native code "output" is an array of the caller's, "batch"
    is filled with rows of the data, and "scalar" holds a hyperparameter.
    """

    name: str
    type: TensorType
    role: str = "work"
    key: str = ""  # the name of the input or state slot
    data: bytes = b""  # of a constant, row-major
    cotangent: bool = False  # holds a derivative
    prominent: bool = False  # its name says more than the op: a layer, an output, a derivative
    panels: Panels | None = None  # None: row-major
    origin: Origin = field(default_factory=Origin)  # of an input or state: where it is declared


@dataclass(frozen=True)
class Movement:
    """One step from a tensor to a view of it; `kind` is a movement of the kernel vocabulary."""

    kind: str  # "reshape", "permute", "broadcast", "slice", "flip"
    shape: Shape  # of the result
    axes: tuple[int, ...] = ()  # permute, flip
    starts: tuple[int, ...] = ()  # slice
    stops: Shape = ()
    steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class View:
    """A buffer seen through movements; nothing is copied."""

    buffer: Buffer
    type: TensorType
    movements: tuple[Movement, ...] = ()

    @property
    def whole(self) -> bool:
        """The buffer itself: element i of the view is element i of the buffer."""
        return not self.movements

    @property
    def contiguous(self) -> bool:
        """In row-major order without gaps, so that any reshape is again a view."""
        return all(movement.kind == "reshape" for movement in self.movements)

    def moved(self, movement: Movement) -> View:
        return View(self.buffer, self.type.with_shape(movement.shape), (*self.movements, movement))


@dataclass(frozen=True)
class Literal:
    """A scalar known when compiling."""

    value: float | int | bool
    type: TensorType


@dataclass(frozen=True)
class SizeValue:
    """The value of a named size, known when the program is bound."""

    dim: Dim
    type: TensorType


Operand = View | Literal | SizeValue


@dataclass(frozen=True)
class Reference:
    """Argument `index` of a map, or the result of its instruction `index`."""

    kind: str  # "argument" or "instruction"
    index: int
    type: TensorType


Value = Reference | Literal


@dataclass(frozen=True)
class Instruction:
    """One scalar primitive; the type says over which positions it differs.

    `node` is the part of a fused body whose meaning it belongs to, None outside of one.
    """

    primitive: str
    operands: tuple[Value, ...]
    type: TensorType
    origin: Origin = field(default_factory=Origin)
    node: Node | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Kernel:
    """Writes `out` from its operands.

    `origin` says where that comes from, `node` for which node of the lowered graph it is done:
    None where storage alone asks for it. Neither decides what code is printed.
    """

    out: Buffer
    operands: tuple[Operand, ...]
    origin: Origin = field(default_factory=Origin, kw_only=True)
    node: Node | None = field(default=None, kw_only=True, compare=False, repr=False)

    @property
    def reads(self) -> tuple[View, ...]:
        return tuple(operand for operand in self.operands if isinstance(operand, View))

    @property
    def outs(self) -> tuple[Buffer, ...]:
        """Every buffer that is written."""
        return (self.out,)


@dataclass(frozen=True)
class Map(Kernel):
    """An expression of scalar primitives per element; operands broadcast to `out`.

    The last instruction's value is written.
    """

    instructions: tuple[Instruction, ...]


@dataclass(frozen=True)
class Contraction(Kernel):
    """A two-operand einsum over operands 0 and 1, with an optional epilogue.

    The epilogue's argument 0 is the sum of products, the others are operands 2, 3, ….
    """

    letters: tuple[str, str, str]
    epilogue: tuple[Instruction, ...] = ()
    product: Buffer | None = None  # for the sum of products, if the epilogue is done apart


@dataclass(frozen=True)
class Reduction(Kernel):
    """Folds operand 0 along `axes` with a scalar primitive."""

    primitive: str
    axes: tuple[int, ...]
    keepdims: bool


@dataclass(frozen=True)
class IndexOf(Kernel):
    """The first position of operand 0's maximum or minimum along `axis`."""

    primitive: str
    axis: int


@dataclass(frozen=True)
class Copy(Kernel):
    """Operand 0 written to `out` from `starts` on, every `steps`-th element apart."""

    starts: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class Fill(Kernel):
    """One value everywhere."""

    value: float = 0.0


@dataclass(frozen=True)
class Gather(Kernel):
    """Slices of operand 0 along `axis` at the indices in operand 1."""

    axis: int
    checked: bool = True  # the kernel itself must refuse an index out of range


@dataclass(frozen=True)
class ScatterAdd(Kernel):
    """Adds operand 2 to `out`, which holds operand 0, at the indices in operand 1."""

    axis: int
    checked: bool = True


@dataclass(frozen=True)
class OneHot(Kernel):
    """1 where the last axis' position, listed in operand 1, is the index in operand 0; else 0."""

    checked: bool = True


@dataclass(frozen=True)
class Iota(Kernel):
    """0, 1, … along the only axis."""


@dataclass(frozen=True)
class RandomWords(Kernel):
    """Philox bits; operands are seed and step."""

    stream: int


@dataclass(frozen=True)
class Permutation(Kernel):
    """A pseudo-random order; operands are seed and step."""

    stream: int


@dataclass(frozen=True)
class Group(Kernel):
    """A kernel and the maps that go on with its elements, done together element by element.

    Results are handed on in registers: the members' own buffers have no storage. `kept` says
    which of them are written where, after all operands at that element have been read.
    `operands` are those that come from outside.
    """

    members: tuple[Kernel, ...]
    kept: tuple[tuple[Buffer, Buffer], ...]

    @property
    def outs(self) -> tuple[Buffer, ...]:
        return tuple(target for _, target in self.kept)


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
    one after another, where it holds several.
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

    @property
    def size_names(self) -> tuple[str, ...]:
        """Every named size, in order of appearance in the inputs."""
        names: dict[str, None] = {}
        for buffer in self.inputs:
            for dim in buffer.type.shape:
                names.update(dict.fromkeys(() if isinstance(dim, int) else dim.names))
        return tuple(names)


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
    watch: bool = False  # stop at the first number that is not finite, and say where it arose
