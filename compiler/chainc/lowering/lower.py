"""`Graph → Program`, by op family, never by op name.

Elementwise ops become maps through the scalar vocabulary, all others go through the kernel
vocabulary; both are interpreted here by builders that write kernels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Op, Origin
from chainc.ir.kernels import Family, Meaning, interpret
from chainc.ir.leaves import Constant, Input, Slot
from chainc.ir.movements import Movement
from chainc.ir.types import Axes, Dim, TensorType, promote, static
from chainc.lowering.instructions import Argument, Instruction, InstructionBuilder, Value
from chainc.lowering.kernels import Applied, Contraction, Copy, Fill, Kernel, Map, Reduction
from chainc.lowering.loops import Loops
from chainc.lowering.naming import has_own_name, name_of, named_buffer
from chainc.lowering.program import IndexBound, Loop, Program
from chainc.lowering.views import Buffer, Literal, Operand, SizeValue, View
from chainc.ops.formula import interpret_body, product_of


def lower(graph: Graph) -> Program:
    """Kernels for every node, operands before users; what depends on sizes alone comes apart."""
    wanted = dict(zip(graph.outputs, graph.names, strict=False))
    wanted.update({value: f"new_{name_of(slot)}" for slot, value in graph.updates.items()})
    lowering = Lowering(wanted, Loops(graph, lower))
    for node in graph.nodes:
        lowering.node(node)
    outputs = tuple(lowering.output(node) for node in graph.outputs)
    updates = tuple(lowering.update(slot, value) for slot, value in graph.updates.items())
    prologue, body = _split_prologue(lowering.kernels)
    return Program(
        inputs=tuple(lowering.inputs.values()),
        states=tuple(lowering.states.values()),
        prologue=prologue,
        body=body,
        updates=updates,
        outputs=outputs,
        names=graph.names,
        index_bounds=tuple(lowering.index_bounds),
    )


def _split_prologue(kernels: Sequence[Kernel]) -> tuple[tuple[Kernel, ...], tuple[Kernel, ...]]:
    """Kernels that depend on sizes and constants only run once, when the program is bound."""
    fixed: set[Buffer] = set()
    prologue: list[Kernel] = []
    body: list[Kernel] = []
    written = Counter(out for kernel in kernels for out in kernel.outs)
    for kernel in kernels:
        known = all(v.buffer in fixed or v.buffer.role == "constant" for v in kernel.reads)
        if known and not isinstance(kernel, Loop) and all(written[o] == 1 for o in kernel.outs):
            fixed.update(kernel.outs)
            prologue.append(kernel)
        else:
            body.append(kernel)
    return tuple(prologue), tuple(body)


@dataclass
class Lowering:
    """Writes kernels; a builder of the kernel vocabulary whose values are operands."""

    wanted: Mapping[Node, str]  # names for outputs and for new values of state slots
    loops: Loops
    kernels: list[Kernel] = field(default_factory=list)
    inputs: dict[str, Buffer] = field(default_factory=dict)
    states: dict[Node, Buffer] = field(default_factory=dict)
    values: dict[Node, Operand] = field(default_factory=dict)
    index_bounds: list[IndexBound] = field(default_factory=list)
    computed: Node | None = None  # the node that is being lowered
    name: str = ""
    prominent: bool = False
    origin: Origin = field(default_factory=Origin)

    def node(self, node: Node) -> None:
        self.name, self.origin = self.wanted.get(node) or name_of(node), node.origin
        self.prominent = node in self.wanted or has_own_name(node.origin)
        self.computed = node
        self.values[node] = self._value(node)

    def output(self, node: Node) -> Operand:
        """An output is work of the program, never an input or a slot that changes under it."""
        value = self.values[node]
        if isinstance(value, View) and value.buffer.role in ("input", "state"):
            self.name, self.origin = f"{value.buffer.name}_out", node.origin
            self.computed = node
            return self.copy(value)
        return value

    def update(self, slot: Node, node: Node) -> tuple[Buffer, View]:
        """A new value for a slot, in a buffer of its own so that no update reads another."""
        self.name, self.origin = f"new_{name_of(slot)}", node.origin
        self.computed = node
        value = self.values[node]
        own = isinstance(value, View) and value.whole and value.buffer.role == "work"
        return self.states[slot], value if own and isinstance(value, View) else self.copy(value)

    def _value(self, node: Node) -> Operand:
        op = node.op
        if isinstance(op, Constant):
            return self._constant(op, node.type)
        if isinstance(op, Input):
            buffer = Buffer(self.name, node.type, "input", op.key, origin=node.origin)
            return View(self.inputs.setdefault(op.key, buffer), node.type)
        if isinstance(op, Slot):
            buffer = Buffer(self.name, node.type, "state", op.label, origin=node.origin)
            self.states[node] = buffer
            return View(buffer, node.type)
        return interpret(node, self, [self.values[operand] for operand in node.inputs])

    def _constant(self, op: Constant, type: TensorType) -> Operand:
        array = op.value.array
        if array.ndim == 0:
            return Literal(array.item(), type)
        return View(Buffer(self.name, type, "constant", data=array.tobytes()), type)

    def work(self, type: TensorType) -> Buffer:
        cotangent = self.origin.derivative is not None
        return Buffer(self.name, type, cotangent=cotangent, prominent=self.prominent)

    def emit(self, kernel: Kernel) -> View:
        self.kernels.append(replace(kernel, node=self.computed))
        return View(kernel.out, kernel.out.type)

    def viewed(self, operand: Operand) -> View:
        """A scalar constant as storage, for kernels that read tensors."""
        return operand if isinstance(operand, View) else self.copy(operand)

    def copy(self, operand: Operand) -> View:
        return self.emit(Copy(self.work(operand.type), (operand,), origin=self.origin))

    # the kernel vocabulary

    def map(self, result: TensorType, meaning: Meaning, operands: Sequence[Operand]) -> Operand:
        arguments = [Argument(index, operand.type) for index, operand in enumerate(operands)]
        value, instructions = self._written(result, meaning, arguments)
        if isinstance(value, Literal):
            return self.emit(Fill(self.work(result), (), value.value, origin=self.origin))
        if isinstance(value, Argument):
            return operands[value.index]
        if len(instructions) == 1 and instructions[0].primitive == "cast":
            (size,) = operands
            if isinstance(size, SizeValue):
                return replace(size, type=result)
        out = self.work(result)
        return self.emit(Map(out, tuple(operands), instructions, origin=self.origin))

    def _written(
        self, result: TensorType, meaning: Meaning, arguments: Sequence[Value]
    ) -> tuple[Value, tuple[Instruction, ...]]:
        """A meaning as instructions, those of a fused one each for the node that it is part of."""
        builder = InstructionBuilder(result.dtype, self.origin)
        if meaning.fused_body is None:
            value = meaning.interpret(builder, arguments)
        else:
            value = interpret_body(meaning.fused_body, builder, arguments, builder.begin)
        return value, tuple(builder.instructions)

    def contract(
        self, result: TensorType, letters: tuple[str, str, str], a: Operand, b: Operand
    ) -> Operand:
        a, b = self.viewed(a), self.viewed(b)
        return self.emit(Contraction(self.work(result), (a, b), letters, origin=self.origin))

    def reduce(
        self,
        result: TensorType,
        primitive: str,
        axes: tuple[int, ...],
        keepdims: bool,
        x: Operand,
    ) -> Operand:
        out, x = self.work(result), self.viewed(x)
        return self.emit(Reduction(out, (x,), primitive, axes, keepdims, origin=self.origin))

    def fused_contract(
        self,
        result: TensorType,
        letters: tuple[str, str, str],
        body: Graph,
        operands: Sequence[Operand],
    ) -> Operand:
        a, b, *others = operands
        product = product_type(letters, a.type, b.type)
        types = (product, *(operand.type for operand in others))
        arguments = [Argument(index, type) for index, type in enumerate(types)]
        builder = InstructionBuilder(result.dtype)
        interpret_body(body, builder, arguments, builder.begin)
        views = (self.viewed(a), self.viewed(b))
        out, epilogue = self.work(result), tuple(builder.instructions)
        origin = product_of(body).origin
        kept = named_buffer(origin, "product", product)
        kernel = Contraction(out, (*views, *others), letters, epilogue, kept, origin=origin)
        return self.emit(kernel)

    def move(self, movement: Movement, x: Operand) -> Operand:
        source = self.viewed(x)
        return (source if source.shows(movement) else self.copy(source)).moved(movement)

    def pad(
        self, result: TensorType, low: Axes, interior: Axes, value: float, x: Operand
    ) -> Operand:
        out = self.work(result)
        self.emit(Fill(out, (), value, origin=self.origin))
        steps = tuple(gap + 1 for gap in interior)
        padded = self.emit(Copy(out, (x,), low, steps, origin=self.origin))
        return padded.zero_around(x.type.shape, low, steps) if value == 0 else padded

    def concat(self, result: TensorType, axis: int, parts: Sequence[Operand]) -> Operand:
        out = self.work(result)
        ones = (1,) * result.ndim
        start = 0
        for part in parts:
            starts = tuple(start if i == axis else 0 for i in range(result.ndim))
            self.emit(Copy(out, (part,), starts, ones, origin=self.origin))
            start += static(part.type.shape[axis : axis + 1])[0]
        return View(out, result)

    def interleave(
        self, result: TensorType, starts: Sequence[Axes], steps: Axes, parts: Sequence[Operand]
    ) -> Operand:
        out = self.work(result)
        for part, start in zip(parts, starts, strict=True):
            self.emit(Copy(out, (part,), start, steps, origin=self.origin))
        return View(out, result)

    def apply(self, family: Family, result: TensorType, *operands: Operand) -> Operand:
        out = self.copy(operands[0]).buffer if family.updates else self.work(result)
        types = [operand.type for operand in operands]
        tables = [
            self.emit(Applied(Buffer(table.name, table.type), (), table.family, origin=self.origin))
            for table in family.tables(result, types)
        ]
        given = operands[1:] if family.updates else operands
        read = given if family.reads_numbers else [self.viewed(operand) for operand in given]
        kernel = Applied(out, (*read, *tables), family, origin=self.origin)
        return self.emit(replace(kernel, checked=self._checked(kernel)))

    def _checked(self, kernel: Kernel) -> bool:
        """Must it look at its indices? Those of an input are checked before, but for batches."""
        if kernel.index is None:
            return False
        indices, bound = kernel.index
        if indices.buffer.role != "input":
            return True
        self.index_bounds.append(IndexBound(indices.buffer.key, bound, kernel.origin))
        return not isinstance(bound, int)

    def size(self, result: TensorType, dim: Dim) -> Operand:
        return SizeValue(dim, result)

    def scan(self, result: TensorType, loop: Op, operands: Sequence[Operand]) -> Operand:
        return self.loops.result(self, operands)


def product_type(letters: tuple[str, str, str], a: TensorType, b: TensorType) -> TensorType:
    """Of a contraction's sums of products."""
    extents = dict(zip(letters[0] + letters[1], a.shape + b.shape, strict=True))
    dtype = promote(a.dtype, b.dtype)
    assert dtype is not None, "factors have a common type"
    return TensorType(tuple(extents[letter] for letter in letters[2]), dtype)
