"""What a target is: the protocol behind which a program runs and shows its code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from chainc.backends.epochs import TrainingRunner
from chainc.backends.signature import Signature
from chainc.dataclass import dataclass
from chainc.ir import Graph
from chainc.ir.errors import GraphError, user_location
from chainc.ir.types import Array

if TYPE_CHECKING:
    from chainc.backends.listing import Listing
    from chainc.backends.storage import Storage
    from chainc.lowering.program import Program, TrainingLoop

Run = Callable[..., tuple[Array, ...]]  # inputs in the program's order to arrays of their own


@dataclass(frozen=True)
class Figures:
    """What generated code takes; None stands for what is not known before it runs.

    Attributes:
        kernels: how many functions compute something.
        arena_bytes: all memory that a run allocates beside the arrays it is given.
        code_bytes: size of the object file.
        processor: what the code is for.
        vector_bits: width of its vectors.
    """

    kernels: int | None = None
    arena_bytes: int | None = None
    code_bytes: int | None = None
    processor: str | None = None
    vector_bits: int | None = None


class GeneratedCode(Protocol):
    """What there is to see of the code that a target makes of a program."""

    @property
    def codes(self) -> tuple[str, ...]:
        """The names of its texts, that of the one nearest to the graph first."""

    @property
    def source(self) -> str:
        """The text that was generated, which all others are made from."""

    @property
    def storage(self) -> Storage | None:
        """Where its buffers lie; None if that is not known before it runs."""

    @property
    def figures(self) -> Figures:
        """What it takes."""

    def text(self, code: str) -> str:
        """The text of a name in `codes`."""

    def listing(self, code: str) -> Listing:
        """The same line by line, with what each line is for."""


class ExecutableFunction(Protocol):
    """A program that is bound to states and sizes, and then called with arrays."""

    def bind(self, state: Mapping[str, Array], *sizes: int) -> Run:
        """Lays out the buffers for given sizes, over state arrays that are updated in place."""

    def generated(self, *sizes: int) -> GeneratedCode:
        """The code that runs for given sizes."""


@dataclass(frozen=True)
class ExecutableTraining:
    """A training loop that runs, and its code."""

    runner: TrainingRunner
    generated: GeneratedCode


@runtime_checkable
class Target(Protocol):
    """What programs are compiled for."""

    @property
    def name(self) -> str:
        """What a user calls it: `cr.compile(..., target=name)`."""

    @property
    def language(self) -> str:
        """What its code is called in a sentence."""

    @property
    def can_watch(self) -> bool:
        """Can a training look through every result for NaN and infinities?"""

    def compile_function(self, graph: Graph, program: Program) -> ExecutableFunction:
        """A graph after all passes, and what it was lowered to, as a function."""

    def compile_training(self, loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
        """A training loop on so many threads at most; by default as many as are of use."""


@dataclass(frozen=True)
class Known:
    """By what a target finds again what it has made of graphs, before they are lowered.

    Attributes:
        key: of all that decides the code, but for the machine and the number of threads.
        constants: of the graphs, by the digests of their bytes.
    """

    key: str
    constants: Mapping[str, Array]


@runtime_checkable
class KeepingTarget(Protocol):
    """A target that keeps what it makes for later processes: what is kept is not lowered again.

    `make` lowers; it is called where nothing is kept, and when more is asked for than a run needs.
    """

    def start_function(
        self, known: Known, make: Callable[[], tuple[Graph, Program]]
    ) -> tuple[Signature, ExecutableFunction]:
        """See `Target.compile_function`."""

    def start_training(
        self, known: Known, make: Callable[[], TrainingLoop], threads: int | None
    ) -> tuple[Signature, ExecutableTraining]:
        """See `Target.compile_training`."""


@runtime_checkable
class PlanningTarget(Target, Protocol):
    """A target that knows how much memory a program takes before it runs."""

    def bytes_of_function(self, program: Program) -> int:
        """Of a program without named sizes."""

    def bytes_of_training(self, loop: TrainingLoop, threads: int | None) -> int:
        """Of a loop, for whole batches."""


@dataclass(frozen=True)
class Budget:
    """How many bytes a program may take on a target, as a line of the user's program says."""

    bytes: int
    target: PlanningTarget
    threads: int | None
    line: str

    @classmethod
    def of(cls, nbytes: int | None, target: Target, threads: int | None = None) -> Budget | None:
        """Of what is compiled now; None is no budget.

        Raises:
            GraphError: the target cannot say what a program takes.
        """
        if nbytes is None:
            return None
        if not isinstance(target, PlanningTarget):
            raise GraphError(
                f"compile: the target {target.name!r} does not say how much memory it takes",
                hint='leave memory out, or compile for "llvm" or "numpy"',
            )
        return cls(nbytes, target, threads, str(user_location() or "unknown line"))

    def exceeded(self, least: int) -> GraphError:
        """Of a program that takes at least so many bytes, whatever is computed again."""
        return GraphError(
            f"compile: the program takes {least:,} bytes with all that can be computed again, "
            f"{least - self.bytes:,} more than the memory of {self.bytes:,}",
            where=self.line,
            hint=f"give memory={least}, or take fewer rows at a time",
        )
