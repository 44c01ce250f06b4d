"""Where a run finds everything: what the host must know of machine code, in numbers and names.

It may come from an earlier process, which has kept it beside the code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainc.backends.signature import Signature
from chainc.dataclass import dataclass
from chainc.ir.types import Array, TensorType
from chainc.schedules.training.layout import TrainingLayout


@dataclass(frozen=True)
class Outside:
    """A constant that is handed over: its bytes in hexadecimal, or else their digest."""

    content: str
    digest: str

    def among(self, known: Mapping[str, Array]) -> bytes | None:
        """Its bytes, if it is written down or one of the constants that are known by digest."""
        if not self.digest:
            return bytes.fromhex(self.content)
        return known[self.digest].tobytes() if self.digest in known else None


def findable(outside: Sequence[Outside], known: Mapping[str, Array]) -> bool:
    """Will a later process have all of them?"""
    return all(not each.digest or each.digest in known for each in outside)


@dataclass(frozen=True)
class LoopPlaces:
    """Of a training loop.

    Attributes:
        layout: what the loop knows of the step.
        table: places of the caller's arrays: states by key, data as "data/KEY", ….
        batches: the inputs with rows.
        scalars: offsets in the arena of those without.
        outside: the constants that are handed over, in order.
    """

    arena_bytes: int
    layout: TrainingLayout
    table: Mapping[str, int]
    batches: tuple[str, ...]
    scalars: Mapping[str, int]
    outside: tuple[Outside, ...] = ()


@dataclass(frozen=True)
class CallPlaces:
    """Of a function for up to a number of rows.

    Attributes:
        states: keys, in the order of their places in the table.
        lent: those that are read where they lie, for as long as the function is bound.
        updates: does a call change them?
        block: rows at once; None: all of a call.
        outside: the constants that are handed over, in order.
    """

    arena_bytes: int
    inputs: tuple[TensorType, ...]
    outputs: tuple[TensorType, ...]
    states: tuple[str, ...]
    lent: tuple[str, ...]
    size_names: tuple[str, ...]
    updates: bool
    block: int | None
    outside: tuple[Outside, ...] = ()


@dataclass(frozen=True)
class KeptFunction:
    """What an earlier process has found out about a function.

    Attributes:
        independent: row i of every output is computed from row i of the inputs alone.
        one_code: for all numbers of rows up to the next power of two.
    """

    signature: Signature
    independent: bool
    one_code: bool


@dataclass(frozen=True)
class KeptCall:
    """Its code for some sizes; `code` is the name of the object file."""

    places: CallPlaces
    code: str


@dataclass(frozen=True)
class KeptTraining:
    """A training for some threads at most; `code` names its object files."""

    signature: Signature
    places: LoopPlaces
    threads: int
    code: str
