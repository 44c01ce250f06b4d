"""Compiled functions: a graph's stages, its source, and calls on arrays of any batch size."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np
import numpy.typing as npt

from chainc import driver
from chainc.ir import Node, describe
from chainc.ir.errors import GraphError, StateError
from chainc.ir.leaves import initial_graph
from chainc.ir.types import Array
from chainrule.compiled.graph import Graph
from chainrule.compiled.stages import Rewritten, Stage, stage_named, stages_of
from chainrule.compiled.state import State
from chainrule.declare.arguments import count
from chainrule.drawing.drawing import Drawing
from chainrule.evaluation.cost import Cost
from chainrule.evaluation.values import Values, as_arrays, by_key, check_indices, sizes_from

if TYPE_CHECKING:
    from chainrule.views.native_view import NativeView
    from chainrule.views.plan import Plan
    from chainrule.views.provenance import Provenance
    from chainrule.views.summary import ProgramSummary

# What a call gives; its element type follows from the graph, so a caller may use it as any.
Numbers = npt.NDArray[Any]

SIZES_KEPT = 16  # batch sizes whose buffers a function keeps
SHAPES_KEPT = 256  # shapes of inputs that need not be checked again
ROWS_SHOWN = 64  # for which code and figures are shown before the first call

R = TypeVar("R")  # what a call returns: an array, or a tuple of arrays
Given = tuple[Sequence[Array], tuple[int, ...]]  # a call's arrays and named sizes


class Compiled:
    """What every compiled thing shows: its stages, the rules that fired, its source."""

    _compiled: driver.CompiledFunction | driver.CompiledTraining

    def __init__(self, stages: Sequence[driver.Stage], source: str) -> None:
        self._stages = stages
        self._source = source

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The declared graph and the graph after each pass."""
        return stages_of(self._stages)

    def stage(self, name: str) -> Stage:
        """The stage after one pass, such as "fuse".

        Raises:
            InputError: there was no such pass.
        """
        return stage_named(self.stages, name)

    @cached_property
    def trace(self) -> tuple[Rewritten, ...]:
        """Every rule that fired, in order, with the nodes it replaced."""
        return tuple(
            Rewritten(
                stage.name,
                fired.rule,
                fired.kind,
                fired.replaced,
                fired.replacement,
                fired.location,
            )
            for stage in self._stages
            for fired in stage.fired
        )

    @property
    def graph(self) -> Graph:
        """The graph after all passes."""
        return self.stages[-1].graph

    @property
    def declared(self) -> Graph:
        """The graph before the first pass."""
        return self.stages[0].graph

    @property
    def source(self) -> str:
        """The generated NumPy; of machine code, its LLVM text."""
        native = self._native_view()
        return self._source if native is None else native.llvm

    @property
    def loops(self) -> str:
        """The kernels of the machine code as loops over vectors.

        Raises:
            GraphError: it was compiled for another target than "llvm".
        """
        return self._native("loops").loops

    @property
    def llvm(self) -> str:
        """The LLVM text of the machine code.

        Raises:
            GraphError: it was compiled for another target than "llvm".
        """
        return self._native("llvm").llvm

    @property
    def assembly(self) -> str:
        """The machine code as assembly, with the names of `loops`.

        Raises:
            GraphError: it was compiled for another target than "llvm".
        """
        return self._native("assembly").assembly

    @property
    def plan(self) -> Plan:
        """Where the machine code keeps its buffers.

        Raises:
            GraphError: it was compiled for another target than "llvm".
        """
        return self._native("plan").plan

    def summary(self) -> ProgramSummary:
        """Parameters, arithmetic, memory and size of the code; prints as a table."""
        sizes = self.shown_sizes()
        from chainrule.views.summary import summarize_program

        return summarize_program(self.cost(**sizes), sizes, self._native_view())

    @property
    def codes(self) -> tuple[str, ...]:
        """The generated texts there are: what `provenance` can be asked for."""
        from chainrule.views.provenance import codes_of

        return codes_of(self._native_view())

    def provenance(self, code: str | None = None) -> Provenance:
        """Which line of the generated code is for which node, and back.

        Args:
            code: one of `codes`; by default the first.

        Raises:
            GraphError: the program has no such code.
        """
        from chainrule.views.provenance import provenance_of

        return provenance_of(self._compiled, self._native_view(), code)

    def _native(self, wanted: str) -> NativeView:
        native = self._native_view()
        if native is None:
            raise GraphError(
                f"{wanted}: a program for the target 'numpy' has no machine code",
                hint='compile it with target="llvm"; its NumPy is program.source',
            )
        return native

    def _native_view(self) -> NativeView | None:
        """What there is to see of the machine code, if there is any."""
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


