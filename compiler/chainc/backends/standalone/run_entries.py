"""The functions that C calls to train, to do one step, to evaluate and to predict.

Tables of pointers lie on the stack of each call; the plan of a run lies in the arena, where every
thread finds it.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainc.backends.epochs import MOST_STEPS
from chainc.backends.standalone import entry_templates as templates
from chainc.backends.standalone.entry_points import (
    ARENA,
    PLAN,
    EntryContext,
    function,
    internal,
)
from chainc.backends.standalone.guards import Body, store
from chainc.backends.standalone.interface import (
    BAD_INDEX,
    MOST_EPOCHS,
    MOST_ROWS,
    Interface,
    Prediction,
    RowArray,
)
from chainc.schedules.program import control_block

JOB = "ptr %arena, ptr %job"
THREAD = f"{JOB}, i64 %thread, i64 %threads"
DATA = "ptr %arena, ptr %data, ptr %outputs"

FAILURE = templates.FAILURE.substitute(offset=control_block.FAILURE, bad_index=BAD_INDEX)


def run_functions(interface: Interface, places: EntryContext) -> Sequence[str]:
    """`train`, `begin` and `train_thread`, `step`, `evaluate`, and `predict` if there is one."""
    run = _Run(interface, places)
    forward = templates.FORWARD.substitute
    functions = [
        internal("begin", JOB, run.begin()),
        internal("work", THREAD, run.work()),
        function(interface, "train", JOB, templates.TRAIN),
        function(interface, "begin", JOB, forward(function="begin", arguments=JOB)),
        function(interface, "train_thread", THREAD, forward(function="work", arguments=THREAD)),
        function(interface, "step", DATA, run.step()),
        function(interface, "evaluate", DATA, run.evaluate()),
    ]
    if interface.prediction is not None:
        pointers = [f"ptr %array.{i}" for i in range(len(interface.prediction.inputs))]
        arguments = ", ".join([ARENA, *pointers, "i64 %rows", "ptr %results"])
        functions.append(
            function(interface, "predict", arguments, _predict(interface, interface.prediction))
        )
    return functions


class _Run:
    """Functions over the struct of a data set, or of a job, which holds two of them."""

    def __init__(self, interface: Interface, places: EntryContext) -> None:
        self.interface = interface
        self.own = places.own
        self.steps = places.step
        self.code = places.code
        self.layout = places.code.layout
        self.words = len(interface.inputs) + 2  # of the struct of a data set

    def begin(self) -> str:
        """Check a job and plan it, so that every thread does the same."""
        words = self.words
        body = Body()
        body.passes("arena.check", "%arena")
        body.not_null("%job")
        body.passes("data.check", "%job")
        body.lines.append(f"  %validation = getelementptr i64, ptr %job, i64 {words}")
        body.passes("data.check.optional", "%validation")
        body.word("epochs", "%job", 2 * words)
        body.within("%epochs", 1, MOST_EPOCHS)
        body.word("history", "%job", 2 * words + 1, "ptr")
        body.not_null("%history")
        body.lines.append(_loaded("step", self.steps))
        body.within("%step", 0, MOST_STEPS)
        body.word("rows", "%job", 0)
        body.last_batch("%rows", self.interface.batch_size, self.interface.least_rows)
        body.word("held_out", "%validation", 0)
        end = self.interface.end
        if end is not None and end.needs_validation:
            body.within("%held_out", 1, MOST_ROWS)
        ends = "1" if end is None else self._ends(body)
        body.word("bytes", "%job", words - 1)
        body.word("held_out.bytes", "%validation", words - 1)
        values = ("%rows", "%held_out", "%epochs", "%bytes", "%held_out.bytes", ends)
        given = ", ".join(f"i64 {value}" for value in values)
        return f"{body.text}\n  call void @plan(ptr %arena, {given})\n  ret i32 0"

    def work(self) -> str:
        """What one thread does of the job."""
        body = Body()
        body.passes("arena.check", "%arena")
        body.not_null("%job")
        body.within("%threads", 1, self.interface.threads)
        body.below("%thread", "%threads")
        self._arrays(body, "%job", "data")
        body.lines.append(f"  %validation = getelementptr i64, ptr %job, i64 {self.words}")
        self._arrays(body, "%validation", "validation")
        body.word("history", "%job", 2 * self.words + 1, "ptr")
        body.lines.append(_placed(self.code.table["history"], "%history"))
        return templates.WORK.substitute(
            places=len(self.code.table), guards=body.text, plan=self.own + PLAN, failure=FAILURE
        )

    def step(self) -> str:
        """One step over the rows given, in their order."""
        body = self._data_body()
        body.within("%rows", self.interface.least_rows, self.interface.batch_size)
        self._arrays(body, "%data", "data")
        return self._single(body, "single.step")

    def evaluate(self) -> str:
        """The mean of each output over the rows given."""
        body = self._data_body()
        self._arrays(body, "%data", "validation")
        body.lines.append(f"  %history = alloca [{self.layout.columns} x double], align 8")
        body.lines.append(_placed(self.code.table["history"], "%history"))
        return self._single(body, "single.means")

    def _single(self, body: Body, routine: str) -> str:
        body.word("bytes", "%data", self.words - 1)
        return templates.SINGLE.substitute(
            places=len(self.code.table), guards=body.text, routine=routine, failure=FAILURE
        )

    def _ends(self, body: Body) -> str:
        """Does the training end with this job, unless a rule ends it before?"""
        body.word("continues", "%job", 2 * self.words + 2)
        body.within("%continues", 0, 1)
        body.lines.append("  %ends = sub i64 1, %continues")
        return "%ends"

    def _data_body(self) -> Body:
        body = Body()
        body.passes("arena.check", "%arena")
        body.passes("data.check", "%data")
        body.not_null("%outputs")
        body.word("rows", "%data", 0)
        return body

    def _arrays(self, body: Body, pointer: str, source: str) -> None:
        """The pointers of a data set, put into the table."""
        for i, each in enumerate(self.interface.inputs):
            name = f"{source}.{i}"
            body.word(name, pointer, 1 + i, "ptr")
            body.lines.append(_placed(self.code.table[f"{source}/{each.key}"], f"%{name}"))


def _predict(interface: Interface, prediction: Prediction) -> str:
    arrays = (*prediction.inputs, prediction.output)
    pointers = [*(f"%array.{i}" for i in range(len(prediction.inputs))), "%results"]
    body = Body()
    body.passes("arena.check", "%arena")
    for pointer in pointers:
        body.not_null(pointer)
    body.within("%rows", 1, MOST_ROWS if prediction.by_row else interface.batch_size)
    for each, pointer in zip(prediction.inputs, pointers, strict=False):
        body.indices(each, pointer)
    table = [_part(*each) for each in zip(range(len(arrays)), arrays, pointers, strict=True)]
    return templates.PREDICT.substitute(
        places=len(arrays),
        guards=body.text,
        stores=_no_failure(),
        block=body.block,
        batch=interface.batch_size,
        table="\n".join(table),
        failure=FAILURE,
    )


def _part(place: int, rows: RowArray, pointer: str) -> str:
    """The table's entry: an array from the row on that is next."""
    row_bytes = rows.row_elements * rows.dtype.itemsize
    start = templates.FROM_ROW.substitute(place=place, row_bytes=row_bytes, pointer=pointer)
    return f"{start}\n{_placed(place, f'%from.{place}')}"


def _placed(place: int, pointer: str) -> str:
    return templates.PLACE.substitute(place=place, pointer=pointer)


def _loaded(name: str, offset: int) -> str:
    return templates.LOAD.substitute(name=name, offset=offset)


def _no_failure() -> str:
    return store("failure.before", control_block.FAILURE, "0")
