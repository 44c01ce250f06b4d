"""One module with a function, the values of its slots, and the C API.

The kernels are those of the function in this process, so for the same processor their bits are the
same. The values are constants of the module; preparing an arena puts them where kernels read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import chain, count

from chainc.backends.llvm.function_code import FunctionCode, function_code
from chainc.backends.llvm.host.storage import storage_of_function
from chainc.backends.llvm.machine_code.jit import compile_object
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.standalone.board import (
    check_code,
    check_memory,
    check_numbers,
    static_memory,
)
from chainc.backends.standalone.guards import CheckedWriter, arena_check
from chainc.backends.standalone.interface import (
    C_TYPES,
    MOST_ROWS,
    RowArray,
    bound_of,
    mark_of,
    version_of,
    words,
)
from chainc.backends.standalone.objects.choosing import Signature, hidden, signatures
from chainc.backends.standalone.outside import ARENA, Given, Outside, llvm_text, version_text
from chainc.backends.standalone.run_entries import in_parts
from chainc.dataclass import dataclass
from chainc.ir.errors import GraphError
from chainc.ir.types import Array, format_shape, has_named_size, named, named_axes
from chainc.loops.language import Routine
from chainc.loops.values import Parameter
from chainc.lowering.program import IndexBound, Program
from chainc.lowering.views import Buffer
from chainc.schedules.layout.access import Capacity, UnboundError
from chainc.schedules.program.control_block import CACHE_LINE

RESULTS = "results"  # what one output is called, and others that have no name
MARK_BYTES = 8
ENTRIES = ("version", "init", "call")  # what C calls, after the name of the function


@dataclass(frozen=True)
class WantedFunction:
    """What is to be exported: a program, and the values of its slots by name."""

    name: str
    program: Program
    values: Mapping[str, Array]
    rows: int  # at once, at most
    hidden: bool = False  # from all but what it is linked with


@dataclass(frozen=True)
class Argument:
    """An array of the caller's; one that has no rows is the same for all of them."""

    array: RowArray
    has_rows: bool

    @property
    def c_type(self) -> str:
        """Of its elements."""
        return C_TYPES[self.array.dtype]


@dataclass(frozen=True)
class FunctionInterface:
    """All that the header tells."""

    name: str
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    counts_rows: bool  # the function takes a number of rows
    most_rows: int
    arena_bytes: int
    version: str
    pointer_bytes: int
    has_memory: bool  # the object file has an arena in it

    @property
    def prefix(self) -> str:
        """Of constants."""
        return self.name.upper()

    @property
    def functions(self) -> tuple[str, ...]:
        """Their names after that of the function."""
        return ENTRIES

    @property
    def parameters(self) -> Sequence[str]:
        """Of a call, as C declares them."""
        given = [f"const {each.c_type} *{each.array.word}_data" for each in self.inputs]
        rows = ["int64_t rows"] if self.counts_rows else []
        results = [f"{each.c_type} *{each.array.word}_data" for each in self.outputs]
        return ["void *arena", *given, *rows, *results]


@dataclass(frozen=True)
class StandaloneFunction:
    """An object file, and what C must know of it."""

    object_file: bytes
    interface: FunctionInterface
    signatures: Mapping[str, Signature]

    @property
    def version(self) -> str:
        """That of the interface."""
        return self.interface.version


@dataclass(frozen=True)
class PlannedFunction:
    """The kernels, and the offset in the arena of the mark that it is prepared."""

    wanted: WantedFunction
    processor: Processor
    code: FunctionCode
    mark: int

    def interface(self, text: str) -> FunctionInterface:
        """With the version of the kernels and values; the text is that of the kernels."""
        values = (sha256(each.tobytes()).hexdigest() for each in self.weights())
        version = version_of(text, *values, repr(self.processor), self.wanted.name)
        return _interface(self.wanted, self.code, version, self.processor)

    @property
    def once(self) -> bool:
        """Is all prepared that does not depend on the inputs?

        Where rows are not independent, what depends on their number is prepared at each call.
        """
        return self.code.block is not None or not self.wanted.program.size_names

    def weights(self) -> Sequence[Array]:
        """In the order of the slots."""
        return [self.wanted.values[buffer.key] for buffer in self.code.states]


