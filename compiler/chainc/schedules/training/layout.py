"""What a training loop must know of the programs that it repeats: where everything lies."""

from __future__ import annotations

from collections.abc import Mapping

from chainc.dataclass import dataclass
from chainc.ir.types import DType

# the words of a job, 64 bits each
COUNT, FIRST, LAST, SEED, HELD_OUT, BYTES, HELD_OUT_BYTES, ENDS, SEEN = range(9)
JOB: Mapping[int, str] = {
    COUNT: "rows of the data",
    FIRST: "the first step",
    LAST: "the step that is not done any more",
    SEED: "the seed",
    HELD_OUT: "rows of the validation data, or 0",
    BYTES: "bit i: the data of the step's input i are uint8",
    HELD_OUT_BYTES: "the same of the evaluation's inputs",
    ENDS: "1 if the run ends with the last step: others may follow in another job",
    SEEN: "rows whose totals an earlier job has left of an epoch; then those left to the next",
}
JOB_WORDS = len(JOB)

LANES = 64  # rows whose order is made together
TOGETHER = 256  # of many, in several vectors, so that few of these wait for a last row alone
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
    """A scalar or a vector in the arena: a mean over the rows of the batch, or their sum."""

    offset: int
    dtype: DType
    elements: int
    is_sum: bool


@dataclass(frozen=True)
class Visit:
    """What is done with a batch: `name` is that of the routine.

    Attributes:
        totals: offset of the float64 sums over an epoch of all elements of the outputs.
        column: of the record, where the number of rows stands; what is reported follows.
        summary: offset of what a summary has computed; None where the totals are reported.
    """

    name: str
    inputs: tuple[BatchInput, ...]
    outputs: tuple[Output, ...]
    totals: int
    column: int
    summary: int | None

    @property
    def added(self) -> int:
        """How many numbers are added up."""
        return sum(output.elements for output in self.outputs)


@dataclass(frozen=True)
class EndLayout:
    """Where the end of an epoch finds whether the run ends, and leaves whether it shall."""

    last: int
    over: Output


@dataclass(frozen=True)
class TrainingLayout:
    """What the loop must know of the program that it repeats."""

    batch_size: int
    shuffle: bool
    order_stream: int
    step: Visit
    evaluate: Visit  # gathered from the validation data
    orders: int  # offset in the arena of `order_bytes(batch_size)` bytes a thread
    record: int  # offset in the arena of the record of an epoch, before it is in the history
    history: int  # place of the history in the table
    reported: int  # numbers of the step in a record, as many as those of the evaluation
    end: EndLayout | None = None

    @property
    def columns(self) -> int:
        """Numbers in a record."""
        return 2 * (1 + self.reported)


def order_bytes(batch_size: int) -> int:
    """Room that a thread needs for the order of the rows, in training and in validation.

    And behind the keys for what has still to be done of it, half as many bytes for each of two.
    """
    return 2 * order_room(order_rows(batch_size)) + order_room(batch_size) + KEYS_BYTES


def keys_at(batch_size: int) -> int:
    """Behind the orders of training and of validation."""
    return order_room(order_rows(batch_size)) + order_room(batch_size)


def order_room(rows: int) -> int:
    """Room for the order of so many rows."""
    return 8 * LANES * -(-rows // LANES)


def order_rows(batch_size: int) -> int:
    """Whole batches, of which several are ordered together if they are small."""
    return batch_size * max(1, TOGETHER // batch_size)