class Function(Compiled, Generic[R]):
    """A compiled graph. Call it with values by input name; bind it to a state first if it has one.

    The buffers of the last few batch sizes are kept; a call with a new size lays out new ones.
    Calls from several threads take turns; threads that are to run side by side call functions
    of their own, each made by `bind`.
    """

    _compiled: driver.CompiledFunction

    def __init__(
        self,
        compiled: driver.CompiledFunction,
        *,
        single: bool,
        arrays: Mapping[str, Array] | None = None,
    ) -> None:
        super().__init__(compiled.stages, compiled.source)
        self._compiled = compiled
        self._single = single  # one node was compiled: a call returns one array
        self._arrays = arrays
        self._bound: dict[tuple[int, ...], driver.Run] = {}
        self._inputs = [(b.key, b.type.dtype.numpy) for b in compiled.program.inputs]
        self._sizes: dict[tuple[tuple[int, ...], ...], tuple[int, ...]] = {}  # by inputs' shapes
        self._last: tuple[int, ...] | None = None  # sizes of the last call
        self._turn = threading.Lock()

    def _native_view(self) -> NativeView | None:
        """Of the code for the sizes of the last call, or for `ROWS_SHOWN`."""
        native = self._compiled.native
        if native is None:
            return None
        from chainrule.views.native_view import view_of_function

        code, _ = native.code(*self.shown_sizes().values())
        return view_of_function(code)

    def shown_sizes(self) -> Mapping[str, int]:
        names = self._compiled.program.size_names
        sizes = self._last or (ROWS_SHOWN,) * len(names)
        return dict(zip(names, sizes, strict=True))

    @property
    def slots(self) -> tuple[Node, ...]:
        """The state slots that the function reads or updates."""
        return self.declared.leaves("state")

    @property
    def state(self) -> State:
        """The values of the slots now: as bound, or as the updates of the calls left them."""
        return State({name: array.copy() for name, array in self._require_state().items()})

    def initial_state(self, seed: int = 0) -> State:
        """First values of the slots, from their initialisers and a seed."""
        return initial_state(self.slots, seed, native=self._compiled.native is not None)

    def bind(self, state: State) -> Function[R]:
        """The same function over a copy of these values.

        Raises:
            StateError: a slot has no value, or one of another type.
        """
        arrays = arrays_for(self.slots, state)
        return Function(self._compiled, single=self._single, arrays=arrays)

    def __call__(self, values: Values | None = None, /, **named: object) -> R:
        """Compute the outputs from values by input, given as a mapping or by keyword.

        Returns:
            One array if one node was compiled, else a tuple in the order of the nodes.

        Raises:
            InputError: a value is missing, unknown, or does not fit its input.
            StateError: the function has state slots and is not bound to their values.
        """
        ready = None if values else self._ready(named)
        arrays, sizes = ready or self._checked(values or {}, named)
        state = self._require_state()
        with self._turn:
            results = self._results(self._run(state, sizes), arrays)
        return cast(R, results[0] if self._single else results)

    def _ready(self, named: Mapping[str, object]) -> Given | None:
        """What `_checked` would give, if the values need neither conversion nor check.

        A call with these shapes has been checked before.
        """
        if len(named) != len(self._inputs) or self._compiled.program.index_bounds:
            return None
        arrays: list[Array] = []
        for key, dtype in self._inputs:
            array = named.get(key)
            if type(array) is not np.ndarray or array.dtype != dtype:
                return None
            if not (array.flags.c_contiguous and array.flags.aligned):
                return None
            arrays.append(array)
        sizes = self._sizes.get(tuple(array.shape for array in arrays))
        return None if sizes is None else (arrays, sizes)

    def _checked(self, values: Values, named: Mapping[str, object]) -> Given:
        """The arrays in the order of the inputs, and the named sizes that they give."""
        arrays = as_arrays(self.declared, by_key(self.declared, values, named))
        sizes = sizes_from(self.declared, arrays)
        program = self._compiled.program
        check_indices(program.index_bounds, arrays, sizes)
        ordered = [arrays[buffer.key] for buffer in program.inputs]
        if len(self._sizes) == SHAPES_KEPT:
            self._sizes.clear()
        found = tuple(sizes[name] for name in program.size_names)
        self._sizes[tuple(array.shape for array in ordered)] = found
        return ordered, found

    def _results(self, run: driver.Run, arrays: Sequence[Array]) -> tuple[Array, ...]:
        if self._compiled.native is not None:
            return run(*arrays)
        with np.errstate(all="ignore"):  # the results are buffers of the next call
            return tuple(np.array(result) for result in run(*arrays))

    def _run(self, state: Mapping[str, Array], sizes: tuple[int, ...]) -> driver.Run:
        if sizes not in self._bound:
            if len(self._bound) == SIZES_KEPT:
                del self._bound[next(iter(self._bound))]
            self._bound[sizes] = self._compiled.bind(state, *sizes)
        self._last = sizes
        return self._bound[sizes]

    def _require_state(self) -> Mapping[str, Array]:
        if self._arrays is not None or not self.slots:
            return self._arrays or {}
        names = ", ".join(repr(slot.op.label) for slot in self.slots[:3])
        raise StateError(
            f"the function needs values for {len(self.slots)} state slots, such as {names}",
            hint="bind it first: function.bind(result.state), or "
            "function.bind(function.initial_state(seed=0))",
        )