def planned_function(wanted: WantedFunction, processor: Processor) -> PlannedFunction:
    """What is to be compiled, or printed.

    Raises:
        GraphError: it changes its state, has two named sizes, or cannot be native code.
    """
    _check(wanted.program)
    check_numbers([wanted.program], processor)
    capacity = Capacity(dict.fromkeys(wanted.program.size_names, wanted.rows))
    try:
        code = function_code(wanted.program, capacity, processor)
    except UnboundError as error:
        raise GraphError(
            f"export needs the number of rows when compiling: {error}",
            hint="compile with that number, such as cr.compile(logits, batch=32)",
        ) from None
    return PlannedFunction(wanted, processor, code, code.memory.take(MARK_BYTES))


def _check(program: Program) -> None:
    names = program.size_names
    if program.updates:
        raise GraphError(
            "export: the function changes its state, which a library with its values inside keeps",
            hint="export what it computes, such as cr.compile(logits).bind(state); a training is "
            "exported by its program",
        )
    if len(names) > 1:
        raise GraphError(
            f"export: the function has {len(names)} named sizes, {', '.join(map(repr, names))}",
            hint=f"leave the rows alone without a number: cr.compile(..., {names[-1]}=16)",
        )
    inputs = [(f"input {buffer.key!r}", buffer.type.shape) for buffer in program.inputs]
    outputs = [(f"output {i}", result.type.shape) for i, result in enumerate(program.outputs)]
    for told, shape in (*inputs, *outputs):
        rows = named_axes(shape) == (0,) and shape[0] == named(names[0])
        if has_named_size(shape) and not rows:
            raise GraphError(
                f"export: the {told} of shape {format_shape(shape)} is not made of rows",
                hint=f"let {names[0]!r} be the first axis, and the only one without a number",
            )


def standalone_function(wanted: WantedFunction, processor: Processor) -> StandaloneFunction:
    """Compiles a function, with its values inside.

    Raises:
        GraphError: it changes its state, has two named sizes, or cannot be native code.
    """
    plan = planned_function(wanted, processor)
    code, interface = plan.code, plan.interface(plan.code.text)
    check_memory(storage_of_function(code.program, code.memory), processor)
    module = code.module
    module.add(static_memory(wanted.name, interface.arena_bytes, processor))
    module.add(version_text(wanted.name, interface.version))
    for function in outside(plan, interface):
        module.routine(function.routine)
        module.add(llvm_text(function))
    text = module.text()
    entries = [f"{wanted.name}_{function}" for function in ENTRIES]
    shown = hidden(text, wanted.name) if wanted.hidden else text
    object_file = compile_object(shown, processor, entries)
    check_code(object_file, processor)
    return StandaloneFunction(object_file, interface, signatures(text, wanted.name))


def outside(plan: PlannedFunction, interface: FunctionInterface) -> Sequence[Outside]:
    """The functions that C sees, but for the one that tells the version."""
    return _Entries(interface, plan).functions()


def _interface(
    wanted: WantedFunction, code: FunctionCode, version: str, processor: Processor
) -> FunctionInterface:
    buffers = (*code.inputs, *code.outputs)
    counts_rows = bool(wanted.program.size_names)
    results = [buffer.name or RESULTS for buffer in code.outputs]
    results = [RESULTS] if len(results) == 1 else _told_apart(results)
    keys = [*(buffer.key for buffer in code.inputs), *results]
    bounds = wanted.program.index_bounds
    arguments = tuple(
        _argument(replace(buffer, key=key), word, bounds)
        for buffer, key, word in zip(buffers, keys, words(keys), strict=True)
    )
    return FunctionInterface(
        name=wanted.name,
        inputs=arguments[: len(code.inputs)],
        outputs=arguments[len(code.inputs) :],
        counts_rows=counts_rows,
        most_rows=MOST_ROWS if code.block else wanted.rows,
        arena_bytes=code.memory.arena_bytes,
        version=version,
        pointer_bytes=processor.pointer_bytes,
        has_memory=processor.board is not None,
    )


