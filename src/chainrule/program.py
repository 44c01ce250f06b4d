"""Compiled functions: a graph's stages, its source, and calls on arrays of any batch size."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

import numpy as np
import numpy.typing as npt

from chainc import driver, ir
from chainc.errors import StateError
from chainc.ir import Node, describe, rebuild, with_inputs
from chainc.ops.state import Input, constant, initial_graph
from chainc.rewrite import Fired
from chainc.types import Array
from chainrule.cost import Cost
from chainrule.drawing import Drawing
from chainrule.graph import Graph
from chainrule.state import State
from chainrule.values import Values, as_arrays, by_key, check_indices, sizes_from

# What a call gives; its element type follows from the graph, so a caller may use it as any.
Numbers = npt.NDArray[Any]

SIZES_KEPT = 16  # batch sizes whose buffers a function keeps

R = TypeVar("R")  # what a call returns: an array, or a tuple of arrays


@dataclass(frozen=True)
class Stage:
    """The graph after one pass, and the rules that fired in it."""

    name: str
    graph: Graph
    fired: tuple[Fired, ...]


@dataclass(frozen=True)
class Rewritten:
    """One fired rule of one pass; the nodes carry their origins."""

    stage: str
    rule: str
    kind: str  # "exact" or "fast"
    replaced: Node
    replacement: Node

    def __str__(self) -> str:
        before, after = spelled(self.replaced), spelled(self.replacement)
        return f"{self.stage}: {self.rule} ({self.kind}): {before} -> {after}"


def spelled(node: Node) -> str:
    """`multiply(exp, lr) f32[3] (model.py:4)`: a node with what it is computed from."""
    operands = ", ".join(operand.op.label for operand in node.inputs)
    described = describe(node)
    label = node.op.label
    return f"{label}({operands}){described[len(label) :]}" if operands else described


class Compiled:
    """What every compiled thing shows: its stages, the rules that fired, its source."""

    def __init__(self, stages: Sequence[driver.Stage], source: str) -> None:
        self._stages = stages
        self._source = source

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The declared graph and the graph after each pass."""
        return tuple(Stage(s.name, Graph.of(s.graph), s.fired) for s in self._stages)

    @cached_property
    def trace(self) -> tuple[Rewritten, ...]:
        """Every rule that fired, in order, with the nodes it replaced."""
        return tuple(
            Rewritten(stage.name, fired.rule, fired.kind, fired.replaced, fired.replacement)
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
        """The generated NumPy."""
        return self._source

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
        self._turn = threading.Lock()

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
        return initial_state(self.slots, seed)

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
        arrays = as_arrays(self.declared, by_key(self.declared, values or {}, named))
        sizes = sizes_from(self.declared, arrays)
        program = self._compiled.program
        check_indices(program.index_bounds, arrays, sizes)
        state = self._require_state()
        with self._turn, np.errstate(all="ignore"):
            run = self._run(state, tuple(sizes[name] for name in program.size_names))
            results = run(*(arrays[buffer.key] for buffer in program.inputs))
            copies = tuple(np.array(result) for result in results)
        return cast(R, copies[0] if self._single else copies)

    def _run(self, state: Mapping[str, Array], sizes: tuple[int, ...]) -> driver.Run:
        if sizes not in self._bound:
            if len(self._bound) == SIZES_KEPT:
                del self._bound[next(iter(self._bound))]
            self._bound[sizes] = self._compiled.bind(state, *sizes)
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


def initial_state(slots: Sequence[Node], seed: int) -> State:
    """First values of state slots; the same seed and names give the same numbers."""
    graph = initial_graph(slots)
    compiled = driver.compile_function(graph, ())
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


def bake(graph: ir.Graph, names: Sequence[str] | bool) -> ir.Graph:
    """Hyperparameters as constants: all of them, or the named ones."""
    if not names:
        return graph
    wanted = None if isinstance(names, bool) else set(names)

    def transform(node: Node, inputs: tuple[Node, ...]) -> Node:
        op = node.op
        if (
            isinstance(op, Input)
            and op.default is not None
            and (wanted is None or op.key in wanted)
        ):
            return constant(op.default, op.type.dtype)
        return with_inputs(node, inputs)

    return rebuild(graph, transform)