def initial_state(slots: Sequence[Node], seed: int, *, native: bool = False) -> State:
    """First values of state slots; the same seed and names give the same numbers.

    Machine code may round some in another way than NumPy; a program starts from its own target's,
    which are those of an exported program too.

    Raises:
        InputError: the seed is no whole number that is not negative.
    """
    count("initial_state", "seed", seed, at_least=0, hint="give a seed such as 0")
    compiled = driver.compile_function(initial_graph(slots), (), "llvm" if native else "numpy")
    arguments = [np.asarray(seed, np.int64) for _ in compiled.program.inputs]
    with np.errstate(all="ignore"):
        values = compiled.bind({})(*arguments)
    return State({slot.op.label: np.array(v) for slot, v in zip(slots, values, strict=True)})


def arrays_for(slots: Sequence[Node], state: State) -> dict[str, Array]:
    """Writable copies of the slots' values.

    Raises:
        StateError: a slot has no value, or one of another type.
    """
    arrays: dict[str, Array] = {}
    for slot in slots:
        name, wanted = slot.op.label, slot.type
        if name not in state:
            known = ", ".join(map(repr, list(state)[:6]))
            raise StateError(
                f"the state has no value for {describe(slot)}",
                hint=f"give a state of this program; this one holds {known or 'nothing'}",
            )
        value = state[name]
        if value.shape != wanted.shape or value.dtype != wanted.dtype.numpy:
            raise StateError(
                f"the state's value for {describe(slot)} is {value.dtype}{list(value.shape)}",
                hint=f"give an array of type {wanted}",
            )
        arrays[name] = np.array(value)
    return arrays
