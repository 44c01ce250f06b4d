"""How the loop language's types and numbers are spelled in LLVM text."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from chainc.ir.types import DType
from chainc.loops.values import Kind

_ELEMENTS = {
    "float32": "float",
    "float64": "double",
    "int32": "i32",
    "int64": "i64",
    "uint8": "i8",
    "bool": "i1",
}


def element(dtype: DType) -> str:
    """An element in a register: a boolean is one bit there, and a byte in memory."""
    return _ELEMENTS[dtype.name]


def spelled(kind: Kind) -> str:
    """`float`, `<16 x float>`."""
    return vector(element(kind.dtype), kind.lanes)


def in_memory(kind: Kind) -> str:
    return vector("i8", kind.lanes) if kind.dtype.is_bool else spelled(kind)


def vector(of: str, lanes: int) -> str:
    return of if lanes == 1 else f"<{lanes} x {of}>"


def suffix(kind: Kind) -> str:
    """`.f32`, `.v16f32`: as overloaded intrinsics are called."""
    letter = "f" if kind.dtype.is_float else "i"
    bits = 1 if kind.dtype.is_bool else 8 * kind.dtype.itemsize
    return f"{letter}{bits}" if kind.lanes == 1 else f"v{kind.lanes}{letter}{bits}"


def number(value: float | int | bool, dtype: DType) -> str:
    """A scalar constant; floating-point numbers by their bits, so that none is lost."""
    if dtype.is_float:
        given = float(value)
        if dtype.itemsize == 4:
            given = _float32(given)
        return f"0x{struct.unpack('<Q', struct.pack('<d', given))[0]:016X}"
    if dtype.is_bool:
        return "true" if value else "false"
    return str(int(value))


def _float32(value: float) -> float:
    """The nearest float32, infinite where it is too large."""
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return float(struct.unpack("<f", packed)[0])


def constant(value: float | int | bool, kind: Kind) -> str:
    """A constant operand, the same in every lane."""
    one = number(value, kind.dtype)
    return one if kind.lanes == 1 else f"splat ({element(kind.dtype)} {one})"


def constants(values: Sequence[float | int | bool], kind: Kind) -> str:
    """A constant operand with a number for each lane."""
    numbers = [number(value, kind.dtype) for value in values]
    if kind.lanes == 1:
        return numbers[0]
    return f"<{', '.join(f'{element(kind.dtype)} {each}' for each in numbers)}>"


def array(content: bytes) -> str:
    """Bytes with their type, as a global has them."""
    spelled = "\\" + content.hex("\\") if content else ""
    return f'[{len(content)} x i8] c"{spelled}"'
