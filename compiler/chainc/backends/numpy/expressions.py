"""Operands as NumPy expressions: literals, sizes, and views of buffers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from chainc.ir.types import Dim, Shape, Size, TensorType
from chainc.lowering.program import Buffer, Literal, Movement, Operand, SizeValue, View


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

    def view(self, view: View) -> str:
        text = self.names[view.buffer]
        before: Shape = view.buffer.type.shape
        for movement in view.movements:
            text = text + self._movement(movement, before, text)
            if movement.kind == "broadcast":
                text = f"np.broadcast_to({text}, {self.shape(movement.shape)})"
            before = movement.shape
        return text

    def _movement(self, movement: Movement, before: Shape, text: str) -> str:
        """What to append to the expression of an array to get the view."""
        if movement.kind == "permute":
            return permuted(movement.axes)
        if movement.kind == "reshape":
            return self.reshaped(before, movement.shape)
        if movement.kind == "slice":
            return self._sliced(movement, before)
        if movement.kind == "flip":
            flips = ["::-1" if axis in movement.axes else ":" for axis in range(len(before))]
            return f"[{', '.join(flips)}]"
        return ""

    def reshaped(self, before: Shape, after: Shape) -> str:
        inserted = _new_axes(before, after)
        return inserted if inserted is not None else f".reshape({self.shape(after)})"

    def _sliced(self, movement: Movement, before: Shape) -> str:
        parts = [
            _range(self.dim, start, stop, step, dim)
            for start, stop, step, dim in zip(
                movement.starts, movement.stops, movement.steps, before, strict=True
            )
        ]
        return f"[{', '.join(parts)}]"

    def shape(self, shape: Shape) -> str:
        parts = [self.dim(dim) for dim in shape]
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"

    def dim(self, dim: Dim) -> str:
        if isinstance(dim, int):
            return str(dim)
        return _product(dim, self.sizes)


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
