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
from chainc.schedules.training import layout as training
from chainc.schedules.training.layout import Visit

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
        self.seed = places.seed
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
        body.lines += [_loaded("step", self._offset("step")), _loaded("seed", self.seed)]
        body.within("%step", 0, MOST_STEPS)
        body.word("rows", "%job", 0)
        body.last_batch("%rows", self.interface.batch_size, self.interface.least_rows)
        body.word("held_out", "%validation", 0)
        end = self.interface.end
        if end is not None and end.needs_validation:
            body.within("%held_out", 1, MOST_ROWS)
        ends = "1" if end is None else self._ends(body)
        bits = self._bits(body, "bits", "%job", self.layout.step)
        held_out_bits = self._bits(body, "held", "%validation", self.layout.evaluate)
        plan = {
            training.COUNT: "%rows",
            training.FIRST: "%step",
            training.LAST: "%last",
            training.SEED: "%seed",
            training.HELD_OUT: "%held_out",
            training.BYTES: bits,
            training.HELD_OUT_BYTES: held_out_bits,
            training.ENDS: ends,
            training.SEEN: "0",
        }
        return templates.BEGIN.substitute(
            guards=body.text,
            last_row=self.interface.batch_size - 1,
            batch=self.interface.batch_size,
            header_bytes=control_block.CONTROL_BYTES,
            stores="\n".join([*self._planned(plan), *self._no_totals()]),
        )

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
        bits = self._bits(body, "bits", "%data", self.layout.step)
        outputs = range(self.layout.reported)
        return templates.STEP.substitute(
            places=len(self.code.table),
            guards=body.text,
            stores="\n".join([_no_failure(), *self._no_totals()]),
            orders=self.layout.orders,
            bits=bits,
            record=self.layout.record,
            results="\n".join(templates.RESULT.substitute(i=i, column=1 + i) for i in outputs),
            failure=FAILURE,
        )

    def evaluate(self) -> str:
        """The mean of each output over the rows given."""
        outputs = self.layout.reported
        body = self._data_body()
        self._arrays(body, "%data", "validation")
        bits = self._bits(body, "bits", "%data", self.layout.evaluate)
        body.lines.append(_placed(self.code.table["history"], "%history"))
        plan = self._planned({training.HELD_OUT: "%rows", training.HELD_OUT_BYTES: bits})
        none = store("epochs", control_block.EPOCHS, "0")
        return templates.EVALUATE.substitute(
            places=len(self.code.table),
            columns=self.layout.columns,
            guards=body.text,
            stores="\n".join([_no_failure(), none, *plan, *self._no_totals()]),
            plan=self.own + PLAN,
            none=store("epochs.after", control_block.EPOCHS, "0"),
            bad_index=BAD_INDEX,
            results="\n".join(
                templates.MEAN.substitute(i=i, column=2 + outputs + i) for i in range(outputs)
            ),
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

    def _offset(self, key: str) -> int:
        return next(each.offset for each in self.interface.tensors if each.key == key)

    def _arrays(self, body: Body, pointer: str, source: str) -> None:
        """The pointers of a data set, put into the table."""
        for i, each in enumerate(self.interface.inputs):
            name = f"{source}.{i}"
            body.word(name, pointer, 1 + i, "ptr")
            body.lines.append(_placed(self.code.table[f"{source}/{each.key}"], f"%{name}"))

    def _bits(self, body: Body, name: str, pointer: str, visit: Visit) -> str:
        """Which arrays hold uint8, in the order of the visit; see `training.BYTES`."""
        body.word(f"{name}.given", pointer, self.words - 1)
        keys = {place: key.split("/", 1)[-1] for key, place in self.code.table.items()}
        given = [each.key for each in self.interface.inputs]
        result = "0"
        for i, each in enumerate(visit.inputs):
            body.lines.append(
                templates.MOVED_BIT.substitute(
                    name=name,
                    i=i,
                    value=f"%{name}.given",
                    source=given.index(keys[each.array]),
                    target=i,
                    before=result,
                )
            )
            result = f"%{name}.{i}"
        return result

    def _planned(self, plan: dict[int, str]) -> Sequence[str]:
        start = self.own + PLAN
        return [store(f"plan.{word}", start + 8 * word, value) for word, value in plan.items()]

    def _no_totals(self) -> Sequence[str]:
        return [
            templates.CLEARED.substitute(
                name=visit.name, offset=visit.totals, bytes=-(-8 * visit.added // 64) * 64
            )
            for visit in (self.layout.step, self.layout.evaluate)
        ]


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
