"""On how many threads steps are quickest is found out while they are done.

    train.loop(arena, table, job, thread, threads)

    the first thread, until all steps are done:
        a step on all threads; if it takes long, many more
        some steps alone, and as many on all threads, with the clock read around both
        many steps as was quicker; then they are compared again
    the others: wait until they are called to do some steps too

How long threads wait for each other no model tells: where the cores have a cache in common it is a
fortieth of what it is elsewhere, a virtual machine is moved from one to the other, and another
program may want a core. The bits are the same on any number of threads, so it may change between
steps. A step of half a millisecond is first shared without a trial, which a run of few steps would
notice: beside it no waiting counts. Both get steps to become warm in, since what they need lies
with the other cores. A trial is done `TIMES` times and the middle one counts: another program that
takes the core for four milliseconds makes one step look as five. As long as one stays the quicker,
they are compared ever more seldom. One thread that was not chosen before is soon compared again: it
may owe that to another program that is gone by then.

Another program that stays on a core lets a thread in for some milliseconds and then keeps it away
for as long: trials show nothing of it. So the first thread never waits for one that is not there,
but does steps alone; and what all threads gain over one is added up, and what they lose in waiting
for one that is kept away. When more is lost than gained, one goes on alone for several times as
long as the loss, and they are compared again; the time doubles with each, until enough is gained.

What is known of it outlives a run: the host hands it to the next one.

Where no clock can be read it shows 0, and all threads go on.
"""

from __future__ import annotations

from chainc.loops.language import Routine
from chainc.loops.routine_builder import Number
from chainc.loops.values import Register
from chainc.schedules.program import control_block as control
from chainc.schedules.training import layout as words
from chainc.schedules.training.author import Author, TrainingParts
from chainc.schedules.training.waiting import Calling

ENOUGH = 1 << 18  # ticks of a trial at least: some 0.1 ms
LONG = 1 << 20  # of a step for which no waiting counts: some 0.4 ms
WARMING = 2  # steps before one, at most
TIMES = 3  # that a trial is done, of which the second quickest counts
FIRST_ALONE, FIRST_STRETCH, LONGEST_STRETCH = 32, 128, 1024  # trials that the steps after last
GROWTH = 8
LOOKS = 4  # trials after which it is seen what all threads have gained
NONE = 1 << 58  # ticks, more than any trial takes
MOST_TICKS = 1 << 40  # of a trial, for what is computed with them
MOST_GAINED = 1 << 26  # ticks, some 25 ms: so much all threads may lose before one goes on alone
ENOUGH_GAINED = 1 << 24  # after which they lost by a chance that has passed
LOST = 1 << 20  # ticks in a trial that show that another program has kept a thread from its core
LEAST_PENALTY, MOST_PENALTY = 4, 64  # times what was lost, after which all are called again

# stages: the steps of one are done in a row; the even ones warm up, but for the last
ALONE_WARMING, ALONE, TOGETHER_WARMING, TOGETHER, CHOSEN = range(5)


