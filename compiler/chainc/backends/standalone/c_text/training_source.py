"""A training as C source: its kernels and routines, and behind them what the header declares.

What the functions check is what `entry_points` and `run_entries` check in LLVM text; what they do
then are the same routines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from string import Template

from chainc.backends.c.file import CALL, FIRST, PLAN, RUN, SINGLE, CFile, Entry
from chainc.backends.epochs import MOST_STEPS
from chainc.backends.standalone.c_text.checks import (
    HELPERS,
    checks,
    indices_within,
    is_null,
    mark_literal,
)
from chainc.backends.standalone.interface import C_TYPES, Interface, Prediction, RowArray
from chainc.backends.standalone.library import Planned
from chainc.dataclass import dataclass
from chainc.schedules.program import control_block

SOURCE = Template("""\
// What $name.h declares

#include "$name.h"

$checks

static int check_data(const ${name}_data *data) {
    if (data == NULL) return ${NAME}_BAD_ARGUMENT;
    if (data->rows < 1 || data->rows > ${NAME}_MOST_ROWS) return ${NAME}_BAD_ARGUMENT;
    if ($no_array) return ${NAME}_BAD_ARGUMENT;
    if (data->bytes & ~INT64_C($flags)) return ${NAME}_BAD_ARGUMENT;
$indices    return ${NAME}_OK;
}

const char *${name}_version(void) {
    return ${NAME}_VERSION;
}

int ${name}_init(void *arena, int64_t seed) {
    if (!is_aligned(arena)) return ${NAME}_BAD_ARGUMENT;
    memset(arena, 0, ${NAME}_ARENA_BYTES);
    first_values(arena, NULL, seed, $mark);
    return ${NAME}_OK;
}

int ${name}_get(void *arena, int tensor, void *values) {
    int result = check_arena(arena);
    if (result) return result;
    if (values == NULL) return ${NAME}_BAD_ARGUMENT;
    void *table[] = {values};
    switch (tensor) {
$gets
    }
    return ${NAME}_BAD_ARGUMENT;
}

int ${name}_set(void *arena, int tensor, const void *values) {
    int result = check_arena(arena);
    if (result) return result;
    if (values == NULL) return ${NAME}_BAD_ARGUMENT;
    void *table[] = {(void *)values};
    switch (tensor) {
$sets
    }
    return ${NAME}_BAD_ARGUMENT;
}

int ${name}_begin(void *arena, const ${name}_job *job) {
    int result = check_arena(arena);
    if (result) return result;
    if (job == NULL) return ${NAME}_BAD_ARGUMENT;
    result = check_data(&job->training);
    if (!result && job->validation.rows) result = check_data(&job->validation);
    if (result) return result;
    if (job->epochs < 1 || job->epochs > ${NAME}_MOST_EPOCHS) return ${NAME}_BAD_ARGUMENT;
    if (job->history == NULL$asked) return ${NAME}_BAD_ARGUMENT;
    int64_t rows = job->training.rows, first = *word(arena, $step);
    if (first < 0 || first > INT64_C($most_steps)) return ${NAME}_BAD_ARGUMENT;
$least    plan_run(arena, rows, job->validation.rows, job->epochs, job->training.bytes,
        job->validation.bytes, $ends);
    return ${NAME}_OK;
}

int ${name}_train_thread(void *arena, const ${name}_job *job, int64_t thread, int64_t threads) {
    int result = check_arena(arena);
    if (result) return result;
    if (job == NULL || threads < 1 || threads > ${NAME}_MOST_THREADS) return ${NAME}_BAD_ARGUMENT;
    if (thread < 0 || thread >= threads) return ${NAME}_BAD_ARGUMENT;
    void *table[$places] = {0};
$of_job
    run_epochs(arena, table, word(arena, $plan), thread, threads);
    return failure(arena);
}

int ${name}_train(void *arena, const ${name}_job *job) {
    int result = ${name}_begin(arena, job);
    return result ? result : ${name}_train_thread(arena, job, 0, 1);
}

