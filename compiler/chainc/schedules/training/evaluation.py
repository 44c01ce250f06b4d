"""Evaluation on other data, batch by batch.

    evaluate.all(arena, table, job, thread, threads): false if a kernel has failed

It is a routine of its own, so that what trains can be compiled without it.
"""

from __future__ import annotations

from chainc.loops.language import Routine
from chainc.schedules.training import layout as words
from chainc.schedules.training.author import Author
from chainc.schedules.training.layout import order_room, order_rows


class EvaluateAll(Author):
    """Writes the routine; there is one batch at least."""

    def routine(self) -> Routine:
        to, batch, what = self.to, self.layout.batch_size, self.parts.evaluate
        held_out = self.of_job(words.HELD_OUT, "held_out")
        kinds = self.of_job(words.HELD_OUT_BYTES, "bytes")
        order = self.own_order(order_room(order_rows(batch)))
        with to.repeat([to.integer(0, "start"), to.truth(True, "complete")]) as loop:
            start, _ = loop.values
            rows = to.smaller(to.minus(held_out, start), batch, "rows")
            to.run(self.parts.given_order, order, start, to.plus(start, rows))
            self.gather(what, order, rows, kinds)
            passed = self.run(what, rows)
            with to.when(to.both(passed, self.leads)):
                to.run(what.add, self.team.arena, rows)
            following = to.plus(start, batch)
            again = to.both(passed, to.is_less(following, held_out), "again")
            loop.carry(following, passed, again=again)
        passed = loop.results[1]
        with to.when(passed):
            self.finish(what, held_out)
        return to.routine("evaluate.all", "the validation data", result=passed)
