"""Elementary functions: error against mpmath, edges against NumPy, and every float32."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache

import mpmath as mp
import numpy as np
import numpy.typing as npt
import pytest
from tests.compiler.backends.math.compiled_lanes import (
    Processor,
    host,
    module_text,
    optimized,
    runnable,
    vector_functions,
)

from chainc.backends.llvm.printing.lanes import Avx512Lanes, LlvmLanes
from chainc.backends.math import functions as vector_math
from chainc.backends.math.exponential import LIMITS
from chainc.backends.math.floating import FORMATS
from chainc.backends.math.functions import ULP_BOUNDS, function_name, parts
from chainc.ir.types import DType, float32, float64, int32, int64, uint8

Floats = npt.NDArray[np.float64]  # or of float32
FUNCTIONS = [name for name in vector_math.UNARY if name != "floor"]
LANES = {float32: 16, float64: 8}
DTYPES = list(LANES)
CPUS = {processor.cpu: processor for processor in runnable()}
TRUTH: dict[str, Callable[[mp.mpf], mp.mpf]] = {name: getattr(mp, name) for name in FUNCTIONS}
DOMAIN = {"log": (0.0, math.inf), "log1p": (-1.0, math.inf)}  # open below
REQUESTS = [
    (name, dtype, lanes)
    for name in (*vector_math.UNARY, "power")
    for dtype in DTYPES
    for lanes in (1, 16, LANES[dtype])
]


@cache
def compiled(cpu: str) -> Callable[[str, DType, int], Callable[..., Floats]]:
    functions = vector_functions(sorted(set(REQUESTS), key=str), CPUS[cpu])
    return lambda name, dtype, lanes: functions[name, dtype, lanes]


def ulp_error(found: float, truth: mp.mpf, dtype: DType) -> float:
    """Distance in units of the last place of the truth; 0 if both overflow."""
    if math.isinf(found):
        return 0.0 if abs(truth) >= np.finfo(dtype.name).max else math.inf
    precision, least = (24, -149) if dtype == float32 else (53, -1074)
    exponent = max(mp.frexp(truth)[1] - precision, least) if truth else least
    return float(abs(mp.mpf(found) - truth) / mp.ldexp(1, exponent))


def samples(name: str, dtype: DType, rng: np.random.Generator) -> Floats:
    """Numbers of every exponent, more of them where the functions bend and where they end."""
    least, most = (-149, 128) if dtype == float32 else (-1074, 1024)
    exponents = np.repeat(np.arange(least, most), 2 if dtype == float32 else 1)
    spread = np.ldexp(rng.uniform(0.5, 1, exponents.size), exponents)
    bend = rng.uniform(0, 3, 1500), rng.uniform(0, 40, 500), 1 + rng.uniform(-1, 1, 200) / 64
    end = rng.uniform(80, 110, 200) if dtype == float32 else rng.uniform(700, 750, 200)
    x = np.concatenate([spread, *bend, end]).astype(dtype.numpy)
    x = np.concatenate([x, -x])
    low, high = DOMAIN.get(name, (-math.inf, math.inf))
    if name in ("sin", "cos"):
        x = np.concatenate([x, (rng.integers(1, 600_000, 400) * np.pi / 2).astype(dtype.numpy)])
        low = -math.inf
    return x[(low < x) & (x < high)]


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_is_within_the_stated_bound(name: str, dtype: DType, cpu: str) -> None:
    x = samples(name, dtype, np.random.default_rng(7))
    found = compiled(cpu)(name, dtype, LANES[dtype])(x)
    with mp.workprec(300):
        errors = [
            ulp_error(y, _truth(name, argument), dtype)
            for argument, y in zip(x.tolist(), found.tolist(), strict=True)
        ]
    worst = int(np.argmax(errors))
    assert errors[worst] <= ULP_BOUNDS[name, dtype], (name, x[worst], found[worst])


def _truth(name: str, x: float) -> mp.mpf:
    """Where the function is flat to all digits, its limit: mpmath would compute for minutes."""
    if name in ("exp", "expm1") and abs(x) > 1000:
        return mp.inf if x > 0 else mp.mpf(-1 if name == "expm1" else 0)
    if name in ("tanh", "erf") and abs(x) > 100:
        return mp.sign(x)
    return TRUTH[name](mp.mpf(x))


EDGES = [0.0, 1.0, 0.5, 1e-30, 88.73, 103.98, 709.79, 745.2, 2.0**23, 1e30, math.inf, math.nan]


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", vector_math.UNARY)
def test_edges_are_those_of_numpy(name: str, dtype: DType, cpu: str) -> None:
    info = np.finfo(dtype.name)
    own = info.max, info.tiny, info.smallest_subnormal, info.tiny * 0.99
    given = np.array([*EDGES, *map(float, own)], dtype.name)
    x = np.concatenate([given, -given])
    with np.errstate(all="ignore"):
        if name == "erf":
            expected = np.array([math.erf(v) for v in x.tolist()]).astype(dtype.numpy)
        else:
            expected = getattr(np, name)(x.astype(np.float64)).astype(dtype.numpy)
    found = compiled(cpu)(name, dtype, LANES[dtype])(x)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[known], np.signbit(expected)[known])
    infinite = np.isinf(expected)
    np.testing.assert_array_equal(found[infinite], expected[infinite])
    finite = known & ~infinite
    np.testing.assert_array_max_ulp(found[finite], expected[finite], 3)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_any_number_of_lanes_gives_the_same_bits(dtype: DType, cpu: str) -> None:
    bits = np.dtype(f"u{dtype.itemsize}")
    rng = np.random.default_rng(3)
    anything = rng.integers(0, 2 ** (8 * dtype.itemsize), (2, 4096), bits, endpoint=False)
    ordinary = rng.normal(scale=10, size=(2, 4096)).astype(dtype.numpy)
    x, y = np.concatenate([anything.view(dtype.numpy), ordinary], axis=1)
    for name in (*vector_math.UNARY, "power"):
        arguments = (x, y) if name == "power" else (x,)
        one, machine, most = (
            compiled(cpu)(name, dtype, lanes)(*arguments).view(bits)
            for lanes in (1, LANES[dtype], 16)
        )
        np.testing.assert_array_equal(one, machine)
        np.testing.assert_array_equal(one, most)


HARDEST = 6381956970095103.0 * 2.0**797  # no double is as near to a multiple of π/2


@pytest.mark.parametrize("cpu", CPUS)
def test_sine_and_cosine_of_large_doubles_lose_no_digit(cpu: str) -> None:
    rng = np.random.default_rng(0)
    spread = np.exp2(rng.uniform(19, 1023.9, 3000))
    turns = np.round(np.exp2(rng.uniform(18, 52, 1000))) * (np.pi / 2)
    x = np.concatenate([spread, -spread, turns, [2.0**20, HARDEST, -HARDEST, 1e22]])
    for name in ("sin", "cos"):
        found = compiled(cpu)(name, float64, 8)(x)
        with mp.workprec(1400):
            errors = [
                ulp_error(y, TRUTH[name](mp.mpf(argument)), float64)
                for argument, y in zip(x.tolist(), found.tolist(), strict=True)
            ]
        worst = int(np.argmax(errors))
        assert errors[worst] <= ULP_BOUNDS[name, float64], (name, x[worst], found[worst])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_what_a_mask_leaves_out_does_not_underflow(dtype: DType) -> None:
    """Both powers of two that make its exponential are 0, a product with 0 is exact."""
    element = vector_math.ELEMENTS[dtype]
    n = round(LIMITS[element].zero / math.log(2))
    assert {n // 2, n - n // 2} == {-FORMATS[element].bias}


def _powers(dtype: DType, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Bases of every exponent and bases near 1, with results over the whole range."""
    least, most = (-149, 127) if dtype == float32 else (-1074, 1023)
    wide = np.exp2(rng.uniform(least, most, 2000)).astype(dtype.numpy)
    near = (1 + rng.uniform(-1, 1, 2000) * np.exp2(-rng.uniform(1, 20, 2000))).astype(dtype.numpy)
    x = np.concatenate([wide, near])
    reach = rng.uniform(least, most, x.size)
    with np.errstate(all="ignore"):
        y = (reach / np.log2(x.astype(np.float64))).astype(dtype.numpy)
    return x[np.isfinite(y)], y[np.isfinite(y)]


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_powers_are_within_the_stated_bound(dtype: DType, cpu: str) -> None:
    x, y = _powers(dtype, np.random.default_rng(11))
    found = compiled(cpu)("power", dtype, LANES[dtype])(x, y)
    with mp.workprec(200):
        errors = [
            ulp_error(z, mp.power(mp.mpf(a), mp.mpf(b)), dtype)
            for a, b, z in zip(x.tolist(), y.tolist(), found.tolist(), strict=True)
        ]
    worst = int(np.argmax(errors))
    assert errors[worst] <= ULP_BOUNDS["power", dtype], (x[worst], y[worst], found[worst])


