"""The elementary functions: no library is called.

Every function exists for any number of lanes up to 16 that is a power of two, with the same
operations and so the same bits. Edge cases (NaN, infinities, -0, subnormals, overflow) are
those of C, which NumPy shares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from chainc.backends.math import (
    division,
    error_function,
    exponential,
    floating,
    logarithm,
    power,
    trigonometric,
)
from chainc.backends.math.lanes import LaneFunction, Value, Write
from chainc.ir.types import DType, float32, float64, int32, int64, uint8

Request = tuple[str, DType, int]  # a primitive of chainc.ir.scalar, an element type, lanes
Unary = Callable[[LaneFunction, Value], Value]
Binary = Callable[[LaneFunction, Value, Value], Value]

ELEMENTS: Mapping[DType, str] = {
    float32: "float",
    float64: "double",
    int32: "i32",
    int64: "i64",
    uint8: "i8",
}

UNARY: Mapping[str, Unary] = {
    "exp": exponential.exp,
    "expm1": exponential.expm1,
    "tanh": exponential.tanh,
    "log": logarithm.log,
    "log1p": logarithm.log1p,
    "erf": error_function.erf,
    "sin": trigonometric.sin,
    "cos": trigonometric.cos,
    "floor": floating.floor,
}
BINARY: Mapping[str, Binary] = {
    "power": power.power,
    "floor_divide": division.floor_divide,
    "remainder": division.remainder,
}

# the largest error for all arguments, in units of the last place of the exact result
ULP_BOUNDS: Mapping[tuple[str, DType], float] = {
    (name, dtype): bound
    for name, bounds in {
        "exp": (1.0, 1.0),
        "expm1": (2.0, 2.0),
        "log": (1.0, 1.0),
        "log1p": (2.0, 2.0),
        "tanh": (3.0, 3.0),
        "erf": (4.0, 2.0),
        "sin": (2.0, 2.0),
        "cos": (2.0, 2.0),
        "power": (1.0, 2.0),
        "floor": (0.0, 0.0),
    }.items()
    for dtype, bound in zip((float32, float64), bounds, strict=True)
}


def function_name(primitive: str, dtype: DType, lanes: int) -> str:
    """What the function is called in LLVM, without the @: `exp.v16f32`, `exp.f64` of one lane."""
    return f"{primitive}.{dtype.short}" if lanes == 1 else f"{primitive}.v{lanes}{dtype.short}"


def parts(requests: Iterable[Request], write: Write) -> tuple[list[str], set[str]]:
    """The functions' texts, each once and in a fixed order, and the declarations they need."""
    ordered = sorted(set(requests), key=lambda r: (r[0], r[1].name, r[2]))
    built = [_built(write, *request) for request in ordered]
    declares = set().union(*(function.declares for function, _ in built))
    return [text for _, text in built], declares


def _built(write: Write, primitive: str, dtype: DType, lanes: int) -> tuple[LaneFunction, str]:
    f = write(lanes)
    x, y = (f.parameter(ELEMENTS[dtype], name) for name in "xy")
    name = function_name(primitive, dtype, lanes)
    if primitive in UNARY:
        return f, f.text(name, [x], [UNARY[primitive](f, x)])
    return f, f.text(name, [x, y], [BINARY[primitive](f, x, y)])