def _told_apart(names: Sequence[str]) -> list[str]:
    """A number is put behind a name that is taken: they are the properties of an object."""
    found: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(2))
        found.append(next(each for each in chain([name], numbered) if each not in found))
    return found


def _argument(buffer: Buffer, word: str, bounds: Sequence[IndexBound]) -> Argument:
    has_rows = has_named_size(buffer.type.shape)
    shape = buffer.type.shape if has_rows else (1, *buffer.type.shape)
    kind, bound = replace(buffer.type, shape=shape), bound_of(buffer.key, buffer.type.dtype, bounds)
    return Argument(RowArray(buffer.key, word, kind, bound), has_rows)


class _Entries:
    """The functions that C calls beside `version`: `init` and `call`."""

    def __init__(self, interface: FunctionInterface, plan: PlannedFunction) -> None:
        self.interface, self.plan, self.code = interface, plan, plan.code
        self.arguments = (*interface.inputs, *interface.outputs)
        self.mark = mark_of(interface.version)

    def functions(self) -> Sequence[Outside]:
        """Those, with what they call."""
        inputs, results = self.interface.inputs, self.interface.outputs
        given = [Given(each) for each in self.interface.parameters]
        return [
            Outside(f"{self.interface.name}_init", (ARENA,), self._init()),
            Outside(f"{self.interface.name}_call", tuple(given), self._call(inputs, results)),
        ]

    def _init(self) -> Routine:
        to, first = CheckedWriter(), len(self.arguments)
        to.refuse(to.is_missing(to.arena, CACHE_LINE, "unusable"))
        to.cleared(self.interface.arena_bytes)
        to.store(to.integer(self.mark, "prepared"), to.word(self.plan.mark, "mark"))
        values = {first + i: value for i, value in enumerate(self._values(to))}
        table = to.table("table", values, first + len(values))
        one, none = to.integer(1), to.integer(0)
        for routine in self.code.entries["bind"]:
            to.run(routine, to.arena, table, one, none, one)
        return to.checked("checked.init", "the values of the parameters, and what follows")

    def _call(self, inputs: Sequence[Argument], outputs: Sequence[Argument]) -> Routine:
        to, most = CheckedWriter(), self.interface.most_rows
        given = [to.buffer(f"{each.array.word}.data", each.array.dtype) for each in inputs]
        rows = to.number("rows") if self.interface.counts_rows else to.integer(1, "rows")
        results = [to.buffer(f"{each.array.word}.data", each.array.dtype) for each in outputs]
        to.passes(arena_check(self.plan.mark, self.mark), to.arena)
        to.given(*given, *results)
        if self.interface.counts_rows:
            to.in_range(rows, 1, most)
        for each, array in zip(inputs, given, strict=True):
            to.indices(each.array, array, rows if each.has_rows else to.integer(1))
        arrays = [
            (each.array if each.has_rows else None, array)
            for each, array in zip(self.arguments, (*given, *results), strict=True)
        ]
        arrays += [(None, value) for value in self._values(to)]
        entries = self.code.entries
        routines = [*([] if self.plan.once else entries["bind"]), *entries["run"]]
        in_parts(to, routines, arrays, rows, self.code.block or most)
        return to.checked("checked.call", "a result for each row", to.outcome())

    def _values(self, to: CheckedWriter) -> Sequence[Parameter]:
        """The constants, which stand in a table behind the caller's arrays."""
        slots = zip(self.code.states, self.plan.weights(), strict=True)
        return [
            to.data(f"value.{i}", slot.type.dtype, values.tobytes())
            for i, (slot, values) in enumerate(slots)
        ]
