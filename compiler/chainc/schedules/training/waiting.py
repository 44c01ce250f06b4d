"""How the threads of a program wait for each other, without a lock and without a library.

Each counts in a cache line of its own in the control block, and waits until no other's count is
behind. One that is early at the next barrier only counts further, so barriers may follow each other
directly. The counts must agree when a run begins: all zero, or as earlier runs of as many threads
left them.

Between the steps that all do, the first thread calls, and the others wait to be called. They say
which call they wait for as long as they look for it, and take that back before they sleep: it calls
them only if all are awake. One that is late, or never comes, keeps nobody waiting.
"""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir.types import int64, uint8
from chainc.loops.language import Routine
from chainc.loops.routine_builder import Number, RoutineBuilder
from chainc.loops.values import Address, Register, affine
from chainc.schedules.program import control_block as control
from chainc.schedules.program.call_writing import Team
from chainc.schedules.program.control_block import BARRIERS, CACHE_LINE

SPINS = 2000  # some 50 µs: longer than the threads of an undisturbed run ever wait
PATIENCE = 1 << 20  # ticks, some 0.4 ms: longer than threads take to start, or sleep
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


@dataclass(frozen=True)
class Calling:
    """Writes how the first thread calls the others, and how they wait for it."""

    to: RoutineBuilder
    team: Team

    def others_come(self, now: Register) -> Register:
        """Are all others awake, soon after now?"""
        to = self.to
        self._put(control.WANTED, 1)
        with to.repeat([to.truth(False)]) as looks:
            there = self._are_there()
            with to.when(to.opposite(there)):
                to.pause()
            early = to.is_less(to.minus(to.clock("later"), now), PATIENCE, "early")
            looks.carry(there, again=to.both(early, to.opposite(there)))
        return looks.results[0]

    def wait_for_others(self) -> None:
        """Until they have done what they were called to."""
        to = self.to
        with to.repeat([to.integer(0, "looks")]) as looks:
            there = self._are_there()
            with to.when(to.opposite(there)):
                to.pause()
                with to.when(to.is_less(SPINS, looks.values[0])):
                    to.pause(1)
            looks.carry(to.plus(looks.values[0], 1), again=to.opposite(there))

    def call(self, now: Number, until: Number) -> None:
        """The others to these steps; to none: there is nothing more to do."""
        self._put(control.FROM, now)
        self._put(control.UNTIL, until)
        self._put(control.CALLS, self.to.plus(self._got(control.CALLS, "calls"), 1))

    def wait_for_call(self) -> None:
        """They need not come to one that they sleep through, unless they had said they would."""
        to = self.to
        seen = to.load(self._own(control.SEEN, "seen"))
        with to.repeat([to.integer(0, "looks")]) as waiting:
            (looks,) = waiting.values
            with to.when(to.is_equal(looks, 0, "awakes")):
                to.release(to.plus(seen, 1), self._own(control.READY, "ready"))
            idle = to.is_equal(self._got(control.CALLS, "calls"), seen, "idle")
            wanted = to.is_equal(self._got(control.WANTED, "wanted"), 1)
            tired = to.is_less(SPINS, looks, "tired")
            with to.when(to.both(idle, to.opposite(tired))):
                to.pause()
            with to.when(to.both(idle, to.both(tired, to.opposite(wanted)))):
                to.release(to.integer(0), self._own(control.READY, "ready"))
                to.pause(2)
            following = to.either(to.both(tired, wanted), 0, to.plus(looks, 1), "looks")
            waiting.carry(following, again=idle)

    def answered(self) -> None:
        """What the call was for is done."""
        to, seen = self.to, self._own(control.SEEN, "seen")
        to.release(to.integer(0), self._own(control.READY, "ready"))
        to.store(to.plus(to.load(seen), 1), seen)

    def _are_there(self) -> Register:
        to = self.to
        awaited = to.plus(self._got(control.CALLS, "calls"), 1, "awaited")
        with to.repeat([to.integer(1, "other"), to.truth(True)]) as others:
            other, _ = others.values
            ready = to.acquire(self._of(other, control.READY, "ready"))
            there = to.is_equal(ready, awaited, "there")
            following = to.plus(other, 1)
            more = to.is_less(following, self.team.threads, "more")
            others.carry(following, there, again=to.both(there, more))
        return others.results[1]

    def _of(self, thread: Register, word: int, name: str) -> Address:
        words = self.to.within(self.team.arena, BARRIERS + word, name, int64)
        return Address(words, affine(thread) * (CACHE_LINE // 8))

    def _own(self, word: int, name: str) -> Address:
        return self._of(self.team.thread, word, name)

    def _got(self, word: int, name: str) -> Register:
        return self.to.acquire(self.team.word(self.to, word, name), name)

    def _put(self, word: int, value: Number) -> None:
        self.to.release(self.to.integer(value), self.team.word(self.to, word, "call"))