class Pace(Author):
    """Writes the routine."""

    def __init__(self, parts: TrainingParts, steps: Routine) -> None:
        super().__init__(parts)
        self.steps = steps

    def routine(self, *, paced: bool) -> Routine:
        to, threads = self.to, self.team.threads
        first, last = self.of_job(words.FIRST, "step"), self.of_job(words.LAST, "last")
        if not paced:
            self._do(first, last, threads)
            return to.routine("train.loop", "all epochs")
        with to.when(to.is_equal(threads, 1, "single")) as single:
            self._do(first, last, threads)
        with to.otherwise(single):
            with to.when(self.leads) as leading:
                self._lead(first, last)
            with to.otherwise(leading):
                self._follow()
        return to.routine("train.loop", "all epochs, on as many threads as are quickest")

    def _do(self, first: Register, until: Register, threads: Number) -> Register:
        """May other steps follow?"""
        to, team = self.to, self.team
        given = (team.arena, team.table, self.job, first, until, team.thread)
        return to.result_of(self.steps, *given, to.integer(threads))

    def _lead(self, first: Register, last: Register) -> None:
        to = self.to
        with to.when(to.is_equal(self._got(control.TRIAL, "trial"), 0)):
            self._put(control.TRIAL, 1)
            self._put(control.LEFT, 1)
            self._put(control.STAGE, TOGETHER_WARMING)
            self._put(control.TICKS_ALONE, NONE)
            self._put(control.PENALTY, LEAST_PENALTY)
            self._forget()
        calling = Calling(to, self.team)
        with to.when(to.is_less(first, last, "any")), to.repeat([first]) as stretches:
            (now,) = stretches.values
            wanted, before = self._is_together(), to.clock("before")
            together = self._called_together(calling, wanted, before)
            chosen = to.is_equal(self._got(control.STAGE, "stage"), CHOSEN)
            most = to.times(self._got(control.TRIAL, "trial"), to.either(chosen, LOOKS, 1))
            left = to.smaller(self._got(control.LEFT, "left"), most)
            until = to.smaller(to.plus(now, left), last, "until")
            with to.when(together):
                calling.call(now, until)
            goes_on = self._do(now, until, to.either(together, self.team.threads, 1, "members"))
            ticks = to.minus(to.clock("after"), before, "ticks")
            with to.when(to.opposite(to.both(wanted, to.opposite(together)), "as_wanted")):
                self._note(to.minus(until, now), ticks, together)
            goes_on = to.both(goes_on, to.is_less(until, last), "goes_on")
            with to.when(to.both(together, to.opposite(goes_on))):
                calling.wait_for_others()
            stretches.carry(until, again=goes_on)
        self._put(control.WANTED, 0)
        calling.call(last, last)

    def _called_together(self, calling: Calling, wanted: Register, now: Register) -> Register:
        """Are all threads here to do the next steps together, if that is wanted now?"""
        to = self.to
        due = to.is_at_most(self._got(control.AGAIN, "again"), now, "due")
        with to.when(to.both(wanted, due), [to.truth(False)]) as asked:
            found = calling.others_come(now)
            with to.when(to.opposite(found)):
                self._suspend(to.minus(to.clock("later"), now, "lost"))
            asked.change(found)
        (found,) = asked.results
        with to.when(to.opposite(found)):
            self._put(control.WANTED, 0)
        return found

    def _suspend(self, lost: Register) -> None:
        """One goes on alone so long that what is lost is little beside it; each time for longer."""
        to, penalty = self.to, self._got(control.PENALTY, "penalty")
        self._put(control.AGAIN, to.plus(to.clock("now"), to.times(lost, penalty)))
        self._put(control.PENALTY, to.smaller(to.times(penalty, 2), MOST_PENALTY))

    def _follow(self) -> None:
        to, calling = self.to, Calling(self.to, self.team)
        with to.repeat([]) as calls:
            calling.wait_for_call()
            now, until = self._got(control.FROM, "now"), self._got(control.UNTIL, "until")
            some = to.is_less(now, until, "some")
            with to.when(some):
                self._do(now, until, self.team.threads)
            calling.answered()
            calls.carry(again=some)

    def _is_together(self) -> Register:
        to, stage = self.to, self._got(control.STAGE, "stage")
        chosen = to.either(to.is_equal(stage, CHOSEN), self._got(control.KEPT, "kept"), 0)
        compared = to.both(to.is_less(ALONE, stage), to.is_less(stage, CHOSEN))
        return to.is_equal(to.either(compared, 1, chosen), 1, "together")

    def _note(self, steps: Register, taken: Register, together: Register) -> None:
        """So many steps of a stage are done; when it ends, or was a mistake, another begins."""
        to, trial = self.to, self._got(control.TRIAL, "trial")
        ticks = to.quotient(to.times(taken, trial), steps, "of_trial")
        behind = self._is_behind(steps, taken, together)
        least, second = self._got(control.LEAST, "least"), self._got(control.SECOND, "second")
        second = to.smaller(second, to.larger(least, ticks))
        self._put(control.LEAST, to.smaller(least, ticks))
        self._put(control.SECOND, second)
        left = to.minus(self._got(control.LEFT, "left"), steps)
        self._put(control.LEFT, left)
        with to.when(behind):
            self._put(control.STRETCH, 0)
        with to.when(to.is_equal(to.either(behind, 0, left), 0, "ends")):
            with to.when(self._begins()) as beginning:
                self._begin()
            with to.otherwise(beginning):
                self._next_stage(second)
            self._forget()

    def _is_behind(self, steps: Register, taken: Register, together: Register) -> Register:
        """Have all threads, which were chosen, lost what they had gained?

        In a trial what counts is a loss so great that another program must have had a core.
        """
        to = self.to
        chosen = to.is_equal(self._got(control.STAGE, "stage"), CHOSEN, "chosen")
        gain = self._gain(steps, taken)
        counts = to.opposite(to.both(to.opposite(chosen), to.is_less(-LOST, gain)), "counts")
        balance = to.plus(self._got(control.BALANCE, "balance"), gain)
        balance = to.smaller(balance, MOST_GAINED, "balance")
        lost = to.is_less(balance, 0, "lost")
        with to.when(to.both(together, counts)):
            self._put(control.BALANCE, to.larger(balance, 0))
            with to.when(lost):
                self._suspend(to.minus(0, balance))
            with to.when(to.is_less(ENOUGH_GAINED, balance, "undisturbed")):
                self._put(control.PENALTY, LEAST_PENALTY)
        return to.both(to.both(chosen, together), lost, "behind")

    def _gain(self, steps: Register, taken: Register) -> Register:
        """How much longer one thread would have taken, or where it was not tried: is believed to.

        That is half more than all have taken.
        """
        to, alone = self.to, self._got(control.TICKS_ALONE, "alone")
        least = self._got(control.LEAST, "least")
        untried, first = to.is_equal(alone, NONE, "untried"), to.is_equal(least, NONE, "first")
        half_more = to.quotient(to.times(to.smaller(least, MOST_TICKS), 3), 2, "half_more")
        expected = to.either(untried, half_more, alone)
        trial = self._got(control.TRIAL, "trial")
        expected = to.quotient(to.times(to.smaller(expected, MOST_TICKS), steps), trial, "expected")
        return to.either(to.both(untried, first), 0, to.minus(expected, taken), "gain")

    def _begins(self) -> Register:
        """Are these the first steps of all?"""
        to = self.to
        unknown = to.is_equal(self._got(control.TICKS_ALONE, "alone"), NONE, "unknown")
        warms = to.is_equal(self._got(control.STAGE, "stage"), TOGETHER_WARMING)
        return to.both(unknown, warms, "begins")

    def _begin(self) -> None:
        """All threads go on if the first step has taken long, else they are compared with one."""
        to = self.to
        long = to.is_at_most(LONG, self._got(control.LEAST, "least"), "long")
        self._put(control.KEPT, to.either(long, 1, 0))
        self._put(control.STAGE, to.either(long, CHOSEN, ALONE_WARMING))
        self._put(control.LEFT, to.either(long, FIRST_STRETCH, 1))

    def _forget(self) -> None:
        """What the trials of a stage took."""
        self._put(control.LEAST, NONE)
        self._put(control.SECOND, NONE)

    def _next_stage(self, ticks: Register) -> None:
        to, stage = self.to, self._got(control.STAGE, "stage")
        measured = to.is_equal(stage, ALONE, "measured")
        short = to.both(to.is_less(0, ticks), to.is_less(ticks, ENOUGH), "short")
        again = to.both(measured, short, "again")
        trial = self._got(control.TRIAL, "trial")
        trial = to.either(again, to.times(trial, 2), trial, "steps")
        following = to.either(to.is_equal(stage, CHOSEN), ALONE_WARMING, to.plus(stage, 1))
        following = to.either(again, ALONE, following, "following")
        warms = to.is_equal(to.compute("bit_and", following, to.integer(1)), 0, "warms")
        left = to.either(warms, to.smaller(trial, WARMING), to.times(trial, TIMES))
        self._put(control.TRIAL, trial)
        self._put(control.LEFT, left)
        self._put(control.STAGE, following)
        with to.when(measured):
            self._put(control.TICKS_ALONE, ticks)
        with to.when(to.is_equal(stage, TOGETHER)):
            self._choose(trial, ticks)

    def _choose(self, trial: Register, ticks: Register) -> None:
        """What was quicker, and for how long."""
        to, alone = self.to, self._got(control.TICKS_ALONE, "alone")
        together = to.is_at_most(ticks, alone)
        kept = to.either(together, 1, 0, "together")
        same = to.is_equal(kept, self._got(control.KEPT, "kept"), "same")
        longer = to.times(self._got(control.STRETCH, "stretch"), GROWTH)
        longer = to.smaller(longer, LONGEST_STRETCH)
        shortest = to.either(together, FIRST_STRETCH, FIRST_ALONE)
        stretch = to.larger(to.either(same, longer, 0), shortest, "stretch")
        self._put(control.KEPT, kept)
        self._put(control.STRETCH, stretch)
        self._put(control.LEFT, to.times(trial, stretch))

    def _got(self, word: int, name: str) -> Register:
        return self.to.load(self.team.word(self.to, word, name), name=name)

    def _put(self, word: int, value: Number) -> None:
        self.to.store(self.to.integer(value), self.team.word(self.to, word, "pace"))
