"""The training loop as source: epochs, shuffled minibatches, the smaller last batch, metrics."""

from __future__ import annotations

from chainc.backends.listing import Line, Listing
from chainc.backends.numpy.expressions import quoted
from chainc.backends.numpy.module import function_lines, listed, prepare
from chainc.lowering.program import TrainingLoop
from chainc.lowering.views import Buffer

TRAIN = '''\
def train(data, state, first, epochs, stop):
    """Run epochs; yield (epoch, number of rows seen, mean of each output over them) after each.

    data: arrays by input name; the rows of {rows} are visited in {order}.
    state: arrays by slot name, updated in place.
    first: the step to continue with, as a number of steps over rows as many as these.
    stop: a function without arguments, asked before every step.
    """
    count = len(data[{first}])
    steps = -(-count // {size})
    seed = int(state["seed"])
    full = bind_step(state, {size})
    rest = bind_step(state, count % {size}) if count % {size} else None
{gather}
    first_epoch, done = divmod(first, steps)
    for epoch in range(first_epoch, first_epoch + epochs):
        order = {permutation}
        totals, seen, stopped = np.zeros({outputs}), 0, False
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
            totals += np.multiply(values, len(rows))
            seen += len(rows)
        if seen:
            yield epoch, seen, totals / seen
        done = 0
        if stopped:
            return
'''

EVALUATE = '''\
def validate(data, state):
    """The mean of each output over all rows of the data; nothing is updated."""
    count = len(data[{first}])
    totals = np.zeros({outputs})
    for start in range(0, count, {chunk}):
        part = slice(start, start + {chunk})
        rows = min({chunk}, count - start)
        totals += np.multiply(bind_evaluate(state, rows)({arguments}), rows)
    return totals / count
'''

CHUNK = 1024  # rows that are evaluated at once
PAD = " " * 4


def list_training(loop: TrainingLoop) -> Listing:
    """The module: the step, the evaluation, and the loops around them."""
    step, evaluate = prepare(loop.step), prepare(loop.evaluate)
    parts = [function_lines(step, "step"), _plain(_train(loop))]
    parts += [function_lines(evaluate, "evaluate"), _plain(_validate(loop))]
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
        gather="\n".join(gather),
        permutation=shuffled if loop.shuffle else "np.arange(count)",
        outputs=len(loop.step.outputs),
        take="\n".join(take),
        full=", ".join(_batch(b) if b in batched else _data(b) for b in inputs),
        rest=", ".join(f"{_data(b)}[rows]" if b in batched else _data(b) for b in inputs),
    )


def _data(buffer: Buffer) -> str:
    return f"data[{quoted(buffer.key)}]"


def _validate(loop: TrainingLoop) -> str:
    arguments = [
        f"{_data(b)}[part]" if b.key in loop.batch_inputs else _data(b)
        for b in loop.evaluate.inputs
    ]
    return EVALUATE.format(
        first=quoted(loop.batch_inputs[0]),
        outputs=len(loop.evaluate.outputs),
        chunk=CHUNK,
        arguments=", ".join(arguments),
    )


def _batch(buffer: Buffer) -> str:
    return f"{buffer.name}_batch"