def _c_power(x: float, y: float) -> float:
    """C's pow: Python's, which raises where C gives NaN or an infinity."""
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf
    except ValueError:
        if x != 0:
            return math.nan
        return math.copysign(math.inf, x) if y % 2 == 1 else math.inf


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_special_cases_of_power_are_those_of_c(dtype: DType, cpu: str) -> None:
    largest = float(np.finfo(dtype.name).max)
    unit = 2.0 ** (23 if dtype == float32 else 52)
    sizes = [0.0, 0.5, 1.0, 2.0, 2.5, 3.0, 4.0, unit + 1, 2 * unit, 4 * unit, largest, math.inf]
    values = [*sizes, *(-size for size in sizes), math.nan]
    pairs = [(x, y) for x in values for y in values]
    x, y = (np.array(column, dtype.numpy) for column in zip(*pairs, strict=True))
    expected = np.array([_c_power(*pair) for pair in pairs])
    with np.errstate(over="ignore"):
        expected = expected.astype(dtype.numpy)
    found = compiled(cpu)("power", dtype, LANES[dtype])(x, y)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[known], np.signbit(expected)[known])
    np.testing.assert_allclose(found[known], expected[known], rtol=1e-6)


CALLED = re.compile(r"^\s*(?:call\w*|bl|blr|jmp\s+\w+@PLT)\s.*$", re.MULTILINE)
ALL = [
    (name, dtype, lanes)
    for name in (*vector_math.UNARY, *vector_math.BINARY)
    for dtype in (
        DTYPES if (name, float32) in ULP_BOUNDS else (float32, float64, int32, int64, uint8)
    )
    for lanes in (1, 4, 16)
]


