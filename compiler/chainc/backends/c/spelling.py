"""How the loop language's types, numbers and names are spelled in C."""

from __future__ import annotations

import math
import re
import struct

from chainc.dataclass import dataclass
from chainc.ir.types import DType
from chainc.loops.values import Kind

_ELEMENTS = {
    "float32": "float",
    "float64": "double",
    "int32": "int32_t",
    "int64": "int64_t",
    "uint8": "uint8_t",
    "bool": "uint8_t",  # in memory
}
_SHORT = {
    "float": "f32",
    "double": "f64",
    "int8_t": "i8",
    "int16_t": "i16",
    "int32_t": "i32",
    "int64_t": "i64",
    "uint8_t": "u8",
    "uint16_t": "u16",
    "uint32_t": "u32",
    "uint64_t": "u64",
}
SIZES = {name: 1 << (int(short[1:]) // 16).bit_length() for name, short in _SHORT.items()}
_SIGNED = {1: "int8_t", 2: "int16_t", 4: "int32_t", 8: "int64_t"}

# what no variable may be called
_WORDS = frozenset(
    [
        "auto",
        "bool",
        "break",
        "case",
        "char",
        "complex",
        "const",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "false",
        "float",
        "for",
        "goto",
        "if",
        "imaginary",
        "inline",
        "int",
        "int8_t",
        "int16_t",
        "int32_t",
        "int64_t",
        "long",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "true",
        "typedef",
        "uint8_t",
        "uint16_t",
        "uint32_t",
        "uint64_t",
        "union",
        "unsigned",
        "void",
        "volatile",
        "while",
        "INFINITY",
        "NAN",
        "NULL",
    ]
)
# what else no function may be called: names of the standard library
_LIBRARY = frozenset(
    [
        "abort",
        "abs",
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "atexit",
        "atof",
        "atoi",
        "atol",
        "bsearch",
        "calloc",
        "cbrt",
        "ceil",
        "clock",
        "copysign",
        "cos",
        "cosh",
        "div",
        "erf",
        "erfc",
        "exit",
        "exp",
        "exp2",
        "expm1",
        "fabs",
        "fdim",
        "floor",
        "fma",
        "fmax",
        "fmin",
        "fmod",
        "free",
        "frexp",
        "getenv",
        "hypot",
        "ilogb",
        "labs",
        "ldexp",
        "ldiv",
        "lgamma",
        "llabs",
        "llrint",
        "llround",
        "log",
        "log10",
        "log1p",
        "log2",
        "logb",
        "lrint",
        "lround",
        "malloc",
        "memcmp",
        "memcpy",
        "memmove",
        "memset",
        "modf",
        "nan",
        "nearbyint",
        "nextafter",
        "pow",
        "printf",
        "putchar",
        "puts",
        "qsort",
        "raise",
        "rand",
        "realloc",
        "remainder",
        "remquo",
        "rint",
        "round",
        "scalbn",
        "scanf",
        "signal",
        "sin",
        "sinh",
        "sqrt",
        "srand",
        "strcat",
        "strchr",
        "strcmp",
        "strcpy",
        "strlen",
        "system",
        "tan",
        "tanh",
        "tgamma",
        "time",
        "trunc",
        "isalnum",
        "isalpha",
        "isdigit",
        "isfinite",
        "isinf",
        "isnan",
        "islower",
        "isnormal",
        "isspace",
        "isupper",
        "signbit",
        "tolower",
        "toupper",
        "main",
        "clock_ticks",
        "give_core",
        "part",
        "round_up",
        "note_failure",
    ]
)


# how the names of types and of small functions of a file end
_OURS = re.compile(r"(^|_)[fiu](8|16|32|64)x\d+$|_[fiu](8|16|32|64)$|_x\d+$|^permutation_keys$")


@dataclass(frozen=True)
class Type:
    """A C type: `element` is that of a lane, and a mask's lanes are 0 or -1.

    A mask of one lane is a bool.
    """

    element: str
    lanes: int = 1
    mask: bool = False

    @property
    def short(self) -> str:
        """`f32`, `f32x8`, `b`."""
        if self.lanes == 1:
            return "b" if self.mask else _SHORT[self.element]
        return f"{_SHORT[self.element]}x{self.lanes}"

    def __str__(self) -> str:
        if self.lanes > 1:
            return self.short
        return "bool" if self.mask else self.element

    @property
    def size(self) -> int:
        """Bytes of a lane."""
        return SIZES[self.element]

    @property
    def is_float(self) -> bool:
        return self.element in ("float", "double")

    @property
    def unsigned(self) -> Type:
        return Type(f"u{self.element.removeprefix('u')}", self.lanes)

    def with_mask(self) -> Type:
        """What a comparison of two of this type gives."""
        return Type(_SIGNED[self.size], self.lanes, mask=True)

    def of(self, lanes: int) -> Type:
        return Type(self.element, lanes, self.mask)


def type_of(kind: Kind) -> Type:
    """In a register. Lanes are rounded up to a power of two; a mask's are of 32 bits at first."""
    lanes = 1 << (kind.lanes - 1).bit_length()
    if kind.dtype.is_bool:
        return Type("int32_t", lanes, mask=True)
    return Type(_ELEMENTS[kind.dtype.name], lanes)


def element(dtype: DType) -> str:
    """In memory."""
    return _ELEMENTS[dtype.name]


def literal(value: float | int | bool, type: Type) -> str:
    """A number of one lane."""
    if type.mask:
        return ("-1" if value else "0") if type.lanes > 1 else ("true" if value else "false")
    if type.is_float:
        return _floating(float(value), type.element == "float")
    bits = 8 * type.size
    if type.element.startswith("u"):
        return str(int(value) % (1 << bits))
    wrapped = (int(value) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
    return f"INT{bits}_MIN" if wrapped == -(1 << bits - 1) else str(wrapped)


def _floating(value: float, single: bool) -> str:
    if math.isnan(value):
        return "NAN"
    rounded = _float32(value) if single else value
    if math.isinf(rounded):
        return "INFINITY" if rounded > 0 else "-INFINITY"
    if single:
        digits = (f"{rounded:.{count}g}" for count in range(1, 10))
        rounded = next(each for each in map(float, digits) if _float32(each) == rounded)
    return repr(rounded) + ("f" if single else "")


def _float32(value: float) -> float:
    """The nearest float32, infinite where it is too large."""
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        return math.copysign(math.inf, value)
    return float(struct.unpack("<f", packed)[0])


def is_literal(text: str) -> bool:
    """Is it a number as `literal` writes it?"""
    return bool(re.match(r"-?(\d|INFINITY$|NAN$|INT\d+_MIN$|true$|false$)", text))


def identifier(name: str, *, function: bool = False) -> str:
    """A name that C allows."""
    found = re.sub(r"\W+", "_", name, flags=re.ASCII) or "value"
    if not re.match(r"[A-Za-z]", found):
        found = f"v{found}"
    taken = found in _WORDS or _OURS.search(found) or (function and found in _LIBRARY)
    return f"{found}_" if taken else found


def comment(text: str) -> str:
    """One line of a comment, which no character ends or continues."""
    inert = "".join(character if character.isprintable() else "?" for character in text)
    return f"// {inert.replace(chr(92), '/').replace('??', '? ?')}"
