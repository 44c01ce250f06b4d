"""The training loop as LLVM text: epochs, shuffled minibatches, totals, validation.

    void train(char *arena, void **table, int64_t *job, int64_t thread, int64_t threads) {
        steps_per_epoch = ceil(count / BATCH);
        epoch = first / steps_per_epoch, start = first % steps_per_epoch * BATCH;
        for (step = first; step < last; step++) {
            if (thread == 0) GO = STOP == 0;
            rows = min(BATCH, count - start);
            if (start is past what is known of the order) make more of it;
            gather those rows of every input into its batch buffer;
            barrier();
            if (!GO) break;
            STEP(arena, table, rows, thread, threads);
            barrier();
            if (FAILURE) { FAILED_STEP = step; return; }
            if (thread == 0) totals += outputs * rows, STEPS++;
            start += BATCH;
            if (start >= count) { record the epoch; epoch++, start = 0; }
        }
        if (rows have been seen since the last record) record the epoch;
    }

Every thread runs it and decides the same: what they share lies before a barrier when it is
written and after it when it is read. Each makes the whole order of the rows for itself.

A record is a row of float64 in the history: rows seen, the sum over them of each output, rows of
the validation data, the sum of each output of the evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainc.backends.llvm.printing.spelling import element
from chainc.backends.llvm.runtime import control_block
from chainc.backends.llvm.training.shuffling import KEYS_BYTES, LANES, shuffling
from chainc.backends.llvm.training.templates import (
    ADD,
    ADD_ONE,
    COUNT_COLUMN,
    FAILURE,
    GATHER,
    GATHER_CALL,
    GATHER_CHOICE,
    GATHER_ONE,
    GIVEN_ORDER,
    GO,
    JOB_WORD,
    LEADING,
    MAKE_GIVEN,
    MAKE_SHUFFLED,
    OWN_ORDER,
    RECORD,
    SLOT,
    SUM_COLUMN,
    TRAIN,
)
from chainc.ir.types import DType, bool_, float64

# the words of `job`, 64 bits each
COUNT = 0  # rows of the data
FIRST = 1  # step
LAST = 2  # the step that is not done any more
SEED = 3
HELD_OUT = 4  # rows of the validation data, or 0
BYTES = 5  # bit i: the data of the step's input i are uint8
HELD_OUT_BYTES = 6  # the same of the evaluation's inputs
JOB_WORDS = 7


@dataclass(frozen=True)
class BatchInput:
    """An input whose rows are gathered into a batch.

    `gather` is a function (ptr data, ptr order, ptr batch, i64 rows, i64 thread, i64 threads);
    `gather_bytes` the same for data of type uint8, where that is not the declared type.
    """

    gather: str
    gather_bytes: str | None
    array: int  # place of the data in the table
    batch: int  # offset of the batch in the arena


@dataclass(frozen=True)
class Output:
    """A scalar in the arena."""

    offset: int
    dtype: DType


@dataclass(frozen=True)
class Visit:
    """What is done with a batch.

    `function` takes (ptr arena, ptr table, i64 rows, i64 thread, i64 threads).
    """

    function: str
    inputs: tuple[BatchInput, ...]
    outputs: tuple[Output, ...]


@dataclass(frozen=True)
class TrainingLayout:
    """What the loop must know of the program that it repeats."""

    batch_size: int
    shuffle: bool
    order_stream: int
    step: Visit
    evaluate: Visit  # as many outputs as the step, gathered from the validation data
    orders: int  # offset in the arena of `order_bytes(batch_size)` bytes a thread
    totals: int  # offset in the arena of `totals_bytes(outputs)` bytes, multiple of 8
    history: int  # place of the history in the table

    @property
    def columns(self) -> int:
        """Numbers in a record."""
        return 2 + len(self.step.outputs) + len(self.evaluate.outputs)


def order_bytes(batch_size: int) -> int:
    """Room that a thread needs for the order of the rows, in training and in validation."""
    return 2 * _order_room(batch_size) + KEYS_BYTES


def totals_bytes(outputs: int) -> int:
    """Room for the sums of the outputs of the step and of the evaluation, counted together."""
    return 8 * outputs


def _order_room(batch_size: int) -> int:
    return 8 * LANES * -(-_order_rows(batch_size) // LANES)


def _order_rows(batch_size: int) -> int:
    """Whole batches."""
    return batch_size * max(1, LANES // batch_size)


SIGNATURE = "ptr %arena, ptr %table, ptr %job, i64 %thread, i64 %threads"
THREADS = "i64 %thread, i64 %threads"


def training_text(layout: TrainingLayout) -> str:
    """`@train` and `@validate`, exported; both are called once a thread, with the same job.

    `@validate` evaluates the validation data alone, and leaves one record. The module must also
    have the functions named in the layout, and those of `entry.environment` and
    `threads.barrier`.
    """
    rows = _order_rows(layout.batch_size)
    return "\n".join([
        _train(layout),
        LEADING.substitute(stop=control_block.STOP, go=control_block.GO, steps=control_block.STEPS),
        shuffling(layout.order_stream, rows) if layout.shuffle else "",
        GIVEN_ORDER.substitute(rows=rows),
        _gather("step", layout.step),
        _add("step", layout.step, layout.totals),
        _record(layout),
        _gather("evaluate", layout.evaluate),
        _add("evaluate", layout.evaluate, _validation_totals(layout)),
    ])  # fmt: skip


def _train(layout: TrainingLayout) -> str:
    return TRAIN.substitute(
        signature=SIGNATURE,
        threads=THREADS,
        job=_job(count=COUNT, first=FIRST, last=LAST, seed=SEED, bytes=BYTES),
        batch=layout.batch_size,
        last_row=layout.batch_size - 1,
        order=_own_order(layout, layout.orders),
        make=_make(layout),
        slot=_slot(layout),
        apart="%slot" if layout.shuffle else 0,
        go=GO.substitute(go=control_block.GO),
        step=layout.step.function,
        failure=FAILURE.substitute(failure=control_block.FAILURE),
        failed_step=control_block.FAILED_STEP,
    )


def _record(layout: TrainingLayout) -> str:
    return RECORD.substitute(
        threads=THREADS,
        job=_job(held_out=HELD_OUT, bytes=HELD_OUT_BYTES),
        order=_own_order(layout, layout.orders + _order_room(layout.batch_size)),
        batch=layout.batch_size,
        evaluate=layout.evaluate.function,
        failure=FAILURE.substitute(failure=control_block.FAILURE),
        epochs=control_block.EPOCHS,
        history=layout.history,
        columns=layout.columns,
        columns_written="\n".join(_columns(layout)),
    )


def _columns(layout: TrainingLayout) -> Sequence[str]:
    outputs = len(layout.step.outputs)
    lines = [COUNT_COLUMN.substitute(column=0, rows="seen")]
    lines += _sum_columns(1, layout.totals, outputs)
    lines.append(COUNT_COLUMN.substitute(column=1 + outputs, rows="held_out"))
    lines += _sum_columns(2 + outputs, _validation_totals(layout), len(layout.evaluate.outputs))
    return lines


def _sum_columns(first: int, totals: int, outputs: int) -> Sequence[str]:
    return [SUM_COLUMN.substitute(column=first + i, total=totals + 8 * i) for i in range(outputs)]


def _validation_totals(layout: TrainingLayout) -> int:
    return layout.totals + 8 * len(layout.step.outputs)


def _job(**words: int) -> str:
    return "\n".join(JOB_WORD.substitute(name=name, word=word) for name, word in words.items())


def _own_order(layout: TrainingLayout, orders: int) -> str:
    return OWN_ORDER.substitute(order_bytes=order_bytes(layout.batch_size), orders=orders)


def _slot(layout: TrainingLayout) -> str:
    if not layout.shuffle:
        return ""
    return SLOT.substitute(lanes=LANES, keys=2 * _order_room(layout.batch_size))


def _make(layout: TrainingLayout) -> str:
    make = MAKE_SHUFFLED if layout.shuffle else MAKE_GIVEN
    return make.substitute(rows=_order_rows(layout.batch_size))


def _gather(visit: str, what: Visit) -> str:
    calls = [_gather_one(i, each) for i, each in enumerate(what.inputs)]
    return GATHER.substitute(visit=visit, calls="\n".join(calls))


def _gather_one(i: int, each: BatchInput) -> str:
    call = GATHER_CALL.substitute(function=each.gather, i=i, threads=THREADS)
    if each.gather_bytes is not None:
        converting = GATHER_CALL.substitute(function=each.gather_bytes, i=i, threads=THREADS)
        call = GATHER_CHOICE.substitute(i=i, mask=1 << i, plain=call, converting=converting)
    return GATHER_ONE.substitute(i=i, array=each.array, batch=each.batch, call=call)


def _add(visit: str, what: Visit, totals: int) -> str:
    sums = [_add_one(i, each, totals + 8 * i) for i, each in enumerate(what.outputs)]
    return ADD.substitute(visit=visit, sums="\n".join(sums))


def _add_one(i: int, output: Output, total: int) -> str:
    dtype = output.dtype
    return ADD_ONE.substitute(
        i=i,
        offset=output.offset,
        memory=_in_memory(dtype),
        size=dtype.itemsize,
        widened=_widened(f"%value.{i}", dtype),
        total=total,
    )


def _widened(value: str, dtype: DType) -> str:
    """The instruction that makes a double of a value that has been loaded."""
    kind = _in_memory(dtype)
    if dtype == float64:
        return f"fadd double {value}, -0.0"
    if dtype.is_float:
        return f"fpext {kind} {value} to double"
    return f"{'uitofp' if kind == 'i8' else 'sitofp'} {kind} {value} to double"


def _in_memory(dtype: DType) -> str:
    return "i8" if dtype == bool_ else element(dtype)
