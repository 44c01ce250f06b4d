"""One module with a function, the values of its slots, and the C API.

The kernels are those of the function in this process, so for the same processor their bits are the
same. The values are constants of the module; preparing an arena puts them where kernels read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chainc.backends.llvm.function_code import FunctionCode, function_code
from chainc.backends.llvm.host.storage import storage_of_function
from chainc.backends.llvm.machine_code.jit import compile_object
from chainc.backends.llvm.printing.spelling import array, element
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.runtime.entry import exported
from chainc.backends.standalone import entry_templates as templates
from chainc.backends.standalone.board import (
    check_code,
    check_memory,
    check_numbers,
    static_memory,
)
from chainc.backends.standalone.guards import Body, store
from chainc.backends.standalone.interface import (
    BAD_ARENA,
    BAD_ARGUMENT,
    BAD_INDEX,
    MOST_ROWS,
    RowArray,
    mark_of,
    version_of,
    words,
)
from chainc.backends.standalone.objects.choosing import Signature, hidden, signatures
from chainc.dataclass import dataclass
from chainc.ir.errors import GraphError
from chainc.ir.types import Array, format_shape, has_named_size, named, named_axes
from chainc.lowering.program import IndexBound, Program
from chainc.lowering.views import Buffer
from chainc.schedules.layout.access import Capacity, UnboundError
from chainc.schedules.program import control_block

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
        """With the version of a text that holds all of it."""
        version = version_of(text, repr(self.processor), self.wanted.name)
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
    code = plan.code
    constants = [_constant(i, values.tobytes()) for i, values in enumerate(plan.weights())]
    interface = plan.interface("\0".join((code.text, *constants)))
    check_memory(storage_of_function(code.program, code.memory), processor)
    writer = _Entries(interface, plan)
    memory = static_memory(wanted.name, interface.arena_bytes, processor)
    text = "\n".join([code.text, *constants, memory, *writer.functions()])
    entries = [f"{wanted.name}_{function}" for function in ENTRIES]
    shown = hidden(text, wanted.name) if wanted.hidden else text
    object_file = compile_object(shown, processor, entries)
    check_code(object_file, processor)
    return StandaloneFunction(object_file, interface, signatures(text, wanted.name))


def _constant(i: int, content: bytes) -> str:
    return f"@value.{i} = internal constant {array(content)}, align 64"


def _interface(
    wanted: WantedFunction, code: FunctionCode, version: str, processor: Processor
) -> FunctionInterface:
    buffers = (*code.inputs, *code.outputs)
    counts_rows = bool(wanted.program.size_names)
    results = [buffer.name or RESULTS for buffer in code.outputs]
    results = [RESULTS] if len(results) == 1 else results
    keys = [*(buffer.key for buffer in code.inputs), *results]
    bounds = wanted.program.index_bounds
    arguments = tuple(
        _argument(replace(buffer, key=key), word, bounds, counts_rows)
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


def _argument(
    buffer: Buffer, word: str, bounds: Sequence[IndexBound], counts_rows: bool
) -> Argument:
    has_rows = has_named_size(buffer.type.shape)
    found = [bound.bound for bound in bounds if bound.key == buffer.key]
    numbers = [bound for bound in found if isinstance(bound, int)]
    if len(numbers) < len(found) or (found and counts_rows and not has_rows):
        raise GraphError(
            f"export: the indices in the input {buffer.key!r} cannot be checked without Python",
            hint="let them have rows, and be indices into axes of known sizes",
        )
    shape = buffer.type.shape if has_rows else (1, *buffer.type.shape)
    most = 2 ** (8 * buffer.type.dtype.itemsize)
    bound = min(numbers, default=most)
    kind = replace(buffer.type, shape=shape)
    return Argument(RowArray(buffer.key, word, kind, bound if bound < most else None), has_rows)


class _Entries:
    """The functions that C calls: `version`, `init` and `call`."""

    def __init__(self, interface: FunctionInterface, plan: PlannedFunction) -> None:
        self.interface = interface
        self.code = code = plan.code
        self.mark = plan.mark
        self.once = plan.once
        self.arguments = (*interface.inputs, *interface.outputs)
        self.values = [f"@value.{i}" for i in range(len(code.states))]
        self.places = len(self.arguments) + len(self.values)

    def functions(self) -> Sequence[str]:
        """Those that C sees, and what they call."""
        version = self.interface.version
        marked = mark_of(version)
        checked = {each.array.dtype for each in self.arguments if each.array.bound is not None}
        steps = ["step"] if self.once else ["state.set", "step.prologue", "step"]
        return [
            templates.CLEAR,
            *(
                templates.INDICES_WITHIN.substitute(kind=element(dtype), size=dtype.itemsize)
                for dtype in sorted(checked, key=str)
            ),
            templates.ARENA_CHECKS.substitute(
                offset=self.mark,
                mark=marked,
                bad_argument=BAD_ARGUMENT,
                bad_arena=BAD_ARENA,
            ),
            exported("predict", steps),
            templates.VERSION.substitute(length=len(version) + 1, text=version),
            self._function("version", "", templates.VERSION_RESULT, "ptr"),
            self._function("init", "ptr %arena", self._init(marked)),
            self._call(),
        ]

    def _function(self, name: str, arguments: str, body: str, result: str = "i32") -> str:
        holes = {"name": f"{self.interface.name}_{name}", "arguments": arguments, "body": body}
        return templates.ENTRY.substitute(holes, result=result)

    def _init(self, marked: int) -> str:
        body = Body()
        body.passes("arena.aligned", "%arena")
        body.lines.append(f"  %table = alloca [{self.places} x ptr], align 8")
        return templates.INIT.substitute(
            guards=body.text,
            arena_bytes=self.interface.arena_bytes,
            stores="\n".join([store("mark", self.mark, str(marked)), *self._values()]),
            calls="  call void @bind(ptr %arena, ptr %table, i64 1, i64 0, i64 1)",
        )

    def _call(self) -> str:
        pointers = [f"%array.{i}" for i in range(len(self.arguments))]
        given = ["ptr %arena", *(f"ptr {pointer}" for pointer in pointers[: self._inputs])]
        given += ["i64 %rows"] if self.interface.counts_rows else []
        given += [f"ptr {pointer}" for pointer in pointers[self._inputs :]]
        body = self._guards(pointers)
        table = [
            part
            for i, (each, pointer) in enumerate(zip(self.arguments, pointers, strict=True))
            for part in _placed(i, each, pointer)
        ]
        no_failure = store("failure.before", control_block.FAILURE, "0")
        text = templates.PREDICT.substitute(
            places=self.places,
            guards=body.text,
            stores="\n".join([no_failure, *self._values()]),
            block=body.block,
            batch=self.code.block or self.interface.most_rows,
            table="\n".join(table),
            failure=templates.FAILURE.substitute(offset=control_block.FAILURE, bad_index=BAD_INDEX),
        )
        return self._function("call", ", ".join(given), text)

    @property
    def _inputs(self) -> int:
        return len(self.interface.inputs)

    def _guards(self, pointers: Sequence[str]) -> Body:
        body = Body()
        if not self.interface.counts_rows:
            body.lines.append("  %rows = add i64 0, 1")
        body.passes("arena.check", "%arena")
        for pointer in pointers:
            body.not_null(pointer)
        if self.interface.counts_rows:
            body.within("%rows", 1, self.interface.most_rows)
        for each, pointer in zip(self.interface.inputs, pointers, strict=False):
            body.indices(each.array, pointer)
        return body

    def _values(self) -> Sequence[str]:
        """The table's entries for the constants, behind those of the caller's arrays."""
        first = len(self.arguments)
        return [
            templates.PLACE.substitute(place=first + i, pointer=value)
            for i, value in enumerate(self.values)
        ]


def _placed(place: int, argument: Argument, pointer: str) -> Sequence[str]:
    """The table's entry: an array, from the row on that is next if it has rows."""
    if not argument.has_rows:
        return [templates.PLACE.substitute(place=place, pointer=pointer)]
    row_bytes = argument.array.row_elements * argument.array.dtype.itemsize
    start = templates.FROM_ROW.substitute(place=place, row_bytes=row_bytes, pointer=pointer)
    return [start, templates.PLACE.substitute(place=place, pointer=f"%from.{place}")]
