"""The most that one core can do: multiply-adds per second in registers, measured by machine code.

    python -m tests.benchmarks.peak

A measurement lasts about two milliseconds, so that it can stand between two timed runs: the clock
of a core moves by some percent within seconds, and a speed means something only beside the peak
of its moment.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

ACCUMULATORS = 12  # independent chains: more than latency times throughput of any core
ROUNDS = 4  # multiply-adds of each chain in one turn of the loop
SECONDS = 0.0005  # of one call of the machine code
CALLS = 3  # the best of which counts: an interrupt is no property of the core

DType = Literal["float32", "float64"]
NAMES = {"float32": "float", "float64": "double"}
BITS = {"float32": 32, "float64": 64}


def widest_bits() -> int:
    """The bits of the host's widest vectors that multiply and add."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    return 512 if features.get("avx512f") else 256 if features.get("fma") else 128


def source(dtype: DType, bits: int) -> str:
    """LLVM text of `peak(count, x)`: every lane of every accumulator a becomes a x + x, in turn.

    It gives the sum of the accumulators' first lanes, so that nothing can be left out.
    """
    lanes, chains = bits // BITS[dtype], range(ACCUMULATORS)
    scalar, vector, last = NAMES[dtype], f"<{lanes} x {NAMES[dtype]}>", f".{ROUNDS}"
    fma = f"@llvm.fmuladd.v{lanes}f{BITS[dtype]}"
    phis = [f"  %a{k}.0 = phi {vector} [%x, %entry], [%a{k}{last}, %loop]" for k in chains]
    steps = [
        f"  %a{k}.{r + 1} = call {vector} {fma}({vector} %a{k}.{r}, {vector} %x, {vector} %x)"
        for r in range(ROUNDS)
        for k in chains
    ]
    sums = [
        f"  %s{k + 1} = fadd {vector} %{f's{k}' if k else f'a0{last}'}, %a{k + 1}{last}"
        for k in chains[:-1]
    ]
    return "\n".join([
        f"declare {vector} {fma}({vector}, {vector}, {vector})",
        f"define {scalar} @peak(i64 %count, {scalar} %value) #0 {{",
        "entry:",
        f"  %one = insertelement {vector} poison, {scalar} %value, i64 0",
        f"  %x = shufflevector {vector} %one, {vector} poison, <{lanes} x i32> zeroinitializer",
        "  br label %loop",
        "loop:",
        "  %i = phi i64 [0, %entry], [%next, %loop]",
        *phis,
        *steps,
        "  %next = add i64 %i, 1",
        "  %more = icmp slt i64 %next, %count",
        "  br i1 %more, label %loop, label %end",
        "end:",
        *sums,
        f"  %result = extractelement {vector} %s{ACCUMULATORS - 1}, i64 0",
        f"  ret {scalar} %result",
        "}",
        f'attributes #0 = {{ "min-legal-vector-width"="{bits}" "prefer-vector-width"="{bits}" }}',
    ])  # fmt: skip


@dataclass
class Peak:
    """Measures a core's peak whenever it is called.

    Attributes:
        dtype: "float32" or "float64".
        bits: of a vector.
    """

    dtype: DType
    bits: int
    function: Callable[[int, float], float] = field(init=False, repr=False)
    turns: int = field(init=False, default=1000)

    def __post_init__(self) -> None:
        self.function = _compiled(source(self.dtype, self.bits), self.dtype)
        while self._seconds() < SECONDS:
            self.turns *= 2

    @property
    def flops(self) -> int:
        """Floating-point operations of one call: a multiply-add counts as two."""
        return self.turns * ACCUMULATORS * ROUNDS * 2 * (self.bits // BITS[self.dtype])

    def __call__(self) -> float:
        """FLOP per second, now."""
        return self.flops / min(self._seconds() for _ in range(CALLS))

    def _seconds(self) -> float:
        start = time.perf_counter()
        self.function(self.turns, 0.5)
        return time.perf_counter() - start


def _compiled(text: str, dtype: DType) -> Callable[[int, float], float]:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    module = binding.parse_assembly(text)
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=3,
    )
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    module.verify()
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    number = ctypes.c_float if dtype == "float32" else ctypes.c_double
    function = ctypes.CFUNCTYPE(number, ctypes.c_int64, number)(engine.get_function_address("peak"))

    def call(count: int, value: float) -> float:
        """Holds the engine, without which there is no code."""
        assert engine
        return float(function(count, value))

    return call


def main() -> None:
    for dtype in ("float32", "float64"):
        for bits in sorted({256, widest_bits()}):
            peak = Peak(dtype, bits)
            best = max(peak() for _ in range(200))
            print(f"{dtype}, {bits}-bit vectors: {best / 1e9:.1f} GFLOP/s")


if __name__ == "__main__":
    main()
