"""Places in the arena for the buffers of a program, whichever way leaves the fewest gaps.

In the order of the kernels a buffer that stays for long may take a place in the middle of what is
free, and what comes after finds two gaps that are both too small. Where that happens, buffers are
also placed one after another, those first that are hardest to place, each as low as those fit that
have a place already.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from itertools import accumulate

from chainc.dataclass import dataclass
from chainc.lowering.memory import ALIGNMENT, FOREVER, Arena, lifetimes, plan
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer

WORTH_TRYING = 1 / 16  # of the bytes that are needed at once: gaps from which on


@dataclass(frozen=True)
class _Block:
    """Bytes of a buffer, and the first and last kernel that need them."""

    buffer: Buffer
    size: int
    start: float
    end: float


def fitted(program: Program, nbytes: Callable[[Buffer], int]) -> Arena:
    """The smallest arena of some that are tried."""
    arena = plan(program, nbytes)
    blocks = [
        _Block(buffer, -(-nbytes(buffer) // ALIGNMENT) * ALIGNMENT, span.start, span.end)
        for buffer, span in lifetimes(program).items()
        if buffer in arena.offsets
    ]
    if arena.sizes.get((), 0) <= _at_once(blocks, len(program.body)) * (1 + WORTH_TRYING):
        return arena
    by_size = sorted(blocks, key=lambda each: (-each.size, each.start - each.end, each.start))
    by_span = sorted(blocks, key=lambda each: (each.start - each.end, -each.size, each.start))
    return min(arena, _placed(by_size), _placed(by_span), key=lambda each: each.sizes.get((), 0))


def _at_once(blocks: Sequence[_Block], kernels: int) -> int:
    """The most bytes that are needed by any kernel."""
    changes = [0] * (kernels + 2)
    for block in blocks:
        changes[int(block.start) + 1] += block.size
        changes[kernels + 1 if block.end == FOREVER else int(block.end) + 2] -= block.size
    return max(accumulate(changes))


def _placed(blocks: Sequence[_Block]) -> Arena:
    """Each in the lowest gap that holds it for as long as it is needed."""
    offsets: dict[Buffer, int] = {}
    done: list[tuple[int, int, float, float]] = []  # (offset, end, first and last kernel), in order
    for block in blocks:
        at = 0
        for offset, end, first, last in done:
            if first <= block.end and block.start <= last:
                if offset - at >= block.size:
                    break
                at = max(at, end)
        offsets[block.buffer] = at
        insort(done, (at, at + block.size, block.start, block.end))
    return Arena(offsets, {(): max((end for _, end, _, _ in done), default=0)})