@pytest.mark.parametrize(
    "processor",
    [
        Processor("x86_64-unknown-linux-gnu", "x86-64", ""),
        Processor("x86_64-unknown-linux-gnu", "x86-64-v3", ""),
        Processor("x86_64-unknown-linux-gnu", "x86-64-v4", ""),
        Processor("aarch64-unknown-linux-gnu", "generic", ""),
        Processor("wasm32-unknown-unknown", "generic", "+simd128"),
    ],
    ids=lambda processor: f"{processor.triple.split('-')[0]}-{processor.cpu}",
)
def test_no_library_is_called(processor: Processor) -> None:
    module, machine = optimized(module_text(ALL, processor), processor)
    assembly = machine.emit_assembly(module)
    assert not CALLED.findall(assembly)
    assert "fmaf" not in assembly


def test_a_call_would_be_seen() -> None:
    text = (
        "declare double @llvm.exp.f64(double)\n"
        "define double @each(double %x) {\n"
        "  %y = call double @llvm.exp.f64(double %x)\n  %z = fadd double %y, %y\n"
        "  ret double %z\n}"
    )
    for triple in ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"):
        module, machine = optimized(text, Processor(triple, "", ""))
        assert CALLED.findall(machine.emit_assembly(module))


def test_names_say_type_and_lanes() -> None:
    assert function_name("exp", float32, 16) == "exp.v16f32"
    assert function_name("exp", float64, 1) == "exp.f64"
    assert function_name("remainder", uint8, 4) == "remainder.v4u8"


def test_each_function_is_defined_once_in_an_order_of_its_own() -> None:
    requests = [("tanh", float32, 16), ("exp", float32, 16), ("exp", float32, 16)]
    functions, declares = parts(requests, LlvmLanes)
    heads = [text.split("(")[0] for text in functions]
    assert heads == [
        "define internal <16 x float> @exp.v16f32",
        "define internal <16 x float> @tanh.v16f32",
    ]
    assert all(line.startswith("declare ") for line in declares)
    assert parts(requests, LlvmLanes) == parts(requests[::-1], LlvmLanes)
    assert parts([], LlvmLanes) == ([], set())


def test_whole_vectors_of_avx512_are_multiplied_by_powers_of_two_in_one_instruction() -> None:
    """Tests of errors and of equal bits run with it where this machine has it."""
    for dtype, lanes in LANES.items():
        for count in (1, lanes // 2, lanes):
            texts, declares = parts([("exp", dtype, count)], Avx512Lanes)
            assert ("scalef" in texts[0]) == (count == lanes)
            assert any("scalef" in line for line in declares) == (count == lanes)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_float32(name: str) -> None:
    """Against double precision: NumPy's, and for erf that of this module, tested above."""
    function = compiled(host().cpu)(name, float32, 16)
    erf64 = compiled(host().cpu)("erf", float64, 8)
    reference = erf64 if name == "erf" else getattr(np, name)
    chunk = 1 << 22
    worst = 0.0
    for start in range(0, 1 << 32, chunk):
        bits = np.arange(start, start + chunk, dtype=np.int64).astype(np.uint32)
        x = bits.view(np.float32)
        with np.errstate(all="ignore"):
            expected = reference(x.astype(np.float64))
            worst = max(worst, _largest_error(function(x), expected))
    assert worst <= ULP_BOUNDS[name, float32]


def _largest_error(found: Floats, expected: Floats) -> float:
    rounded = expected.astype(np.float32)
    _, exponents = np.frexp(expected)
    error = np.abs(found - expected) / np.ldexp(1.0, np.maximum(exponents - 24, -149))
    ended = ~np.isfinite(rounded) | ~np.isfinite(found)
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    return float(np.where(ended, np.where(same, 0.0, np.inf), error).max())
