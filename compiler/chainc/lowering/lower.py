"""`Graph → Program`, by op family, never by op name.

Elementwise ops become maps through the scalar vocabulary, all others go through the kernel
vocabulary; both are interpreted here by builders that write kernels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from chainc.ir import Graph, Node, Origin
from chainc.ir.kernels import interpret
from chainc.ir.leaves import Constant, Input, Slot
from chainc.ir.types import Dim, Shape, TensorType, static
from chainc.lowering.instructions import InstructionBuilder
from chainc.lowering.naming import has_own_name, name_of, named_buffer
from chainc.lowering.program import (
    Buffer,
    Contraction,
    Copy,
    Fill,
    Gather,
    IndexBound,
    IndexOf,
    Iota,
    Kernel,
    Literal,
    Map,
    Movement,
    OneHot,
    Operand,
    Permutation,
    Program,
    RandomWords,
    Reduction,
    Reference,
    ScatterAdd,
    SizeValue,
    View,
)
from chainc.ops.contract import FusedContract
from chainc.ops.elementwise import Elementwise
from chainc.ops.formula import Region, interpret_body


def lower(graph: Graph) -> Program:
    """Kernels for every node, operands before users; what depends on sizes alone comes apart."""
    wanted = dict(zip(graph.outputs, graph.names, strict=False))
    wanted.update({value: f"new_{name_of(slot)}" for slot, value in graph.updates.items()})
    lowering = Lowering(wanted)
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
    written = _written_more_than_once(kernels)
    for kernel in kernels:
        known = all(v.buffer in fixed or v.buffer.role == "constant" for v in kernel.reads)
        if known and kernel.out not in written:
            fixed.add(kernel.out)
            prologue.append(kernel)
        else:
            body.append(kernel)
    return tuple(prologue), tuple(body)


def _written_more_than_once(kernels: Sequence[Kernel]) -> set[Buffer]:
    counts = Counter(kernel.out for kernel in kernels)
    return {buffer for buffer, count in counts.items() if count > 1}


@dataclass
class Lowering:
    """Writes kernels; a builder of the kernel vocabulary whose values are operands."""

    wanted: Mapping[Node, str]  # names for outputs and for new values of state slots
    kernels: list[Kernel] = field(default_factory=list)
    inputs: dict[str, Buffer] = field(default_factory=dict)
    states: dict[Node, Buffer] = field(default_factory=dict)
    values: dict[Node, Operand] = field(default_factory=dict)
    index_bounds: list[IndexBound] = field(default_factory=list)
    name: str = ""  # of the node that is being lowered
    prominent: bool = False
    origin: Origin = field(default_factory=Origin)
    computed: Node | None = None  # the node that is being lowered

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
            return self._copy(value)
        return value

    def update(self, slot: Node, node: Node) -> tuple[Buffer, View]:
        """A new value for a slot, in a buffer of its own so that no update reads another."""
        self.name, self.origin = f"new_{name_of(slot)}", node.origin
        self.computed = node
        value = self.values[node]
        own = isinstance(value, View) and value.whole and value.buffer.role == "work"
        return self.states[slot], value if own and isinstance(value, View) else self._copy(value)

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
        operands = [self.values[operand] for operand in node.inputs]
        if isinstance(op, Elementwise):
            return self._map(op, node.type, operands)
        if isinstance(op, FusedContract):
            return self._fused_contract(op, node.type, operands)
        self._note_index_bound(node, operands)
        return interpret(op, self, node.type, operands)

    def _constant(self, op: Constant, type: TensorType) -> Operand:
        array = op.value.array
        if array.ndim == 0:
            return Literal(array.item(), type)
        return View(Buffer(self.name, type, "constant", data=array.tobytes()), type)

    def _work(self, type: TensorType) -> Buffer:
        cotangent = self.origin.derivative is not None
        return Buffer(self.name, type, cotangent=cotangent, prominent=self.prominent)

    def _emit(self, kernel: Kernel) -> View:
        self.kernels.append(replace(kernel, node=self.computed))
        return View(kernel.out, kernel.out.type)

    def _map(self, op: Elementwise, type: TensorType, operands: Sequence[Operand]) -> Operand:
        builder = InstructionBuilder(type.dtype, self.origin)
        arguments = [
            Reference("argument", index, operand.type) for index, operand in enumerate(operands)
        ]
        if isinstance(op, Region):
            result = interpret_body(op.body, builder, arguments, builder.begin)
        else:
            result = op.interpret(builder, arguments)
        if isinstance(result, Literal):
            return self._emit(Fill(self._work(type), (), result.value, origin=self.origin))
        if result.kind == "argument":
            return operands[result.index]
        instructions = tuple(builder.instructions)
        if len(instructions) == 1 and instructions[0].primitive == "cast":
            (size,) = operands
            if isinstance(size, SizeValue):
                return replace(size, type=type)
        return self._emit(Map(self._work(type), tuple(operands), instructions, origin=self.origin))

    def _fused_contract(
        self, op: FusedContract, type: TensorType, operands: Sequence[Operand]
    ) -> Operand:
        a, b, *extra = operands
        product = op.contract.infer(a.type, b.type)
        arguments = [
            Reference("argument", index, operand)
            for index, operand in enumerate([product, *(operand.type for operand in extra)])
        ]
        builder = InstructionBuilder(type.dtype)
        interpret_body(op.body, builder, arguments, builder.begin)
        letters = (op.contract.a, op.contract.b, op.contract.result)
        a, b = self._viewed(a), self._viewed(b)
        out, epilogue = self._work(type), tuple(builder.instructions)
        origin = _product_origin(op)
        kept = named_buffer(origin, "product", product)
        return self._emit(Contraction(out, (a, b, *extra), letters, epilogue, kept, origin=origin))

    def _viewed(self, operand: Operand) -> View:
        """A scalar constant as storage, for kernels that read tensors."""
        return operand if isinstance(operand, View) else self._copy(operand)

    def _copy(self, operand: Operand) -> View:
        return self._emit(Copy(self._work(operand.type), (operand,), origin=self.origin))

    def _note_index_bound(self, node: Node, operands: Sequence[Operand]) -> None:
        """Indices that come straight from an input are checked before anything runs."""
        found = node.op.index_bound([operand.type for operand in node.inputs])
        if found is None:
            return
        position, limit = found
        indices = operands[position]
        if isinstance(indices, View) and indices.buffer.role == "input":
            self.index_bounds.append(IndexBound(indices.buffer.key, limit, node.origin))

    def _checked(self, indices: Operand) -> bool:
        return not (isinstance(indices, View) and indices.buffer.role == "input")

    # the kernel vocabulary

    def contract(
        self, result: TensorType, letters: tuple[str, str, str], a: Operand, b: Operand
    ) -> Operand:
        a, b = self._viewed(a), self._viewed(b)
        return self._emit(Contraction(self._work(result), (a, b), letters, origin=self.origin))

    def reduce(
        self,
        result: TensorType,
        primitive: str,
        axes: tuple[int, ...],
        keepdims: bool,
        x: Operand,
    ) -> Operand:
        out, x = self._work(result), self._viewed(x)
        return self._emit(Reduction(out, (x,), primitive, axes, keepdims, origin=self.origin))

    def index_of(self, result: TensorType, primitive: str, axis: int, x: Operand) -> Operand:
        out, x = self._work(result), self._viewed(x)
        return self._emit(IndexOf(out, (x,), primitive, axis, origin=self.origin))

    def reshape(self, result: TensorType, x: Operand) -> Operand:
        if isinstance(x, Literal | SizeValue):
            return self._copy(x).moved(Movement("reshape", result.shape))
        source = x if x.contiguous else self._copy(x)
        return source.moved(Movement("reshape", result.shape))

    def permute(self, result: TensorType, axes: tuple[int, ...], x: Operand) -> Operand:
        return self._viewed(x).moved(Movement("permute", result.shape, axes))

    def broadcast(self, result: TensorType, x: Operand) -> Operand:
        return self._viewed(x).moved(Movement("broadcast", result.shape))

    def slice(
        self,
        result: TensorType,
        starts: tuple[int, ...],
        stops: Shape,
        steps: tuple[int, ...],
        x: Operand,
    ) -> Operand:
        movement = Movement("slice", result.shape, starts=starts, stops=stops, steps=steps)
        return self._viewed(x).moved(movement)

    def flip(self, result: TensorType, axes: tuple[int, ...], x: Operand) -> Operand:
        return self._viewed(x).moved(Movement("flip", result.shape, axes))

    def pad(
        self,
        result: TensorType,
        low: tuple[int, ...],
        interior: tuple[int, ...],
        value: float,
        x: Operand,
    ) -> Operand:
        out = self._work(result)
        self._emit(Fill(out, (), value, origin=self.origin))
        steps = tuple(gap + 1 for gap in interior)
        return self._emit(Copy(out, (x,), low, steps, origin=self.origin))

    def concat(self, result: TensorType, axis: int, parts: Sequence[Operand]) -> Operand:
        out = self._work(result)
        ones = (1,) * result.ndim
        start = 0
        for part in parts:
            starts = tuple(start if i == axis else 0 for i in range(result.ndim))
            self._emit(Copy(out, (part,), starts, ones, origin=self.origin))
            start += static(part.type.shape[axis : axis + 1])[0]
        return View(out, result)

    def take(self, result: TensorType, axis: int, x: Operand, indices: Operand) -> Operand:
        checked = self._checked(indices)
        operands = (self._viewed(x), self._viewed(indices))
        return self._emit(Gather(self._work(result), operands, axis, checked, origin=self.origin))

    def scatter_add(
        self, result: TensorType, axis: int, x: Operand, indices: Operand, updates: Operand
    ) -> Operand:
        copy = self._copy(x)
        operands = (self._viewed(indices), self._viewed(updates))
        checked = self._checked(indices)
        return self._emit(ScatterAdd(copy.buffer, operands, axis, checked, origin=self.origin))

    def one_hot(self, result: TensorType, indices: Operand) -> Operand:
        checked = self._checked(indices)
        positions = TensorType(result.shape[-1:], indices.type.dtype)
        classes = self._emit(Iota(Buffer("classes", positions), (), origin=self.origin))
        operands = (self._viewed(indices), classes)
        return self._emit(OneHot(self._work(result), operands, checked, origin=self.origin))

    def arange(self, result: TensorType) -> Operand:
        return self._emit(Iota(self._work(result), (), origin=self.origin))

    def random_bits(self, result: TensorType, stream: int, seed: Operand, step: Operand) -> Operand:
        out = self._work(result)
        return self._emit(RandomWords(out, (seed, step), stream, origin=self.origin))

    def permutation(self, result: TensorType, stream: int, seed: Operand, step: Operand) -> Operand:
        out = self._work(result)
        return self._emit(Permutation(out, (seed, step), stream, origin=self.origin))

    def size(self, result: TensorType, dim: Dim) -> Operand:
        return SizeValue(dim, result)


def _product_origin(op: FusedContract) -> Origin:
    """Where the contraction comes from, which the epilogue was merged with."""
    return next(node.origin for node in op.body.leaves("input") if node.op.label == "0")
