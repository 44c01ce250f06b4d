"""What the code of a function is made of, and the code that an earlier process has made of it.

What lowers and prints is imported when code has to be made: not where it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from chainc.backends.llvm.places import CallPlaces, KeptFunction
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.signature import Signature
from chainc.dataclass import dataclass
from chainc.ir import Graph
from chainc.ir.types import Array

if TYPE_CHECKING:
    from chainc.backends.llvm.function_code import FunctionCode
    from chainc.lowering.program import Program
    from chainc.schedules.layout.access import Capacity
    from chainc.schedules.program.failures import Failures


class FunctionSource:
    """`make` gives a graph after all passes, and lowered."""

    def __init__(self, make: Callable[[], tuple[Graph, Program]], processor: Processor) -> None:
        self._make = make
        self._processor = processor

    @cached_property
    def _made(self) -> tuple[Graph, Program]:
        return self._make()

    def facts(self) -> KeptFunction:
        """What must be known before it is called."""
        from chainc.lowering.rows import rows_are_independent

        _, program = self._made
        independent = rows_are_independent(program)
        return KeptFunction(Signature.of(program), independent, len(program.size_names) == 1)

    def code(
        self, sizes: tuple[int, ...], *, by_rows: bool, timed: bool = False
    ) -> FunctionCode | None:
        """For up to so many rows, or else for these sizes alone.

        None where it has to be made for each number of rows.
        """
        from chainc.schedules.layout.access import Capacity, UnboundError

        _, program = self._made
        named = dict(zip(program.size_names, sizes, strict=True))
        if not by_rows:
            bound = self._rebound(named) if sizes else program
            return self._printed(bound, Capacity({}), timed)
        try:
            return self._printed(program, Capacity(named), timed)
        except UnboundError:
            return None

    def _rebound(self, sizes: dict[str, int]) -> Program:
        from chainc.ir.binding import bind_graph
        from chainc.lowering.lower import lower

        graph, program = self._made
        return replace(lower(bind_graph(graph, sizes)), seldom=program.seldom)

    def _printed(self, program: Program, capacity: Capacity, timed: bool) -> FunctionCode:
        from chainc.backends.llvm.function_code import function_code
        from chainc.schedules.program.memory import MOST_IN_CODE

        most_in_code = 0 if program.seldom else MOST_IN_CODE  # so that draws are a loop
        return function_code(program, capacity, self._processor, most_in_code, timed=timed)


class CallCode(Protocol):
    """What a call must know of a function's code."""

    @property
    def places(self) -> CallPlaces:
        """Where everything is."""

    @property
    def outside(self) -> Sequence[Array]:
        """The constants that are handed over as arrays."""

    @property
    def failures(self) -> Failures:
        """What the codes mean that a call may leave."""

    @property
    def whole(self) -> FunctionCode:
        """With its text, and what else there is to see."""


@dataclass(frozen=True, eq=False)
class KeptCode:
    """Code that an earlier process has made; `make` makes it again, to be shown."""

    places: CallPlaces
    outside: tuple[Array, ...]
    make: Callable[[], FunctionCode | None]

    @cached_property
    def whole(self) -> FunctionCode:
        """The same with its text."""
        made = self.make()
        assert made is not None, "an earlier process has made it"
        return made

    @property
    def failures(self) -> Failures:
        """What the codes mean that a call may leave."""
        return self.whole.failures
