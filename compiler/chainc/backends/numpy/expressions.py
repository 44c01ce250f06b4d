"""Operands as NumPy expressions: literals, sizes, and views of buffers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import singledispatch

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir.movements import (
    Broadcast,
    Diagonal,
    Flip,
    Movement,
    Permute,
    Reshape,
    Slice,
    Window,
)
from chainc.ir.types import Dim, Shape, Size, TensorType, static
from chainc.lowering.views import Buffer, Literal, Operand, SizeValue, View


@dataclass(frozen=True)
class SourceNames:
    """The source names of buffers and of named sizes."""

    names: dict[Buffer, str]
    sizes: dict[str, str]

    def operand(self, operand: Operand) -> str:
        if isinstance(operand, Literal):
            return literal(operand.value, operand.type)
        if isinstance(operand, SizeValue):
            return self.dim(operand.dim)
        return self.view(operand)

    def operands(self, operands: Sequence[Operand]) -> list[str]:
        return [self.operand(operand) for operand in operands]

    def view(self, view: View) -> str:
        text = self.names[view.buffer]
        before: Shape = view.buffer.type.shape
        for movement in view.movements:
            text, before = _moved(movement, self, text, before), movement.shape
        return text

    def reshaped(self, before: Shape, after: Shape) -> str:
        inserted = _new_axes(before, after)
        return inserted if inserted is not None else f".reshape({self.shape(after)})"

    def shape(self, shape: Shape) -> str:
        parts = [self.dim(dim) for dim in shape]
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"

    def dim(self, dim: Dim) -> str:
        if isinstance(dim, int):
            return str(dim)
        return _product(dim, self.sizes)


@singledispatch
def _moved(movement: Movement, scope: SourceNames, text: str, before: Shape) -> str:
    """The expression of a view of the array that `text` stands for, whose shape is `before`."""
    raise NotImplementedError(f"no expression for {type(movement).__name__}")


@_moved.register
def _reshape(movement: Reshape, scope: SourceNames, text: str, before: Shape) -> str:
    return text + scope.reshaped(before, movement.shape)


@_moved.register
def _permute(movement: Permute, _scope: SourceNames, text: str, _before: Shape) -> str:
    return text + permuted(movement.axes)


@_moved.register
def _broadcast(movement: Broadcast, scope: SourceNames, text: str, _before: Shape) -> str:
    return f"np.broadcast_to({text}, {scope.shape(movement.shape)})"


@_moved.register
def _slice(movement: Slice, scope: SourceNames, text: str, before: Shape) -> str:
    bounds = zip(movement.starts, movement.stops, movement.steps, before, strict=True)
    parts = [_range(scope.dim, start, stop, step, dim) for start, stop, step, dim in bounds]
    return f"{text}[{', '.join(parts)}]"


@_moved.register
def _flip(movement: Flip, _scope: SourceNames, text: str, before: Shape) -> str:
    flips = ["::-1" if axis in movement.axes else ":" for axis in range(len(before))]
    return f"{text}[{', '.join(flips)}]"


@_moved.register
def _window(movement: Window, _scope: SourceNames, text: str, before: Shape) -> str:
    """Each window of the whole span, then every so many of them and of their elements."""
    taps = movement.shape[len(before) :]
    sliding = zip(movement.axes, taps, movement.steps, strict=True)
    known = [(axis, (static((tap,))[0] - 1) * apart[1] + 1, apart) for axis, tap, apart in sliding]
    spans, axes = tuple(span for _, span, _ in known), tuple(axis for axis, _, _ in known)
    text = f"np.lib.stride_tricks.sliding_window_view({text}, {spans}, {axes})"
    between = {axis: apart[0] for axis, _, apart in known}
    parts = [_every(between.get(axis, 1)) for axis in range(len(before))]
    parts += [_every(apart[1]) for _, _, apart in known]
    return text if set(parts) == {":"} else f"{text}[{', '.join(parts)}]"


def _every(step: int) -> str:
    return ":" if step == 1 else f"::{step}"


@_moved.register
def _diagonal(movement: Diagonal, _scope: SourceNames, text: str, before: Shape) -> str:
    text = f"np.diagonal({text}, 0, {movement.axis}, {movement.other})"
    last = len(before) - 2
    order = [*range(movement.axis), last, *range(movement.axis, last)]
    return text + permuted(order)


def _product(size: Size, sizes: dict[str, str]) -> str:
    factors = [] if size.coefficient == 1 else [str(size.coefficient)]
    return " * ".join([*factors, *(sizes[name] for name in size.names)])


def _range(dim_text: Callable[[Dim], str], start: int, stop: Dim, step: int, dim: Dim) -> str:
    head = str(start) if start else ""
    tail = "" if stop == dim else dim_text(stop)
    return f"{head}:{tail}" + (f":{step}" if step != 1 else "")


def _new_axes(before: Shape, after: Shape) -> str | None:
    """`[:, None]` when the reshape only inserts axes of size 1, else None."""
    parts: list[str] = []
    remaining = list(before)
    for dim in after:
        if remaining and remaining[0] == dim:
            remaining.pop(0)
            parts.append(":")
        elif dim == 1:
            parts.append("None")
        else:
            return None
    return None if remaining or "None" not in parts else f"[{', '.join(parts)}]"


def permuted(axes: Sequence[int]) -> str:
    """What to append for a transpose; nothing where the order stays."""
    if list(axes) == list(range(len(axes))):
        return ""
    if tuple(axes) == (1, 0):
        return ".T"
    return f".transpose({', '.join(map(str, axes))})"


def literal(value: float | int | bool, type: TensorType) -> str:
    """The shortest text that gives the value back in its element type."""
    if isinstance(value, bool) or not type.dtype.is_float:
        return repr(value)
    if math.isnan(value):
        return "np.nan"
    if math.isinf(value):
        return "np.inf" if value > 0 else "-np.inf"
    number = np.dtype(type.dtype.numpy).type(value)
    return str(number)


def quoted(text: str) -> str:
    """A string literal in double quotes, whatever the text holds."""
    return json.dumps(text)
