"""Compiled functions: called with arrays of any batch size."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

import numpy as np
import numpy.typing as npt

from chainc import driver, ir
from chainc.backends.signature import Indices
from chainc.backends.target import GeneratedCode, Run
from chainc.ir import Node
from chainc.ir.errors import InputError, StateError
from chainc.ir.types import Array, names_of
from chainrule.compiled.compiled import Compiled, not_compiled
from chainrule.compiled.starting import FirstValues, arrays_for
from chainrule.compiled.state import HasState, State, holding
from chainrule.declare.arguments import several
from chainrule.declare.calls import answers_calls
from chainrule.declare.graphs import refuse_small
from chainrule.evaluation.positions import ByPosition, by_name
from chainrule.evaluation.values import (
    as_arrays,
    by_key,
    check_indices,
    dropped_inputs,
    sizes_for,
    sizes_from,
    sizes_to_warm,
)
from chainrule.writing.short_text import function_text

if TYPE_CHECKING:
    from chainrule.views.profile import Profile

# What a call gives; its element type follows from the graph, so a caller may use it as any.
Numbers = npt.NDArray[Any]

SIZES_KEPT = 16  # batch sizes whose buffers a function keeps
SHAPES_KEPT = 256  # shapes of inputs that need not be checked again
ROWS_WARM = tuple(2**i for i in range(9))  # for which code is made ahead by default
ROWS_SHOWN = 64  # for which code and figures are shown before the first call

R = TypeVar("R")  # what a call returns: an array, or a tuple of arrays
Given = tuple[Sequence[Array], tuple[int, ...]]  # a call's arrays and named sizes


@answers_calls
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
        if not isinstance(compiled, driver.CompiledFunction):
            raise not_compiled("Function", compiled, "cr.compile(node)")
        super().__init__(compiled.target, compiled.declared.graph)
        self._compiled = compiled
        self._single = single  # one node was compiled: a call returns one array
        self._arrays = arrays
        self._bound: dict[tuple[int, ...], Run] = {}
        self._signature = compiled.signature
        types = {node.op.label: node.dtype.numpy for node in self._declared.leaves("input")}
        self._inputs = [(key, types[key]) for key in compiled.signature.inputs]
        self._sizes: dict[tuple[tuple[int, ...], ...], tuple[int, ...]] = {}  # by inputs' shapes
        self._last: tuple[int, ...] | None = None  # sizes of the last call
        self._turn = threading.Lock()

    @property
    def _stages(self) -> Sequence[driver.Stage]:
        return self._compiled.stages

    def __copy__(self) -> Self:
        """The same function over a copy of its state."""
        arrays = self._arrays and {name: array.copy() for name, array in self._arrays.items()}
        return type(self)(self._compiled, single=self._single, arrays=arrays)

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self.__copy__()

    def __repr__(self) -> str:
        return function_text(self._declared, self._arrays is not None, self.target.name)

    def _generated(self) -> GeneratedCode:
        """The code for the sizes of the last call, or for `ROWS_SHOWN`."""
        return self._compiled.executable.generated(*self.shown_sizes().values())

    def shown_sizes(self) -> Mapping[str, int]:
        names = self._signature.size_names
        sizes = self._last or (ROWS_SHOWN,) * len(names)
        return dict(zip(names, sizes, strict=True))

    @property
    def slots(self) -> tuple[Node, ...]:
        """The state slots that the function reads or updates."""
        return self._declared.leaves("state")

    @property
    def state(self) -> State:
        """The values of the slots now: as bound, or as the updates of the calls left them."""
        return holding({name: array.copy() for name, array in self._require_state().items()})

    def initial_state(self, seed: int = 0) -> State:
        """First values of the slots, from their initialisers and a seed."""
        return self._first_values.state(seed)

    @cached_property
    def _first_values(self) -> FirstValues:
        return FirstValues(self.slots, self.target)

    def bind(self, state: State | HasState) -> Function[R]:
        """The same function over these values, or those that a run has left.

        What updates slots has a copy of its own; else the arrays of the state are shared.

        Raises:
            StateError: a slot has no value, or one of another type.
        """
        arrays = arrays_for(self.slots, state, shared=not self._declared.updates)
        return Function(self._compiled, single=self._single, arrays=arrays)

    def warm_up(self, sizes: Iterable[int | Mapping[str, int]] = ROWS_WARM) -> None:
        """Compile ahead for some numbers of rows, so that no call with one of them has to.

        Machine code serves every number up to the next power of two; where each row of the
        results is computed from a row of the inputs alone, that for 256 rows serves any larger
        number too, so the default leaves nothing to compile. `bind` gives functions that share it.

        Args:
            sizes: numbers of rows, such as [1, 32]; a function of several named sizes takes
                mappings, such as [{"batch": 8, "time": 20}].

        Raises:
            InputError: a size is missing, unknown, or no whole number of 1 or more.
        """
        names = self._signature.size_names
        asked = several("warm_up", "sizes", sizes, hint="give numbers of rows, such as [1, 32]")
        for chosen in [sizes_to_warm(names, given) for given in asked]:
            with self._turn:
                self._compiled.executable.generated(*chosen)

    def export(
        self,
        folder: str | os.PathLike[str],
        *,
        name: str,
        rows: int = 256,
        processor: str | None = None,
    ) -> tuple[Path, ...]:
        """Write the function, with the values that it is bound to inside, as files.

        `NAME.o` and a library hold machine code that takes no memory and calls no other library;
        `NAME.h` says what they offer: `NAME_init` once, then `NAME_call` with the inputs, the
        number of rows, and where the results go. A function of target "wasm" becomes modules for
        browsers, and `NAME.js`, which calls them; one of target "c" becomes `NAME.c`.

        Args:
            folder: made if it does not exist; files of these names are replaced.
            name: an identifier of C, with which every name in it begins.
            rows: how many are computed at once. A call takes no more than these where a row of
                the results depends on several rows of the inputs. The bits are those of as many
                rows in Python; of fewer, sums within a row may differ there in their last digits.
            processor: as for `TrainingProgram.export`.

        Returns:
            The files' paths.

        Raises:
            StateError: the function has state slots and is not bound to their values.
            InputError: the name is no identifier, or there is no such processor.
            GraphError: the function changes its state, or has an axis without a number that is
                not the rows.
            LinkingError: there is no linker; install a C compiler or the extra "aot".
            ExportError: a file cannot be written.
        """
        from chainrule.compiled.exporting import OF_FUNCTION, export_function, files_for

        return export_function(
            folder,
            name=name,
            program=self._compiled.program,
            values=self._require_state(),
            rows=rows,
            files=files_for(OF_FUNCTION, self.target, processor),
        )

    def __call__(self, values: object = None, /, *others: object, **named: object) -> R:
        """Compute the outputs from values by input, given as a mapping or by keyword.

        Values without names are those of the inputs in the order in which the program's text
        declares them: f(x, y), or f([x, y]). That of a function's only input is given alone.

        Returns:
            One array if one node was compiled, else a tuple in the order of the nodes.

        Raises:
            InputError: a value is missing, unknown, or does not fit its input.
            StateError: the function has state slots and is not bound to their values.
        """
        if others:
            values = ByPosition((values, *others))
        ready = self._ready(self._named(values, named))
        arrays, sizes = ready or self._checked({} if values is None else values, named)
        state = self._require_state()
        with self._turn:
            results = self._run(state, sizes)(*arrays)
        return cast(R, results[0] if self._single else results)

    def profile(
        self, values: object = None, /, *others: object, runs: int | None = None, **named: object
    ) -> Profile:
        """Time every kernel of a call with these values; they are given as in a call.

        Calls are made on a copy of the state, by code that reads a clock before and after each
        kernel; the function itself takes turns with it. A reading takes some 10 ns of machine
        code and 0.1 µs of NumPy.

        Args:
            values: as for a call.
            others: further values by position.
            runs: how many calls are timed; by default as many as take some tenths of a second.
            named: values by keyword.

        Raises:
            InputError: a value is missing, unknown, or does not fit its input.
            StateError: the function has state slots and is not bound to their values.
            GraphError: the function's target does not say what a kernel takes.
        """
        from chainrule.views.profiling import profile_of_function

        if others:
            values = ByPosition((values, *others))
        given = self._checked({} if values is None else values, named)
        state = {name: np.array(array) for name, array in self._require_state().items()}
        graphs = [stage.graph for stage in self._stages]
        return profile_of_function(self.target, self._compiled.program, graphs, given, state, runs)

    def _named(self, values: object, named: Mapping[str, object]) -> Mapping[str, object]:
        """Values by name, where no look at the graph is needed to find it; else nothing."""
        if values is None:
            return named
        if named:
            return {}
        if type(values) is dict:
            return values
        given = values if type(values) is ByPosition else (values,)
        return dict(zip(self._order, given, strict=False)) if len(given) == len(self._order) else {}

    @cached_property
    def _order(self) -> Sequence[str]:
        """The inputs in the order of values without names; none where that is not clear."""
        graph = ir.Graph((*self._declared.leaves("input"), *self._dropped))
        with suppress(InputError):
            return [str(name) for name in by_name(graph, ByPosition(graph.leaves("input")))]
        return ()

    def _ready(self, named: Mapping[str, object]) -> Given | None:
        """What `_checked` would give, if the values need neither conversion nor check.

        A call with these shapes has been checked before.
        """
        if len(named) != len(self._inputs):
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
        if sizes is None or not self._are_within(arrays, sizes):
            return None
        return arrays, sizes

    def _are_within(self, arrays: Sequence[Array], sizes: tuple[int, ...]) -> bool:
        """Are all indices below their bounds, and are these known by the sizes of a call?"""
        if not self._signature.indices:
            return True
        known = dict(zip(self._signature.size_names, sizes, strict=True))
        places, names = self._bounded
        return known.keys() >= names and all(i.fit(arrays[place], known) for place, i in places)

    @cached_property
    def _bounded(self) -> tuple[Sequence[tuple[int, Indices]], Set[str]]:
        """Which inputs are indices, and the named sizes of their bounds."""
        inputs, indices = self._signature.inputs, self._signature.indices
        places = [(inputs.index(each.key), each) for each in indices]
        return places, {name for each in indices for name in names_of(each.bound)}

    @cached_property
    def _dropped(self) -> tuple[Node, ...]:
        return dropped_inputs(self._declared)

    def _checked(self, values: object, named: Mapping[str, object]) -> Given:
        """The arrays in the order of the inputs, and the named sizes that they give."""
        declared, signature = self._declared.leaves("input"), self._signature
        given = by_key(ir.Graph((*declared, *self._dropped)), values, named)
        extra = [node for node in self._dropped if node.op.label in given]
        taken = ir.Graph((*declared, *extra))
        arrays = as_arrays(taken, given)
        sizes = sizes_from(taken, arrays)
        refuse_small(self._declared, sizes)
        if not all(each.fit(arrays[each.key], sizes) for each in signature.indices):
            check_indices(self._compiled.program.index_bounds, arrays, sizes)
        ordered = [arrays[key] for key in signature.inputs]
        if len(self._sizes) == SHAPES_KEPT:
            self._sizes.clear()
        found = sizes_for(signature.size_names, self._declared, sizes)
        if len(arrays) == len(ordered):
            self._sizes[tuple(array.shape for array in ordered)] = found
        return ordered, found

    def _run(self, state: Mapping[str, Array], sizes: tuple[int, ...]) -> Run:
        if sizes not in self._bound:
            if len(self._bound) == SIZES_KEPT:
                del self._bound[next(iter(self._bound))]
            self._bound[sizes] = self._compiled.executable.bind(state, *sizes)
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
