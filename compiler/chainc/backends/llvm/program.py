"""A lowered program as functions of a module: its kernels in order, over one arena.

    @NAME(ptr arena, ptr table, i64 rows, i64 thread, i64 threads)

Every thread calls the function; a kernel is shared among them or done by the first alone. Where
one reads or overwrites what another thread has touched, a barrier comes between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chainc.backends.llvm.printing.module import KernelFunction, Module
from chainc.backends.llvm.runtime.control_block import CONTROL_BYTES, FAILURE
from chainc.backends.llvm.runtime.failures import Failures, Watched
from chainc.ir import Origin
from chainc.loops.language import Nest
from chainc.lowering.grouping import group
from chainc.lowering.memory import ALIGNMENT, plan, reuse_in_place, substitute
from chainc.lowering.parts import Part, parts_of, parts_of_all
from chainc.lowering.program import Buffer, Copy, Group, Kernel, Program, View
from chainc.lowering.rows import counted_at_each_call
from chainc.lowering.split import split_large
from chainc.schedules import schedule
from chainc.schedules.layout.access import Capacity, storage_size
from chainc.schedules.layout.machine import Machine
from chainc.schedules.layout.panels import Layouts, lay_out
from chainc.schedules.unrolled.schedule import Unrolled
from chainc.schedules.watching import watching_nest

ARGUMENTS = "ptr noalias %arena, ptr noalias %table, i64 %rows, i64 %thread, i64 %threads"
MOST_INSTRUCTIONS = 256  # of a map
MOST_CALLS = 512  # of kernels in one function; it calls another for those before
BARRIER = "  call void @barrier(ptr %arena, i64 %thread, i64 %threads)"
PADDING = 64  # bytes behind the last buffer, so that a vector may stand out


def prepare(
    program: Program,
    machine: Machine,
    capacity: Capacity,
    given: Layouts | None = None,
) -> Program:
    """Kernels grouped, laid out and in place: the form that is printed.

    Code is generated in a time that grows faster than a function, so very large maps are cut.
    """
    counted = counted_at_each_call(program)
    grouped = group(split_large(counted, MOST_INSTRUCTIONS))
    return reuse_in_place(lay_out(grouped, machine, capacity, given))


def with_roles(program: Program, roles: Mapping[str, str]) -> Program:
    """The program with other roles for inputs that are not arrays of the caller's, by key."""
    names = {b: replace(b, role=roles[b.key]) for b in program.inputs if b.key in roles}
    inputs = tuple(names.get(buffer, buffer) for buffer in program.inputs)
    return replace(substitute(program, names), inputs=inputs)


def with_outputs(program: Program) -> tuple[Program, tuple[Buffer, ...]]:
    """The program with its outputs written to arrays of the caller's."""
    updated = {view.buffer for _, view in program.updates}
    once = [kernel.out for kernel in program.body]
    names: dict[Buffer, Buffer] = {}
    copies: list[Kernel] = []
    targets: list[Buffer] = []
    for position, result in enumerate(program.outputs):
        target = Buffer(_output_name(program, position), result.type, "output")
        targets.append(target)
        own = isinstance(result, View) and result.whole and once.count(result.buffer) == 1
        if own and isinstance(result, View) and result.buffer not in {*updated, *names}:
            names[result.buffer] = target
        else:
            copies.append(Copy(target, (result,)))
    direct = replace(program, body=(*program.body, *copies), outputs=())
    return substitute(direct, names), tuple(targets)


def _output_name(program: Program, position: int) -> str:
    """The graph's name for an output, or else that of what it is."""
    if position < len(program.names) and program.names[position]:
        return program.names[position]
    result = program.outputs[position]
    return result.buffer.name if isinstance(result, View) else f"output_{position}"


