"""How the threads of a program wait for each other, without a lock and without a library.

Each counts in a cache line of its own in the control block, and waits until no other's count is
behind. One that is early at the next barrier only counts further, so barriers may follow each other
directly. The counts must agree when a run begins: all zero, or as earlier runs of as many threads
left them.
"""

from __future__ import annotations

from chainc.ir.types import int64, uint8
from chainc.loops.language import Routine
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, affine
from chainc.schedules.program.control_block import BARRIERS, CACHE_LINE

SPINS = 2000  # some 50 µs: longer than the threads of an undisturbed run ever wait
LONG = 2 * SPINS  # looks after which a thread sleeps, which takes it long to awake from


def _counting() -> Routine:
    to, line = RoutineBuilder(), CACHE_LINE // 8
    arena = to.buffer("arena", uint8)
    thread, threads = to.number("thread"), to.number("threads")
    counts = to.within(arena, BARRIERS, "counts", int64)
    own = Address(counts, affine(thread) * line)
    reached = to.plus(to.load(own, name="reached"), 1, "reached")
    to.release(reached, own)  # what was written before is seen by who acquires it
    with to.loop("other", 0, threads) as others:
        its_own = Address(counts, affine(others.index) * line)
        with to.repeat([to.integer(0, "spins")]) as looks:
            (spins,) = looks.values
            behind = to.is_less(to.acquire(its_own, "count"), reached, "behind")
            with to.when(behind):
                to.pause()
                with to.when(to.is_less(SPINS, spins)):
                    with to.when(to.is_less(LONG, spins)) as tired:
                        to.pause(2)
                    with to.otherwise(tired):
                        to.pause(1)
            looks.carry(to.plus(spins, 1, "spins"), again=behind)
    return to.routine("barrier.reached", "wait until every thread has come as far")


def _barrier(counting: Routine | None) -> Routine:
    to = RoutineBuilder()
    given = (to.buffer("arena", uint8), to.number("thread"), to.number("threads"))
    if counting is not None:
        with to.when(to.is_less(1, given[2], "several")):
            to.run(counting, *given)
    note = "no thread goes on before all are here; each sees what the others have written"
    return to.routine("barrier", note, inlined=True)


BARRIER = _barrier(_counting())
ALONE = _barrier(None)  # of a thread that never has another beside it
