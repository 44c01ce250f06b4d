"""The functions that C calls to prepare an arena, and to read and change what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from chainc.backends.standalone.guards import CheckedWriter, arena_check
from chainc.backends.standalone.interface import Interface
from chainc.backends.standalone.outside import ARENA, Given, Outside
from chainc.dataclass import dataclass
from chainc.ir.types import uint8
from chainc.loops.language import Routine
from chainc.schedules.program import control_block
from chainc.schedules.program.control_block import CACHE_LINE


@dataclass(frozen=True)
class Prepared:
    """What the functions of a program have in common.

    Attributes:
        mark: says in the arena, at an offset, that this version has prepared it.
        first: of an arena that is zero, the seed and the mark.
        exchange: of each tensor, what sets it and what gets it.
    """

    interface: Interface
    mark_at: int
    mark: int
    first: Routine
    exchange: Sequence[Sequence[Routine]]

    def functions(self) -> Sequence[Outside]:
        """`init`, `get`, `set`, `stop`, `records`, and `ended` where that may be."""
        word, given = control_block, (ARENA, Given("int64_t seed"))
        const = Given("const void *arena")
        ended = self._outside("ended", (const,), self._word("ended", word.ENDED), "int64_t")
        return [
            self.outside("init", given, self._init()),
            *(self.outside(*each) for each in self._copies()),
            self._outside("stop", (ARENA,), self._stop(), "void"),
            self._outside("records", (const,), self._word("records", word.EPOCHS), "int64_t"),
            *([] if self.interface.end is None else [ended]),
        ]

    def outside(self, name: str, given: tuple[Given, ...], routine: Routine) -> Outside:
        """A function that says what is wrong."""
        return Outside(f"{self.interface.name}_{name}", given, routine)

    def _outside(
        self, name: str, given: tuple[Given, ...], routine: Routine, result: str
    ) -> Outside:
        return Outside(f"{self.interface.name}_{name}", given, routine, result, computes=False)

    @cached_property
    def check(self) -> Routine:
        """Of an arena."""
        return arena_check(self.mark_at, self.mark)

    def _init(self) -> Routine:
        to = CheckedWriter()
        seed = to.number("seed")
        to.refuse(to.is_missing(to.arena, CACHE_LINE, "unusable"))
        to.cleared(self.interface.arena_bytes)
        table = to.table("table", {}, 1)
        to.run(self.first, to.arena, table, seed, to.integer(self.mark, "prepared"))
        return to.checked("checked.init", "the values before the first step")

    def _copies(self) -> Iterator[tuple[str, tuple[Given, ...], Routine]]:
        for place, name in enumerate(("set", "get")):
            const = "const " if name == "set" else ""
            given = (ARENA, Given("int tensor"), Given(f"{const}void *values"))
            yield name, given, self._copy(name, [pair[place] for pair in self.exchange])

    def _copy(self, name: str, of_tensors: Sequence[Routine]) -> Routine:
        to = CheckedWriter()
        tensor, values = to.number("tensor"), to.buffer("values", uint8)
        to.passes(self.check, to.arena)
        to.given(values)
        to.in_range(tensor, 0, len(of_tensors) - 1)
        table = to.table("table", {0: values}, 1)
        one, none = to.integer(1), to.integer(0)
        for i, routine in enumerate(of_tensors):
            with to.when(to.is_equal(tensor, i)):
                to.run(routine, to.arena, table, one, none, one)
        return to.checked(f"checked.{name}", f"{name} a tensor")

    def _stop(self) -> Routine:
        to = CheckedWriter()
        to.release(to.integer(1), to.word(control_block.STOP, "stop"))
        return to.routine("checked.stop", "end a training before its next step")

    def _word(self, name: str, offset: int) -> Routine:
        to = CheckedWriter()
        found = to.acquire(to.word(offset, name), name)
        return to.routine(f"checked.{name}", f"the word {name}", result=found)