@dataclass
class Memory:
    """Where every buffer is: an offset in the arena, a place in the table, or a constant."""

    capacity: Capacity
    size: int = CONTROL_BYTES
    shared: dict[tuple[str, str], int] = field(default_factory=dict)  # by role and key
    offsets: dict[Buffer, int] = field(default_factory=dict)
    table: dict[Buffer, int] = field(default_factory=dict)
    constants: dict[Buffer, str] = field(default_factory=dict)

    def nbytes(self, buffer: Buffer) -> int:
        return storage_size(buffer, self.capacity) * buffer.type.dtype.itemsize

    def take(self, nbytes: int) -> int:
        """Room in the arena that stays taken."""
        offset = self.size
        self.size += -(-nbytes // ALIGNMENT) * ALIGNMENT
        return offset

    def keep(self, buffers: Iterable[Buffer]) -> None:
        """A place for buffers that outlive a step; one for each role and key."""
        for buffer in buffers:
            key = (buffer.role, buffer.key)
            if key not in self.shared:
                self.shared[key] = self.take(self.nbytes(buffer))
            self.offsets[buffer] = self.shared[key]

    def keep_results(self, kernels: Sequence[Kernel]) -> None:
        """Room for what a prologue computes once."""
        for kernel in kernels:
            for out in kernel.outs:
                if out not in self.offsets and out not in self.table:
                    self.offsets[out] = self.take(self.nbytes(out))

    def work(self, programs: Sequence[Program]) -> None:
        """Room for the buffers of several programs that never run at the same time."""
        start = self.size
        for program in programs:
            arena = plan(program, self.nbytes)
            self.offsets |= {buffer: start + at for buffer, at in arena.offsets.items()}
            self.size = max(self.size, start + arena.sizes.get((), 0))

    @property
    def arena_bytes(self) -> int:
        """All memory that a run takes, apart from the arrays of the caller."""
        return self.size + PADDING

    def extent(self, buffer: Buffer) -> tuple[str, int, int]:
        """What tells whether two buffers overlap: a space, a start and an end."""
        if buffer in self.offsets:
            start = self.offsets[buffer]
            return "arena", start, start + self.nbytes(buffer)
        if buffer in self.table:
            return f"table {self.table[buffer]}", 0, 1
        return "constant", 0, 0


@dataclass(frozen=True)
class KernelCall:
    """A kernel's function, the buffers it is given, and which of them it writes."""

    function: KernelFunction
    buffers: tuple[Buffer, ...]
    written: frozenset[Buffer]
    code: int


@dataclass(frozen=True)
class KernelUse:
    """What a function computes where it is called: equal kernels share one.

    Attributes:
        function: that is called.
        nest: whose registers name their parts; its text is the function's.
        parts: all that is computed.
    """

    function: KernelFunction
    nest: Nest
    parts: tuple[Part, ...]


@dataclass
class ProgramPrinter:
    """Prints functions over one memory into one module."""

    module: Module
    memory: Memory
    failures: Failures = field(default_factory=Failures)
    uses: dict[str, list[KernelUse]] = field(default_factory=dict)  # by function

    def kernel(self, kernel: Kernel) -> KernelCall:
        """A kernel's function in the module."""
        nest, buffers = schedule(kernel, self.memory.capacity, self.module.machine)
        function = self._function_of(nest, parts_of(kernel))
        self._constants(buffers)
        code = self.failures.add_kernel(kernel)
        return KernelCall(function, buffers, frozenset(kernel.outs), code)

    def _function_of(self, nest: Nest, parts: tuple[Part, ...]) -> KernelFunction:
        function = self.module.kernel(nest)
        self.uses.setdefault(function.name, []).append(KernelUse(function, nest, parts))
        return function

    def unrolled(self, name: str, small: Unrolled) -> None:
        """A function that calls a whole program as straight-line code."""
        nest, buffers, checked = small.nest, small.buffers, small.checked
        function = self._function_of(nest, parts_of_all(small.kernels))
        code = self.failures.add_kernels(checked)
        body = _Body(self.memory)
        self._constants(buffers)
        body.call(KernelCall(function, tuple(buffers), frozenset(), code))
        self._function(name, body)

    def sequence(
        self,
        name: str,
        kernels: Sequence[Kernel],
        given: Sequence[Buffer] = (),
        *,
        watch: bool = False,
    ) -> None:
        """A function that calls the kernels in order.

        Watched, what is given and each result is looked through for NaN and infinities.
        """
        body = _Body(self.memory)
        for buffer in given:
            self._watch(body, Watched(buffer, buffer.origin, given=True))
        parts = 0
        for position, kernel in enumerate(kernels):
            if position and position % MOST_CALLS == 0:
                self._function(f"{name}.part.{parts}", body)
                body = _Body(self.memory, after=f"{name}.part.{parts}")
                parts += 1
            body.call(self.kernel(kernel))
            for out in kernel.outs if watch else ():
                self._watch(body, Watched(out, _origin_of(out, kernel), given=False))
        self._function(name, body)

    def _watch(self, body: _Body, watched: Watched) -> None:
        buffer = watched.buffer
        if not buffer.type.dtype.is_float:
            return
        nest, buffers = watching_nest(buffer, self.memory.capacity, self.module.machine)
        code = self.failures.add_watched(watched)
        body.call(KernelCall(self.module.kernel(nest), buffers, frozenset(), code))

    def _function(self, name: str, body: _Body) -> None:
        head = f"define internal void @{name}({ARGUMENTS}) nounwind {{\nentry:\n"
        self.module.add(head + "\n".join([*body.finished(), "  ret void", "}", ""]))

    def program(self, name: str, program: Program, *, watch: bool = False) -> None:
        """`@NAME` and `@NAME.prologue`."""
        updates = [Copy(slot, (view,)) for slot, view in program.updates]
        self.sequence(f"{name}.prologue", program.prologue)
        given = (*program.inputs, *program.states) if watch else ()
        self.sequence(name, (*program.body, *updates), given, watch=watch)

    def exchange(self, name: str, states: Sequence[Buffer], table: Mapping[str, int]) -> None:
        """`@NAME.set` copies states from the table's arrays into the arena, `@NAME.get` back."""
        given, taken = [], []
        for state in states:
            plain = replace(state, panels=None)
            source, target = replace(plain, role="input"), replace(plain, role="output")
            self.memory.table[source] = self.memory.table[target] = table[state.key]
            given.append(Copy(state, (View(source, source.type),)))
            taken.append(Copy(target, (View(state, state.type),)))
        self.sequence(f"{name}.set", given)
        self.sequence(f"{name}.get", taken)

    def _constants(self, buffers: Iterable[Buffer]) -> None:
        """A global for each constant that has none yet."""
        for buffer in buffers:
            if buffer.role == "constant" and buffer not in self.memory.constants:
                name = f"@constant.{len(self.memory.constants)}"
                self.memory.constants[buffer] = name
                data = buffer.data + bytes(PADDING)
                text = "".join(f"\\{byte:02X}" for byte in data)
                kind = f"[{len(data)} x i8]"
                self.module.add(
                    f'{name} = private unnamed_addr constant {kind} c"{text}", align 64\n'
                )


def _origin_of(out: Buffer, kernel: Kernel) -> Origin:
    """Of what is written to a buffer."""
    if not isinstance(kernel, Group):
        return kernel.origin
    results = [result for result, target in kernel.kept if target is out]
    return next(member.origin for member in kernel.members if member.out in results)


class _Body:
    """The lines of a function that calls kernels."""

    def __init__(self, memory: Memory, after: str = "") -> None:
        self.memory = memory
        self.lines: list[str] = ["  %first = icmp eq i64 %thread, 0"]
        if after:
            given = "ptr %arena, ptr %table, i64 %rows, i64 %thread, i64 %threads"
            self.lines.append(f"  call void @{after}({given})")
            self.lines.append(BARRIER)
        self.values = 0
        self.touched: list[KernelCall] = []  # since the last barrier
        self.touched_by_all: list[KernelCall] = []  # the shared ones of them
        self.count = 0
        self.alone = False  # inside a block that only the first thread enters

    def call(self, call: KernelCall) -> None:
        others = self.touched if call.function.shared else self.touched_by_all
        if any(self._conflict(earlier, call) for earlier in others):
            self._together()
            self.lines.append(BARRIER)
            self.touched, self.touched_by_all = [], []
        if call.function.shared:
            self._together()
        else:
            self._first_only()
        pointers = [self._pointer(buffer) for buffer in call.buffers]
        self.touched.append(call)
        if call.function.shared:
            self.touched_by_all.append(call)
        given = [f"ptr {pointer}" for pointer in pointers]
        given += ["i64 %rows", "i64 %thread", "i64 %threads"]
        if call.function.fails:
            given += [f"ptr {self._arena(FAILURE)}", f"i64 {call.code}"]
        self.lines.append(f'  call void @"{call.function.name}"({", ".join(given)})')

    def finished(self) -> Sequence[str]:
        self._together()
        return self.lines

    def _conflict(self, earlier: KernelCall, later: KernelCall) -> bool:
        """Does the later one touch what another thread may have written, or the reverse?"""
        return any(
            self._overlap(a, b)
            for a in earlier.buffers
            for b in later.buffers
            if a in earlier.written or b in later.written
        )

    def _overlap(self, a: Buffer, b: Buffer) -> bool:
        space, start, end = self.memory.extent(a)
        other, first, last = self.memory.extent(b)
        return space == other and start < last and first < end

    def _first_only(self) -> None:
        if not self.alone:
            self.count += 1
            self.lines.append(f"  br i1 %first, label %alone.{self.count}, label %all.{self.count}")
            self.lines.append(f"alone.{self.count}:")
            self.alone = True

    def _together(self) -> None:
        if self.alone:
            self.lines += [f"  br label %all.{self.count}", f"all.{self.count}:"]
            self.alone = False

    def _pointer(self, buffer: Buffer) -> str:
        if buffer in self.memory.offsets:
            return self._arena(self.memory.offsets[buffer])
        if buffer in self.memory.constants:
            return self.memory.constants[buffer]
        return self._table(self.memory.table[buffer])

    def _arena(self, offset: int) -> str:
        return self._let(f"getelementptr inbounds i8, ptr %arena, i64 {offset}")

    def _table(self, index: int) -> str:
        slot = self._let(f"getelementptr inbounds ptr, ptr %table, i64 {index}")
        return self._let(f"load ptr, ptr {slot}, align 8")

    def _let(self, text: str) -> str:
        """A pointer, computed where it is needed: kept for long, it would only take a register."""
        self.values += 1
        name = f"%a{self.values}"
        self.lines.append(f"  {name} = {text}")
        return name
