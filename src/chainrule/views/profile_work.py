"""What a kernel does when it runs once: arithmetic of its contraction, bytes that it touches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainc.dataclass import dataclass
from chainc.interpreters.counting import elements
from chainc.ir.types import TensorType, bind_shape, static
from chainc.lowering.grouping import outside
from chainc.lowering.kernels import Applied
from chainc.lowering.parts import Part
from chainc.lowering.views import View

PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


@dataclass(frozen=True)
class Work:
    """Counted, for the sizes that were timed.

    Attributes:
        flops: of its contraction, a multiplication and an addition counting as two; else 0.
        bytes: of what it reads and of what it writes, each counted once.
    """

    flops: int
    bytes: int

    def times(self, steps: int) -> Work:
        """In so many steps of a loop."""
        return Work(self.flops * steps, self.bytes * steps)

    def rate(self, seconds: float) -> str:
        """In arithmetic, or else in memory."""
        amount, unit = (self.flops, "FLOP/s") if self.flops else (self.bytes, "B/s")
        a_second = amount / seconds
        size, prefix = next((each for each in PREFIXES if a_second >= each[0]), PREFIXES[-1])
        return f"{a_second / size:.3g} {prefix}{unit}"


def work_of(parts: Sequence[Part], sizes: Mapping[str, int]) -> Work | None:
    """The work of a kernel that computes these parts; None where it depends on values."""
    kernels = tuple(dict.fromkeys(part.kernel for part in parts))
    if not kernels or any(isinstance(kernel, Applied) for kernel in kernels):
        return None
    written, read = {part.target for part in parts}, kernels[0].operands
    if len(kernels) > 1:  # what they hand on to each other stays in registers
        written, read = written - {kernel.out for kernel in kernels}, outside(kernels)
    views = [each for each in read if isinstance(each, View)]
    nbytes = sum(_nbytes(buffer.type, sizes) for buffer in written)
    nbytes += sum(min(_nbytes(x.type, sizes), _nbytes(x.buffer.type, sizes)) for x in views)
    products = [static(bind_shape((kernel.multiplications,), sizes)) for kernel in kernels]
    return Work(2 * sum(map(sum, products)), nbytes)


def _nbytes(type: TensorType, sizes: Mapping[str, int]) -> int:
    return elements(type.bind(sizes)) * type.dtype.itemsize
