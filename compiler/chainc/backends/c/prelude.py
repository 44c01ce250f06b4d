"""What a file of C begins with: vector types, and the small functions that its lines call.

Each is there only if something asks for it. A function of vectors is a loop over their lanes
where C has no operator; compilers make one instruction of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chainc.backends.c.spelling import Type

GIVE_CORE = """\
#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#else
#define sched_yield() ((void)0)
#endif

static void give_core(void) {
    sched_yield();
}
"""
TICKS = """\
// how far the processor's clock has come; 0 where it cannot be read
static int64_t clock_ticks(void) {
#if defined(__x86_64__)
    return (int64_t)__builtin_ia32_rdtsc();
#else
    return 0;
#endif
}
"""
INDENT = "    "
FUSES = "defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__FP_FAST_FMAF)"

ROUND_UP = """\
static INLINE int64_t round_up(int64_t count, int64_t unit) {
    return (count + unit - 1) / unit * unit;
}
"""
PART = """\
// where a thread's part of 0..stop begins, in whole grains; the part ends where the next begins
static INLINE int64_t part(int64_t stop, int64_t grain, int64_t thread, int64_t threads) {
    int64_t units = (stop + grain - 1) / grain;
    int64_t start = units * thread / threads * grain;
    return start < stop ? start : stop;
}
"""
NOTE_FAILURE = """\
// keeps the first code
static INLINE void note_failure(int64_t *failure, int64_t code) {
    int64_t none = 0;
    __atomic_compare_exchange_n(failure, &none, code, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}
"""


class Prelude:
    """Collects types and functions; each comes after what it needs."""

    def __init__(self) -> None:
        self.types: dict[str, str] = {}
        self.functions: dict[str, str] = {}

    def type(self, type: Type) -> str:
        """Its name, after it is declared."""
        if type.lanes > 1 and type.short not in self.types:
            size = f"__attribute__((vector_size({type.size * type.lanes})))"
            self.types[type.short] = f"typedef {type.element} {type.short} {size};"
        return str(type)

    def plain(self, name: str, text: str) -> str:
        """A function that is for no type."""
        self.functions.setdefault(name, text)
        return name

    def function(self, name: str, type: Type) -> str:
        """The function `name` for a type."""
        full = f"{name}_{type.short}"
        if full not in self.functions:
            self.type(type)
            text = _WRITERS[name](self, full, type)
            self.functions[full] = text
        return full

    def folded(self, operator: str, type: Type, fold: Callable[[str, str, Type], str]) -> str:
        """A function that folds the lanes of a vector in a tree: first the halves, …."""
        full = f"{operator}_across_{type.short}"
        if full in self.functions:
            return full
        result = type.of(1)
        lines = [f"static INLINE {result} {full}({self.type(type)} x) {{"]
        name, lanes = "x", type.lanes
        while lanes > 1:
            lanes //= 2
            half, following = type.of(lanes), f"x{lanes}"
            low, high = (
                (f"{name}[{place}]" + (" != 0" if type.mask else "") for place in (0, 1))
                if lanes == 1
                else (self._half(name, start, lanes) for start in (0, lanes))
            )
            self.type(half)
            if lanes > 1:
                lines.append(f"    {half} {following}low = {low}, {following}high = {high};")
                low, high = f"{following}low", f"{following}high"
            lines.append(f"    {half} {following} = {fold(low, high, half)};")
            name = following
        self.functions[full] = "\n".join([*lines, f"    return {name};", "}", ""])
        return full

    def _half(self, name: str, start: int, lanes: int) -> str:
        places = ", ".join(map(str, range(start, start + lanes)))
        return f"__builtin_shufflevector({name}, {name}, {places})"

    def texts(self) -> tuple[Sequence[str], Sequence[str]]:
        """The types, and the functions."""
        return [*self.types.values()], [*self.functions.values()]


def each_lane(type: Type, out: str, value: Callable[[str], str]) -> str:
    """Lines of a loop that gives `out` a value lane by lane."""
    head = f"    for (int i = 0; i < {type.lanes}; i++)"
    return f"{head}\n        {out}[i] = {value('[i]')};"


def _lanewise(
    parameters: str, value: Callable[[str, Type], str]
) -> Callable[[Prelude, str, Type], str]:
    """A function of operands of one type, the first of which is given back with new lanes."""

    def write(_prelude: Prelude, full: str, type: Type) -> str:
        given = ", ".join(f"{type} {name}" for name in parameters)
        head = f"static INLINE {type} {full}({given}) {{"
        if type.lanes == 1:
            return f"{head}\n    return {value('', type)};\n}}\n"
        loop = each_lane(type, parameters[0], lambda at: value(at, type))
        return f"{head}\n{loop}\n    return {parameters[0]};\n}}\n"

    return write


def _library(name: str, type: Type) -> str:
    return f"{name}f" if type.element == "float" else name


def _call(name: str, parameters: str) -> Callable[[Prelude, str, Type], str]:
    def value(at: str, type: Type) -> str:
        return f"{_library(name, type)}({', '.join(each + at for each in parameters)})"

    return _lanewise(parameters, value)


# clang makes one instruction of a vector's product and sum in an expression, but not of a loop
JOINED = """\
#ifdef __clang__
#pragma STDC FP_CONTRACT ON
    return a * b + c;
#else
{loop}
#endif"""


def _fma(_prelude: Prelude, full: str, type: Type) -> str:
    head = f"static INLINE {type} {full}({type} a, {type} b, {type} c) {{"
    fused = _library("fma", type)
    if type.lanes == 1:
        one = f"    return {fused}(a, b, c);"
    else:
        loop = each_lane(type, "c", lambda at: f"{fused}(a{at}, b{at}, c{at})")
        one = JOINED.format(loop=f"{loop}\n    return c;")
    product = f"{type} product = a * b;\n    return product + c;"
    lines = [f"#if {FUSES}", one, "#else", f"    {product}", "#endif"]
    return "\n".join(["// rounded once where the machine can", head, *lines, "}", ""])


def _extreme(sign: str) -> Callable[[Prelude, str, Type], str]:
    """NaN if one of them is; equal ones give the first."""

    def value(at: str, type: Type) -> str:
        better = f"b{at} {sign} a{at} ? b{at} : a{at}"
        return f"b{at} != b{at} ? b{at} : ({better})" if type.is_float else better

    return _lanewise("ab", value)


def _load(_prelude: Prelude, full: str, type: Type) -> str:
    return (
        f"static INLINE {type} {full}(const {type.element} *from) {{\n"
        f"    {type} x;\n    memcpy(&x, from, sizeof x);\n    return x;\n}}\n"
    )


def _store(_prelude: Prelude, full: str, type: Type) -> str:
    return (
        f"static INLINE void {full}({type.element} *to, {type} x) {{\n"
        "    memcpy(to, &x, sizeof x);\n}\n"
    )


def _load_mask(prelude: Prelude, full: str, type: Type) -> str:
    load = prelude.function("load", Type("uint8_t", type.lanes))
    return (
        f"static INLINE {type} {full}(const uint8_t *from) {{\n"
        f"    return __builtin_convertvector({load}(from), {type}) != 0;\n}}\n"
    )


def _store_mask(prelude: Prelude, full: str, type: Type) -> str:
    small = Type("uint8_t", type.lanes)
    store = prelude.function("store", small)
    return (
        f"static INLINE void {full}(uint8_t *to, {type} x) {{\n"
        f"    {store}(to, __builtin_convertvector(x & 1, {small}));\n}}\n"
    )


def _gather(_prelude: Prelude, full: str, type: Type) -> str:
    loop = each_lane(type, "x", lambda at: f"from[{at[1:-1]} * stride]")
    return (
        f"static INLINE {type} {full}(const {type.element} *from, int64_t stride) {{\n"
        f"    {type} x = {{0}};\n{loop}\n    return x;\n}}\n"
    )


def _gather_first(_prelude: Prelude, full: str, type: Type) -> str:
    given = f"const {type.element} *from, int64_t stride, int first"
    return (
        f"static INLINE {type} {full}({given}) {{\n    {type} x = {{0}};\n"
        "    for (int i = 0; i < first; i++)\n        x[i] = from[i * stride];\n    return x;\n}\n"
    )


def _scatter_first(_prelude: Prelude, full: str, type: Type) -> str:
    given = f"{type.element} *to, int64_t stride, int first, {type} x"
    return (
        f"static INLINE void {full}({given}) {{\n"
        "    for (int i = 0; i < first; i++)\n        to[i * stride] = x[i];\n}\n"
    )


def _scatter(_prelude: Prelude, full: str, type: Type) -> str:
    return (
        f"static INLINE void {full}({type.element} *to, int64_t stride, {type} x) {{\n"
        f"    for (int i = 0; i < {type.lanes}; i++)\n        to[i * stride] = x[i];\n}}\n"
    )


def _splat(_prelude: Prelude, full: str, type: Type) -> str:
    lanes = ", ".join(["x"] * type.lanes)
    return (
        f"static INLINE {type} {full}({type.element} x) {{\n    return ({type}){{{lanes}}};\n}}\n"
    )


def _select(prelude: Prelude, full: str, type: Type) -> str:
    mask = prelude.type(type.with_mask())
    loop = each_lane(type, "b", lambda at: f"where{at} ? a{at} : b{at}")
    return (
        f"static INLINE {type} {full}({mask} where, {type} a, {type} b) {{\n"
        f"{loop}\n    return b;\n}}\n"
    )


def _bits(_prelude: Prelude, full: str, type: Type) -> str:
    """Of one number: the other type with the same bits."""
    other = {"float": "int32_t", "double": "int64_t", "int32_t": "float", "int64_t": "double"}
    return (
        f"static INLINE {other[type.element]} {full}({type} x) {{\n"
        f"    {other[type.element]} bits;\n    memcpy(&bits, &x, sizeof bits);\n"
        "    return bits;\n}\n"
    )


def _transpose(_prelude: Prelude, full: str, type: Type) -> str:
    """Rounds of interleaving: after log₂ n of them row j holds column j."""
    lanes, distance = type.lanes, type.lanes // 2
    lines = [f"static INLINE void {full}({type} x[{lanes}]) {{", f"    {type} low, high;"]
    while distance:
        low = [j if not j & distance else lanes + j - distance for j in range(lanes)]
        high = [j + distance if not j & distance else lanes + j for j in range(lanes)]
        for row in (row for row in range(lanes) if not row & distance):
            pair = f"x[{row}], x[{row + distance}]"
            for name, order in (("low", low), ("high", high)):
                picked = ", ".join(map(str, order))
                lines.append(f"    {name} = __builtin_shufflevector({pair}, {picked});")
            lines.append(f"    x[{row}] = low, x[{row + distance}] = high;")
        distance //= 2
    return "\n".join([*lines, "}", ""])


def _leading_zeros(at: str, type: Type) -> str:
    name, bits = ("clz", 32) if type.size == 4 else ("clzll", 64)
    return f"x{at} == 0 ? {bits} : __builtin_{name}(({type.unsigned.element})x{at})"


def _truncated(integer: str) -> Callable[[Prelude, str, Type], str]:
    """Towards zero; what does not fit gives the nearest integer that does, NaN gives 0."""

    def write(prelude: Prelude, full: str, type: Type) -> str:
        out = Type(integer, type.lanes)
        prelude.type(out)
        low, high, least, most = _LIMITS[integer]
        suffix = "f" if type.element == "float" else ""

        def value(at: str) -> str:
            fits = f"x{at} < {high}{suffix} ? ({integer})x{at} : {most}"
            return f"x{at} != x{at} ? 0 : x{at} <= {low}{suffix} ? {least} : {fits}"

        if type.lanes == 1:
            body = f"    return {value('')};"
        else:
            body = f"    {out} y = {{0}};\n{each_lane(type, 'y', value)}\n    return y;"
        return f"static INLINE {out} {full}({type} x) {{\n{body}\n}}\n"

    return write


_LIMITS = {  # below and from where nothing fits, and what is given there
    "uint8_t": ("-1.0", "256.0", "0", "255"),
    "int32_t": ("-2147483648.0", "2147483648.0", "INT32_MIN", "INT32_MAX"),
    "int64_t": ("-9223372036854775808.0", "9223372036854775808.0", "INT64_MIN", "INT64_MAX"),
}

_WRITERS: Mapping[str, Callable[[Prelude, str, Type], str]] = {
    "fma": _fma,
    "maximum": _extreme(">"),
    "minimum": _extreme("<"),
    "fabs": _call("fabs", "x"),
    "copysign": _call("copysign", "xy"),
    "sqrt": _call("sqrt", "x"),
    "floor": _call("floor", "x"),
    "absolute": _lanewise("x", lambda at, _: f"x{at} < 0 ? -x{at} : x{at}"),
    "leading_zeros": _lanewise("x", _leading_zeros),
    "load": _load,
    "store": _store,
    "load_mask": _load_mask,
    "store_mask": _store_mask,
    "gather": _gather,
    "scatter": _scatter,
    "gather_first": _gather_first,
    "scatter_first": _scatter_first,
    "splat": _splat,
    "select": _select,
    "bits": _bits,
    "transpose": _transpose,
    "uint8_of": _truncated("uint8_t"),
    "int32_of": _truncated("int32_t"),
    "int64_of": _truncated("int64_t"),
}