void ${name}_stop(void *arena) {
    __atomic_store_n(word(arena, $STOP), 1, __ATOMIC_RELEASE);
}

int64_t ${name}_records(const void *arena) {
    return __atomic_load_n(word((void *)arena, $EPOCHS), __ATOMIC_ACQUIRE);
}
$ended
int ${name}_step(void *arena, const ${name}_data *batch, double *outputs) {
    int result = check_arena(arena);
    if (!result) result = check_data(batch);
    if (result) return result;
    if (outputs == NULL || batch->rows < $least_rows || batch->rows > ${NAME}_BATCH)
        return ${NAME}_BAD_ARGUMENT;
    void *table[$places] = {0};
$of_batch
    one_step(arena, table, outputs, batch->rows, batch->bytes);
    return failure(arena);
}

int ${name}_evaluate(void *arena, const ${name}_data *data, double *outputs) {
    int result = check_arena(arena);
    if (!result) result = check_data(data);
    if (result) return result;
    if (outputs == NULL) return ${NAME}_BAD_ARGUMENT;
    double history[${NAME}_HISTORY_COLUMNS];
    void *table[$places] = {0};
$of_data
    table[$history] = history;
    means(arena, table, outputs, data->rows, data->bytes);
    return failure(arena);
}
$predict""")

CASE = Template(
    "    case ${NAME}_TENSOR_$word: ${what}_$i(arena, table, 1, 0, 1); return ${NAME}_OK;"
)
LEAST = Template("""\
    int64_t rest = rows % ${NAME}_BATCH;
    if (rest && rest < ${NAME}_LEAST_ROWS) return ${NAME}_BAD_ARGUMENT;
