"""What code generation must know of a processor."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir.types import DType

PADDING = 64  # bytes behind the last buffer, so that a vector may stand out
LARGE = 1 << 22  # bytes of a weight that no near cache keeps from call to call


@dataclass(frozen=True)
class Machine:
    """The vectors of a processor, and its caches.

    Attributes:
        vector_bytes: width of a vector register: 64, 32 or 16.
        registers: how many of them there are.
        second_level: bytes of a core's second-level cache.
        rounds: is there an instruction that rounds down?
        shares: may several threads work on one product?
        takes_apart: has no register a vector, so that its elements are computed one by one?
        masks: can a load or a store leave lanes out?
        scales: does one instruction multiply by powers of two?
        asks: does it gain to ask for what comes from afar before it is read?
    """

    vector_bytes: int
    registers: int
    second_level: int = 1 << 19
    rounds: bool = True
    shares: bool = True
    takes_apart: bool = False
    masks: bool = False
    scales: bool = False
    asks: bool = False

    @property
    def register_file(self) -> tuple[int, int]:
        """What limits the tiles that live in registers."""
        return self.vector_bytes, self.registers

    def lanes(self, dtype: DType) -> int:
        """Elements of a floating-point vector; of others, as many as of float32."""
        return self.vector_bytes // (dtype.itemsize if dtype.is_float else 4)


AVX512 = Machine(64, 32, masks=True, scales=True, asks=True)
AVX2 = Machine(32, 16, asks=True)
NEON = Machine(16, 32)
SSE = Machine(16, 16, rounds=False)
SIMD128 = Machine(16, 15, shares=False)  # engines on x86-64 keep one of sixteen for themselves
SCALARS = Machine(16, 8, takes_apart=True)  # 32 registers hold eight vectors of four
FEW_SCALARS = Machine(16, 6, rounds=False, takes_apart=True)  # with room for addresses and counters
