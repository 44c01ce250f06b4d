"""What a training loop must know of the programs that it repeats: where everything lies."""

from __future__ import annotations

from dataclasses import dataclass

from chainc.ir.types import DType

# the words of a job, 64 bits each
COUNT = 0  # rows of the data
FIRST = 1  # step
LAST = 2  # the step that is not done any more
SEED = 3
HELD_OUT = 4  # rows of the validation data, or 0
BYTES = 5  # bit i: the data of the step's input i are uint8
HELD_OUT_BYTES = 6  # the same of the evaluation's inputs
JOB_WORDS = 7

LANES = 64  # rows whose order is made together
ROUNDS = 11  # of the network that permutes; the twelfth key says whether 0 and 1 change places
GROUPS = 4  # of four epochs, whose words are made together
WORDS_AT = 4 * LANES * (ROUNDS + 1)
KEYS_BYTES = WORDS_AT + GROUPS * 4 * 64


@dataclass(frozen=True)
class BatchInput:
    """An input whose rows are gathered into a batch.

    `converts`: data of type uint8 may be given, where that is not the declared type.
    """

    array: int  # place of the data in the table
    batch: int  # offset of the batch in the arena
    converts: bool


@dataclass(frozen=True)
class Output:
    """A scalar in the arena."""

    offset: int
    dtype: DType


@dataclass(frozen=True)
class Visit:
    """What is done with a batch: `name` is that of the routine."""

    name: str
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

    @property
    def validation_totals(self) -> int:
        """Offset of the sums of the evaluation's outputs."""
        return self.totals + 8 * len(self.step.outputs)


def order_bytes(batch_size: int) -> int:
    """Room that a thread needs for the order of the rows, in training and in validation."""
    return 2 * order_room(batch_size) + KEYS_BYTES


def order_room(batch_size: int) -> int:
    """Room for the order of one of them."""
    return 8 * LANES * -(-order_rows(batch_size) // LANES)


def order_rows(batch_size: int) -> int:
    """Whole batches."""
    return batch_size * max(1, LANES // batch_size)


def totals_bytes(outputs: int) -> int:
    """Room for the sums of the outputs of the step and of the evaluation, counted together."""
    return 8 * outputs
