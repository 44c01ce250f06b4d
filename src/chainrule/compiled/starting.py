"""What a program starts from: first values of its slots, or those of a state that is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from chainc import driver
from chainc.backends import compiled_cache
from chainc.backends.epochs import EPOCH_START, EPOCH_SUMS, MOST_STEPS
from chainc.backends.signature import Signature
from chainc.backends.target import ExecutableFunction, KeepingTarget, Known, Target
from chainc.ir import Graph, Node, describe
from chainc.ir.errors import StateError
from chainc.ir.leaves import Slot, initial_graph, run_seed, step_counter
from chainc.ir.python.collection import without_collection
from chainc.ir.types import Array, Shape, has_named_size, static
from chainrule.compiled.state import HasState, State, holding, state_of
from chainrule.declare import init
from chainrule.declare.arguments import count
from chainrule.declare.arrays import UnfitError, convert


class FirstValues:
    """First values of state slots, by code that is made when they are first asked for.

    Machine code may round some in another way than NumPy; a program starts from its own target's,
    which are those of an exported program too. Of slots that begin with one number everywhere, as
    most of an optimizer's do, no code is made.
    """

    def __init__(self, slots: Sequence[Node], target: Target) -> None:
        self._all = slots
        self._slots = [slot for slot in slots if not _is_plain(slot)]  # what is computed
        self._target = target

    def state(self, seed: int) -> State:
        """The same seed and names give the same numbers.

        Raises:
            InputError: the seed is no whole number that is not negative.
        """
        count("initial_state", "seed", seed, at_least=0, hint="give a seed such as 0")
        found = dict(zip(self._slots, self._computed(seed), strict=True))
        values = [found[slot] if slot in found else _plain(slot, seed) for slot in self._all]
        return holding({slot.op.label: v for slot, v in zip(self._all, values, strict=True)})

    def _computed(self, seed: int) -> Sequence[Array]:
        if not self._slots:
            return ()
        with without_collection():
            signature, executable = self._compiled
            arguments = [np.asarray(seed, np.int64) for _ in signature.inputs]
            return executable.bind({})(*arguments)

    @cached_property
    def _compiled(self) -> tuple[Signature, ExecutableFunction]:
        """Where the target has kept it the graph is not made, which may be larger than the step."""
        known = self._known()
        if known is None or not isinstance(self._target, KeepingTarget):
            found = driver.compile_function(self._graph(), (), self._target, seldom=True)
            return found.signature, found.executable
        return self._target.start_function(
            known, lambda: driver.FunctionStages(self._graph(), (), seldom=True).made()
        )

    def _graph(self) -> Graph:
        return initial_graph(self._slots)

    def _known(self) -> Known | None:
        """By names, types and initialisers, if all of these say what they do."""
        lines: list[str] = []
        for slot in self._slots:
            assert isinstance(slot.op, Slot)
            initial = slot.op.initial
            if type(initial) not in init.BY_VALUE:
                return None
            lines.append(f"{slot.op.label} {slot.type} {initial!r}")
        files = compiled_cache.compiler(), compiled_cache.version(init.__file__)
        return Known(compiled_cache.key("first values", *files, *lines), {})


def _is_plain(slot: Node) -> bool:
    """Is its first value that of a run, or one number everywhere?"""
    assert isinstance(slot.op, Slot)
    of_a_run = slot is step_counter() or slot is run_seed()
    return of_a_run or (type(slot.op.initial) is init.Fill and not has_named_size(slot.shape))


def _plain(slot: Node, seed: int) -> Array:
    assert isinstance(slot.op, Slot)
    initial, begun = slot.op.initial, seed if slot is run_seed() else 0
    number = initial.value if isinstance(initial, init.Fill) else begun
    return np.full(static(slot.shape), number, slot.dtype.numpy)


def arrays_for(
    slots: Sequence[Node], given: State | HasState, *, shared: bool = False
) -> dict[str, Array]:
    """Writable copies of the slots' values; or the very arrays of a state, which are `shared`.

    Raises:
        StateError: a slot has no value, or one of another shape or of numbers that do not fit.
    """
    state = state_of(given)
    copies = not shared or not isinstance(state, State)
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
        if not _fits(value.shape, wanted.shape):
            raise StateError(
                f"the state's value for {describe(slot)} is {value.dtype}{list(value.shape)}",
                hint=f"give an array of type {wanted}",
            )
        converted = _converted(slot, value)
        arrays[name] = np.array(converted) if copies else converted
    return arrays


def _fits(shape: tuple[int, ...], wanted: Shape) -> bool:
    """What a slot holds for each row of a batch may be for any number of them."""
    pairs = zip(shape, wanted, strict=False)
    return len(shape) == len(wanted) and all(
        size == dim or has_named_size((dim,)) for size, dim in pairs
    )


def values_to_continue(
    slots: Sequence[Node], given: State | HasState, seed: int
) -> dict[str, Array]:
    """Writable copies of what a training continues from; `seed` is for a state without one.

    Raises:
        StateError: a value is missing, or is none that a run leaves.
    """
    state = state_of(given)
    others = [slot for slot in slots if slot is not run_seed()]
    values = {**arrays_for(others, given), "seed": _seed_of(state, seed)}
    _check_counter("step", values["step"], MOST_STEPS)
    start = state[EPOCH_START] if EPOCH_START in state else values["step"]
    _check_counter(EPOCH_START, start, int(values["step"]))
    values[EPOCH_START] = np.array(start, np.int64)
    if EPOCH_SUMS in state:
        values[EPOCH_SUMS] = _sums_of(state)
    return values


def _sums_of(state: Mapping[str, Array]) -> Array:
    """A number of rows, and what was added up over them: that may be anything, NaN too."""
    sums = state[EPOCH_SUMS]
    if sums.ndim != 1 or sums.dtype != np.float64 or not _is_count(sums[:1]):
        raise StateError(
            f"the state's {EPOCH_SUMS!r} are no number of rows with float64 sums over them",
            hint="give a state that a run or initial_state has returned",
        )
    return np.array(sums)


def _is_count(rows: Array) -> bool:
    return len(rows) == 1 and bool(1 <= rows[0] <= MOST_STEPS) and float(rows[0]).is_integer()


def _seed_of(state: Mapping[str, Array], default: int) -> Array:
    if "seed" not in state:
        return np.asarray(default, np.int64)
    _check_counter("seed", state["seed"], np.iinfo(np.int64).max)
    return np.array(state["seed"], np.int64)


def _check_counter(name: str, value: Array, most: int) -> None:
    """Refuse what no run leaves in a state."""
    if value.shape != () or value.dtype.kind not in "iu" or not 0 <= int(value) <= most:
        raise StateError(
            f"the state's {name!r} is no whole number from 0 to {most}",
            hint="give a state that a run or initial_state has returned",
        )


def _converted(slot: Node, value: Array) -> Array:
    try:
        return convert(value, slot.type.dtype)
    except UnfitError as unfit:
        raise StateError(
            f"the state's value for {describe(slot)} holds {unfit.what}", hint=unfit.hint
        ) from None
