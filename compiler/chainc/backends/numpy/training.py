"""The training loop as source: epochs, shuffled minibatches, the smaller last batch, metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping

from chainc.backends.listing import Line, Listing
from chainc.backends.numpy.expressions import quoted
from chainc.backends.numpy.module import function_lines, listed, prepare
from chainc.ir.types import static
from chainc.lowering.program import EpochEnd, Program, Summary, TrainingLoop
from chainc.lowering.views import Buffer

TRAIN = '''\
def train(data, state, sums, first, epochs, stop):
    """Run epochs; after each, yield (epoch, rows seen, what is reported of them, is it complete?).

    data: arrays by input name; the rows of {rows} are visited in {order}.
    state: arrays by slot name, updated in place.
    sums: rows seen of the epoch that is begun, and what is added up over them; updated in place.
    first: the step to continue with, as a number of steps over rows as many as these.
    stop: a function without arguments, asked before every step.
    """
    count = len(data[{first}])
    steps = -(-count // {size})
    seed = int(state["seed"])
    full = {bind_full}
    rest = {bind_rest} if count % {size} else None
{gather}
    totals, stopped = sums[1:], False
    first_epoch, done = divmod(first, steps)
    for epoch in range(first_epoch, first_epoch + epochs):
        order = {permutation}
        for start in range(done * {size}, count, {size}):
            stopped = stop()
            if stopped:
                break
            rows = order[start : start + {size}]
            if len(rows) == {size}:
{take}
                values = full({full})
            else:
                values = rest({rest})
            {add}
            sums[0] += len(rows)
        if sums[0]:
            yield epoch, int(sums[0]), {reported}, not stopped
        if stopped:
            return
        sums[:] = done = 0
'''

EVALUATE = '''\
def validate(data, state):
    """What is reported of all rows of the data; nothing is updated."""
    count = len(data[{first}])
    totals = np.zeros({totals})
    for start in range(0, count, {chunk}):
        part = slice(start, start + {chunk})
        rows = min({chunk}, count - start)
        values = {bind}({arguments})
        {add}
    return {reported}
'''

END_EPOCH = '''\
def end_epoch(data, state, record, last):
    """Update the state with what follows from the record of an epoch; is the training over?

    last: the run ends with this epoch.
    """
    (over,) = bind_epoch_end(state)({arguments})
    return bool(over)
'''

CHUNK = 1024  # rows that are evaluated at once
PAD = " " * 4


def list_training(loop: TrainingLoop) -> Listing:
    """The module: the step, the evaluation, and the loops around them."""
    step, evaluate = prepare(loop.step), prepare(loop.evaluate)
    parts = [function_lines(step, "step")]
    if loop.step_summary is not None:
        parts.append(function_lines(prepare(loop.step_summary.program), "step_summary"))
    parts += [_plain(_train(loop)), function_lines(evaluate, "evaluate")]
    if loop.evaluate_summary is not None:
        parts.append(function_lines(prepare(loop.evaluate_summary.program), "evaluate_summary"))
    parts.append(_plain(_validate(loop)))
    if loop.epoch_end is not None:
        parts.append(function_lines(prepare(loop.epoch_end.program), "epoch_end"))
        parts.append(_plain(_end_epoch(loop.epoch_end)))
    return listed(parts)


def print_training(loop: TrainingLoop) -> str:
    """The same as text."""
    return list_training(loop).text


def _plain(text: str) -> list[Line]:
    return [Line(line) for line in text.split("\n")]


def _train(loop: TrainingLoop) -> str:
    inputs = loop.step.inputs
    batched = [buffer for buffer in inputs if buffer.key in loop.batch_inputs]
    gather = [
        f"{PAD}{_batch(b)} = np.empty(({loop.batch_size}, *{_data(b)}.shape[1:]), "
        f"np.{b.type.dtype.name})"
        for b in batched
    ]
    take = [
        f'{PAD * 4}np.take({_data(b)}, rows, axis=0, out={_batch(b)}, mode="clip")' for b in batched
    ]
    shuffled = f"permutation(count, {loop.order_stream}, seed, epoch)"
    return TRAIN.format(
        rows=", ".join(loop.batch_inputs),
        order="a new order each epoch" if loop.shuffle else "the order given",
        first=quoted(loop.batch_inputs[0]),
        size=loop.batch_size,
        bind_full=_bound("step", loop.step, f"{loop.batch_size}"),
        bind_rest=_bound("step", loop.step, f"count % {loop.batch_size}"),
        gather="\n".join(gather),
        permutation=shuffled if loop.shuffle else "np.arange(count)",
        add=_add("len(rows)", loop.step_summary),
        reported=_reported("step", "sums[0]", loop.step_summary),
        take="\n".join(take),
        full=", ".join(_batch(b) if b in batched else _data(b) for b in inputs),
        rest=", ".join(f"{_data(b)}[rows]" if b in batched else _data(b) for b in inputs),
    )


def _data(buffer: Buffer) -> str:
    return f"data[{quoted(buffer.key)}]"


def _bound(name: str, program: Program, rows: str) -> str:
    """The function for so many rows; one that reads no rows is not told."""
    return f"bind_{name}({', '.join(['state', *(rows for _ in program.size_names)])})"


def _validate(loop: TrainingLoop) -> str:
    arguments = [
        f"{_data(b)}[part]" if b.key in loop.batch_inputs else _data(b)
        for b in loop.evaluate.inputs
    ]
    return EVALUATE.format(
        first=quoted(loop.batch_inputs[0]),
        totals=added(loop.evaluate),
        add=_add("rows", loop.evaluate_summary),
        reported=_reported("evaluate", "count", loop.evaluate_summary),
        chunk=CHUNK,
        bind=_bound("evaluate", loop.evaluate, "rows"),
        arguments=", ".join(arguments),
    )


def added(program: Program) -> int:
    """How many numbers its outputs are, which are added up over the rows."""
    return sum(math.prod(static(output.type.shape)) for output in program.outputs)


def _add(rows: str, summary: Summary | None) -> str:
    """The outputs, `values`, are added to the totals: sums as they are, means times rows."""
    if summary is None:
        return f"totals += np.multiply(values, {rows})"
    factors = ", ".join("1" if is_sum else rows for is_sum in summary.sums)
    weighted = f"[np.multiply(v, f).ravel() for v, f in zip(values, ({factors},))]"
    return f"totals += np.concatenate({weighted})"


def _reported(name: str, rows: str, summary: Summary | None) -> str:
    if summary is None:
        return f"totals / {rows}"
    given = {summary.totals: "totals", summary.rows: f"np.float64({rows})"}
    return f"bind_{name}_summary(state)({_given(summary.program, given)})[0] / {rows}"


def _end_epoch(end: EpochEnd) -> str:
    given = {end.record: "record", end.last: "np.float64(last)"}
    return END_EPOCH.format(arguments=_given(end.program, given))


def _given(program: Program, known: Mapping[str, str]) -> str:
    return ", ".join(known.get(b.key, _data(b)) for b in program.inputs)


def _batch(buffer: Buffer) -> str:
    return f"{buffer.name}_batch"
