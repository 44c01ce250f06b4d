"""What every compiled thing shows: its stages, its code, what it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn, Self

from chainc import driver, ir
from chainc.backends.target import GeneratedCode, Target
from chainc.ir.errors import GraphError
from chainrule.declare.calls import answers_calls

if TYPE_CHECKING:
    from chainrule.compiled.stages import Rewritten, Stage
    from chainrule.drawing.drawing import Drawing
    from chainrule.drawing.graph import Graph
    from chainrule.evaluation.cost import Cost
    from chainrule.views.plan import Plan
    from chainrule.views.provenance import Provenance
    from chainrule.views.summary import ProgramSummary


def not_compiled(kind: str, given: object, made_by: str) -> GraphError:
    """Of what is made by hand; only `cr.compile` makes it."""
    return GraphError(
        f"{kind}: a {type(given).__name__} is nothing that was compiled", hint=f"write {made_by}"
    )


@answers_calls
class Compiled:
    """What every compiled thing shows: its stages, the rules that fired, its source.

    What shows graphs is imported when one is asked for: who runs a program does not wait for it.
    """

    def __init__(self, target: Target, declared: ir.Graph) -> None:
        self._target = target
        self._declared = declared

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Itself: it does not change when it runs."""
        return self

    def __reduce__(self) -> NoReturn:
        raise GraphError(
            f"a compiled {type(self).__name__} is code of this process, so it cannot be pickled",
            hint="pickle the model and the state, and compile in the other process, such as "
            "cr.compile(model(x)).bind(state)",
        )

    @property
    def target(self) -> Target:
        """What it was compiled for."""
        return self._target

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The declared graph and the graph after each pass."""
        from chainrule.compiled.stages import stages_of

        return stages_of(self.declared, self._stages)

    def stage(self, name: str) -> Stage:
        """The stage after one pass, such as "fuse".

        Raises:
            InputError: there was no such pass.
        """
        from chainrule.compiled.stages import stage_named

        return stage_named(self.stages, name)

    @cached_property
    def trace(self) -> tuple[Rewritten, ...]:
        """Every rule that fired, in order, with the nodes it replaced."""
        from chainrule.compiled.stages import rewritten

        return rewritten(self._stages)

    @property
    def graph(self) -> Graph:
        """The graph after all passes."""
        return self.stages[-1].graph

    @cached_property
    def declared(self) -> Graph:
        """The graph before the first pass."""
        from chainrule.drawing.graph import Graph

        return Graph.of(self._declared)

    @property
    def _stages(self) -> Sequence[driver.Stage]:
        """As the compiler has them, which may make them now."""
        raise NotImplementedError

    @property
    def source(self) -> str:
        """The generated NumPy or C; of machine code, its LLVM text."""
        return self._generated().source

    @property
    def loops(self) -> str:
        """The kernels of the machine code as loops over vectors, and what calls them in training.

        Raises:
            GraphError: it was compiled for another target than "llvm" or "c".
        """
        return self._text("loops")

    @property
    def c(self) -> str:
        """The program as C11, which computes the same.

        Raises:
            GraphError: it was compiled for another target than "llvm" or "c".
        """
        return self._text("c")

    @property
    def llvm(self) -> str:
        """The LLVM text of the machine code.

        Raises:
            GraphError: it was compiled for another target than "llvm".
        """
        return self._text("llvm")

    @property
    def assembly(self) -> str:
        """The machine code as assembly, with the names of `loops`.

        Raises:
            GraphError: it was compiled for another target than "llvm".
        """
        return self._text("assembly")

    @property
    def plan(self) -> Plan:
        """Where the machine code keeps its buffers.

        Raises:
            GraphError: it was compiled for another target than "llvm".
        """
        storage = self._generated().storage
        if storage is None:
            raise self._no_machine_code("plan")
        from chainrule.views.plan import Plan

        return Plan.of(storage)

    def summary(self) -> ProgramSummary:
        """Parameters, arithmetic, memory and size of the code; prints as a table."""
        sizes = self.shown_sizes()
        from chainrule.views.summary import summarize_program

        figures = self._generated().figures
        return summarize_program(self.target.name, self.cost(**sizes), sizes, figures)

    @property
    def codes(self) -> tuple[str, ...]:
        """The generated texts there are: what `provenance` can be asked for."""
        return self._generated().codes

    def provenance(self, code: str | None = None) -> Provenance:
        """Which line of the generated code is for which node, and back.

        Args:
            code: one of `codes`; by default the first.

        Raises:
            GraphError: the program has no such code.
        """
        from chainrule.views.provenance import provenance_of

        return provenance_of([stage.graph for stage in self._stages], self._generated(), code)

    def _text(self, code: str) -> str:
        generated = self._generated()
        if code not in generated.codes:
            raise self._no_machine_code(code)
        return generated.text(code)

    def _no_machine_code(self, wanted: str) -> GraphError:
        return GraphError(
            f"{wanted}: a program for the target {self.target.name!r} has no machine code",
            hint=f'compile it with target="llvm"; its {self.target.language} is program.source',
        )

    def _generated(self) -> GeneratedCode:
        """What there is to see of its code."""
        raise NotImplementedError

    def shown_sizes(self) -> Mapping[str, int]:
        """The named sizes that the figures of a summary hold for."""
        raise NotImplementedError

    def text(self) -> str:
        """The optimised graph as text."""
        return self.graph.text()

    def draw(self) -> Drawing:
        """The optimised graph as a picture."""
        return self.graph.draw()

    def cost(self, **sizes: int) -> Cost:
        """Floating-point operations, bytes and parameters of one call."""
        return self.graph.cost(**sizes)

    def _repr_svg_(self) -> str:
        return self.draw().svg()
