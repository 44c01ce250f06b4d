"""What a compiled program takes: arithmetic, memory and code, known before it runs."""

from __future__ import annotations

from collections.abc import Mapping

from chainc.backends.target import Figures
from chainc.dataclass import dataclass
from chainrule.evaluation.cost import Cost
from chainrule.writing.html_table import html_table


@dataclass(frozen=True)
class ProgramSummary:
    """Figures of a compiled program; prints as a table.

    Attributes:
        target: "llvm" or "numpy".
        parameters: trainable numbers.
        parameter_bytes: their memory.
        flops: scalar operations of one call, or of one step of training, after the passes.
        sizes: the values of named sizes for which the FLOPs hold.
        kernels: functions in the machine code; None for NumPy, as the following are.
        arena_bytes: all memory that a run allocates beside the arrays it is given.
        code_bytes: size of the object file.
        processor: what the machine code is for.
        vector_bits: width of its vectors.
    """

    target: str
    parameters: int
    parameter_bytes: int
    flops: int
    sizes: Mapping[str, int]
    kernels: int | None = None
    arena_bytes: int | None = None
    code_bytes: int | None = None
    processor: str | None = None
    vector_bits: int | None = None

    def __str__(self) -> str:
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name.ljust(width)}  {text}" for name, text in rows)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table((), self._rows())

    def _rows(self) -> list[tuple[str, str]]:
        bound = ", ".join(f"{name}={value}" for name, value in self.sizes.items())
        rows = [
            ("target", self.target),
            ("parameters", f"{self.parameters:,} ({self.parameter_bytes:,} bytes)"),
            ("FLOPs", f"{self.flops:,}" + (f" for {bound}" if bound else "")),
        ]
        if self.arena_bytes is not None:
            rows += [
                ("peak memory", f"{self.arena_bytes:,} bytes beside the arrays that are given"),
                ("machine code", f"{self.code_bytes:,} bytes, {self.kernels} kernels"),
                ("processor", f"{self.processor}, vectors of {self.vector_bits} bits"),
            ]
        return rows


def summarize_program(
    target: str, cost: Cost, sizes: Mapping[str, int], figures: Figures
) -> ProgramSummary:
    """The figures of a program with a given cost, for given sizes."""
    return ProgramSummary(
        target,
        cost.parameters,
        cost.parameter_bytes,
        cost.flops,
        dict(sizes),
        kernels=figures.kernels,
        arena_bytes=figures.arena_bytes,
        code_bytes=figures.code_bytes,
        processor=figures.processor,
        vector_bits=figures.vector_bits,
    )