""")
ENDED = Template("""
int64_t ${name}_ended(const void *arena) {
    return __atomic_load_n(word((void *)arena, $ENDED), __ATOMIC_ACQUIRE);
}
""")
PREDICT = Template("""
int ${name}_predict(void *arena, $parameters) {
    int result = check_arena(arena);
    if (result) return result;
    if ($no_array || $results == NULL) return ${NAME}_BAD_ARGUMENT;
    if (rows < 1 || rows > $most) return ${NAME}_BAD_ARGUMENT;
$indices    *word(arena, $FAILURE) = 0;
    for (int64_t start = 0; start < rows; start += ${NAME}_BATCH) {
        int64_t left = rows - start;
        void *table[] = {$table};
        predict(arena, table, left < ${NAME}_BATCH ? left : ${NAME}_BATCH, 0, 1);
    }
    return failure(arena);
}
""")


@dataclass(frozen=True)
class Source:
    """A file of C, and what its header must say."""

    text: str
    interface: Interface
    version: str


def training_source(plan: Planned) -> Source:
    """The file of a training."""
    interface = plan.interface
    shown = (*interface.functions, "data", "job")
    taken = [
        *HELPERS,
        "check_data",
        *(f"{interface.name}_{each}" for each in shown),
    ]
    kernels = CFile(list(_entries(plan)), reserved=taken).text()
    version = plan.version(kernels)
    return Source(f"{kernels}\n{_Functions(plan, version).text()}", interface, version)


def _entries(plan: Planned) -> Iterator[Entry]:
    """What the functions call."""
    loop = plan.code.written.loop
    yield Entry("first_values", FIRST, (plan.first,), shown=False)
    for i, (given, taken) in enumerate(plan.exchange):
        yield Entry(f"set_{i}", CALL, (given,), shown=False)
        yield Entry(f"get_{i}", CALL, (taken,), shown=False)
    yield Entry("run_epochs", RUN, (loop.train,), shown=False)
    yield Entry("plan_run", PLAN, (plan.job,), shown=False)
    yield Entry("one_step", SINGLE, (plan.step,), shown=False)
    yield Entry("means", SINGLE, (plan.means,), shown=False)
    if plan.predict is not None:
        yield Entry("predict", CALL, (plan.predict,), shown=False)


class _Functions:
    """Those that the header declares."""

    def __init__(self, plan: Planned, version: str) -> None:
        self.plan, self.version = plan, version
        self.interface = interface = plan.interface
        self.table = plan.code.table
        self.names = {"name": interface.name, "NAME": interface.prefix}

    def text(self) -> str:
        interface = self.interface
        prediction = interface.prediction
        asked = (*interface.inputs, *(prediction.inputs if prediction else ()))
        return SOURCE.substitute(
            self.names,
            **self._numbers(),
            checks=checks(interface.prefix, self.version, self.plan.places.mark, asked),
            no_array=is_null([f"data->{each.word}_data" for each in interface.inputs]),
            flags=sum(1 << i for i, each in enumerate(interface.inputs) if each.may_be_bytes),
            indices="".join(self._indices(interface.inputs, "data->", "data->rows")),
            mark=mark_literal(self.version),
            gets="\n".join(self._cases("get")),
            sets="\n".join(self._cases("set")),
            asked=self._asked(),
            least=LEAST.substitute(self.names) if interface.least_rows > 1 else "",
            ends="1" if interface.end is None else "!job->continues",
            of_job="\n".join(self._of_job()),
            of_batch="\n".join(self._arrays("data", "batch->")),
            of_data="\n".join(self._arrays("validation", "data->")),
            ended="" if interface.end is None else self._ended(),
            predict="" if prediction is None else self._predict(prediction),
        )

    def _numbers(self) -> Mapping[str, int]:
        """Offsets in the arena, and places of the table."""
        return {
            "STOP": control_block.STOP,
            "EPOCHS": control_block.EPOCHS,
            "most_steps": MOST_STEPS,
            "least_rows": self.interface.least_rows,
            "step": self.plan.places.step,
            "plan": self.plan.places.plan,
            "places": len(self.table),
            "history": self.table["history"],
        }

    def _indices(self, arrays: Sequence[RowArray], owner: str, rows: str) -> Iterator[str]:
        for each in arrays:
            array = f"{owner}{each.word}_data"
            yield from indices_within(self.interface.prefix, each, array, rows)

    def _cases(self, what: str) -> Iterator[str]:
        for i, tensor in enumerate(self.interface.tensors):
            yield CASE.substitute(self.names, word=tensor.constant, what=what, i=i)

    def _asked(self) -> str:
        """What a rule that ends a training needs of a job."""
        end = self.interface.end
        if end is None:
            return ""
        more = " || job->validation.rows < 1" if end.needs_validation else ""
        return f" || (job->continues & ~INT64_C(1)){more}"

    def _of_job(self) -> Iterator[str]:
        yield from self._arrays("data", "job->training.")
        yield from self._arrays("validation", "job->validation.")
        yield f"    table[{self.table['history']}] = job->history;"

    def _arrays(self, kind: str, owner: str) -> Iterator[str]:
        for each in self.interface.inputs:
            place = self.table[f"{kind}/{each.key}"]
            yield f"    table[{place}] = (void *){owner}{each.word}_data;"

    def _ended(self) -> str:
        return ENDED.substitute(self.names, ENDED=control_block.ENDED)

    def _predict(self, prediction: Prediction) -> str:
        inputs, result, prefix = prediction.inputs, prediction.output, self.interface.prefix
        named = [(each, f"{each.word}_data") for each in inputs]
        given = [f"const {C_TYPES[each.dtype]} *{name}" for each, name in named]
        rows = [(each, name) for each, name in (*named, (result, result.word))]
        table = (f"(void *)({name} + start * {each.row_elements})" for each, name in rows)
        return PREDICT.substitute(
            self.names,
            parameters=", ".join(
                [*given, "int64_t rows", f"{C_TYPES[result.dtype]} *{result.word}"]
            ),
            no_array=is_null([name for _, name in named]),
            results=result.word,
            most=f"{prefix}_MOST_ROWS" if prediction.by_row else f"{prefix}_BATCH",
            indices="".join(self._indices(inputs, "", "rows")),
            FAILURE=control_block.FAILURE,
            table=", ".join(table),
        )
