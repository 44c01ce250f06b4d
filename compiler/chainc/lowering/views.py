"""Buffers, and views of them: what the kernels of a program read and write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace

from chainc.dataclass import dataclass
from chainc.ir import Origin
from chainc.ir.movements import Movement, Window
from chainc.ir.types import Dim, Shape, TensorType


@dataclass(frozen=True)
class Panels:
    """One axis in panels of `lanes` elements.

    A panel holds, for all other axes in row-major order, its lanes side by side. `gap` unused
    rows between panels keep them out of each other's cache sets. `order` has the other axes as
    they lie, outermost first, where that is not their own order.

    [K, N] along axis 1, lanes 16:  element (k, n) at (n // 16)·16·(K + gap) + 16·k + n mod 16
    """

    axis: int
    lanes: int
    gap: int = 0
    order: tuple[int, ...] = ()


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
class View:
    """A buffer seen through movements; nothing is copied.

    `inside` has for each axis of the buffer where elements start and stop that may be anything:
    what lies around them is a padding of zeros. None where that is not known.
    """

    buffer: Buffer
    type: TensorType
    movements: tuple[Movement, ...] = ()
    inside: tuple[tuple[int, int] | None, ...] | None = None

    @property
    def whole(self) -> bool:
        """The buffer itself: element i of the view is element i of the buffer."""
        return not self.movements

    @property
    def contiguous(self) -> bool:
        """In row-major order without gaps, so that any reshape is again a view."""
        return all(movement.keeps_order for movement in self.movements)

    @property
    def taps(self) -> int:
        """How many axes of taps of windows it ends in."""
        last = self.movements[-1] if self.movements else None
        return len(last.axes) if isinstance(last, Window) else 0

    @property
    def keeps_rows_apart(self) -> bool:
        """Is row i of the view row i of the buffer?"""
        pairs = zip(self.movements, self._befores, strict=True)
        return all(movement.keeps_rows_apart(before) for movement, before in pairs)

    def shows(self, movement: Movement) -> bool:
        """Is it still a view after the movement? Axes of size 1 come and go without a copy."""
        alike = _without_units(self.type.shape) == _without_units(movement.shape)
        return not movement.keeps_order or self.contiguous or alike

    def moved(self, movement: Movement) -> View:
        type = self.type.with_shape(movement.shape)
        return replace(self, type=type, movements=(*self.movements, movement))

    def zero_around(self, shape: Shape, low: Sequence[int], steps: Sequence[int]) -> View:
        """The same view, known to be zero but for a part from `low` on, `steps` apart."""
        rows = zip(shape, self.type.shape, low, steps, strict=True)
        return replace(self, inside=tuple(_inside(*row) for row in rows))

    def carried(self, axis: int) -> int | None:
        """Where a whole axis of the buffer stands in the view, if it does."""
        found: int | None = axis
        for movement, before in zip(self.movements, self._befores, strict=True):
            found = None if found is None else movement.carried(found, before)
        if found is None or self.type.shape[found] != self.buffer.type.shape[axis]:
            return None
        return found

    def source(self, axis: int) -> int | None:
        """The whole axis of the buffer that an axis of the view is, if it is one."""
        found: int | None = axis
        for movement, before in reversed(list(zip(self.movements, self._befores, strict=True))):
            found = None if found is None else movement.source(found, before)
            if found is not None and found < 0:
                return None  # an axis that a broadcast has added
        if found is None or self.type.shape[axis] != self.buffer.type.shape[found]:
            return None
        return found

    @property
    def _befores(self) -> Sequence[Shape]:
        """What each movement is given."""
        return (self.buffer.type.shape, *(each.shape for each in self.movements))[:-1]


def _inside(dim: Dim, padded: Dim, low: int, step: int) -> tuple[int, int] | None:
    """Where the elements of a padded axis start and stop."""
    if dim == padded or not isinstance(dim, int) or dim == 0:
        return None
    return low, low + (dim - 1) * step + 1


def _without_units(shape: Shape) -> Shape:
    return tuple(dim for dim in shape if dim != 1)


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
