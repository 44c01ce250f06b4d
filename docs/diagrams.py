"""The pictures of the compiler's own parts, each made from the objects that it shows."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import networkx
import numpy as np
from docs.layouts import BLUE, GREEN, GREY, ORANGE, YELLOW, beside, boxes, label, listing, svg

import chainc
import chainrule as cr
from chainc.backends.numpy.module import prepare
from chainc.interpreters import evaluate
from chainc.interpreters.symbolic import SympyBuilder
from chainc.ir import REGISTRY, Node
from chainc.ir.types import Array, TensorType, float32, names_of
from chainc.lowering import instructions as scalar
from chainc.lowering import kernels as loops
from chainc.lowering import memory, views
from chainc.lowering.instructions import InstructionBuilder
from chainc.lowering.lower import lower
from chainc.lowering.parts import split
from chainc.lowering.program import Program
from chainc.ops.activations import Sigmoid
from chainc.ops.reduce import Sum
from chainc.passes.stabilize import log_of_sigmoid
from chainc.rewriting.patterns import NodeHole, holes
from chainrule import losses, nn, optim


def small_network() -> tuple[nn.Sequential, Node]:
    """x[batch,4] -> Linear 3 -> ReLU -> Linear 2 -> cross-entropy."""
    x, y = cr.input("x", ("batch", 4)), cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    return model, losses.cross_entropy(model(x), y)


def small_step() -> cr.Function[tuple[Array, ...]]:
    _, loss = small_network()
    return cr.compile(optim.SGD(lr=0.1).minimize(loss), target="numpy")


def house() -> str:
    """Which module of the compiler reads which, without the arrows that follow from others."""
    root = Path(chainc.__path__[0])
    reads: networkx.DiGraph[str] = networkx.DiGraph()
    for path in sorted(root.rglob("*.py")):
        own = ".".join(path.relative_to(root).with_suffix("").parts)
        for found in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(found, ast.ImportFrom) and (found.module or "").startswith("chainc"):
                modules = [f"{found.module}.{alias.name}" for alias in found.names]
                reads.add_edges_from((_part(own), _part(name[7:])) for name in modules)
    reads.remove_edges_from(list(networkx.selfloop_edges(reads)))
    arrows = sorted(networkx.transitive_reduction(reads).edges)
    nodes = {name: (BLUE, name) for name in sorted(reads.nodes)}
    return boxes(nodes, [(start, end, "") for start, end in arrows], "BT")


def _part(module: str) -> str:
    """`ops.reduce` -> `ops`; the backends are told apart."""
    names = module.split(".")
    return ".".join(names[: 2 if names[0] == "backends" else 1])


def errors() -> str:
    x, model = cr.input("x", ("batch", 8)), nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    try:
        model(x)
    except cr.ShapeError as error:
        lines = _told(str(error))
    hint = next(row for row, line in enumerate(lines) if line.startswith("  try:"))
    fills = {
        row: ORANGE if row == 0 else GREEN if row >= hint else GREY for row in range(len(lines))
    }
    return listing(lines, fills)


def _told(text: str) -> list[str]:
    """Lines of the program's own words, as they would be about a model in `model.py`."""
    return re.sub(r"[^\s(]*diagrams\.py", "model.py", text).splitlines()


def ir() -> str:
    """A node of the gradient that a rule has put in place of another, field by field."""
    step = small_step()
    node = next(fired.replacement for fired in step.trace if fired.rule == "softmax_minus_target")
    origin = node.origin
    assert origin.derivative is not None
    assert origin.rewrite is not None
    nodes = {
        "node": (BLUE, f"Node\nop: {node.op}\ninputs: {len(node.inputs)} nodes\ntype: {node.type}"),
        "origin": (
            GREEN,
            f"Origin\nlocation: {_told(str(origin.location))[0]}\nscope: {origin.scope}",
        ),
        "derivative": (
            ORANGE,
            f"Derivative\nforward: {origin.derivative.forward.op.name}\n"
            f"operand: {origin.derivative.operand}\nrule: {origin.derivative.rule}",
        ),
        "rewrite": (
            YELLOW,
            f"Rewrite\nrule: {origin.rewrite.rule}\nreplaced: {origin.rewrite.replaced.op.name}",
        ),
    }
    edges = [("node", "origin", ""), ("origin", "derivative", ""), ("origin", "rewrite", "")]
    return boxes(nodes, edges, "LR")


def vocabularies() -> str:
    """One statement of an op's meaning, and what each builder makes of it."""
    import sympy

    builder = InstructionBuilder(float32)
    Sigmoid().scalar(builder, scalar.Argument(0, TensorType((), float32)))
    number = Sigmoid().scalar(evaluate.NumpyScalar(evaluate.as_declared), np.float32(1))
    formula = Sigmoid().scalar(SympyBuilder(), sympy.Symbol("x"))
    total = cr.sum(cr.input("x", (2, 3)), axis=0)
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    (kernel,) = lower(cr.Graph([total])).body
    nodes = {
        "kernel": (BLUE, _source(Sum.kernel)),
        "array": (GREY, f"NumPy, for x =\n{rows}\nthe sum {evaluate.evaluate_node(total, [rows])}"),
        "lowered": (GREY, f"a kernel\n{_kernel(kernel)}"),
        "scalar": (BLUE, _source(Sigmoid.scalar)),
        "number": (GREY, f"NumPy, for x = 1\n{number:.4f}"),
        "formula": (GREY, f"sympy\n{formula}"),
        "steps": (GREY, "\n".join(["instructions of a kernel", *_numbered(builder.instructions)])),
    }
    arrows = [("scalar", name, "") for name in ("number", "formula", "steps")]
    arrows += [("kernel", name, "") for name in ("array", "lowered")]
    return boxes(nodes, arrows, "LR")


def _source(function: Callable[..., object]) -> str:
    return textwrap.dedent(inspect.getsource(function)).rstrip()


def _numbered(instructions: Sequence[scalar.Instruction]) -> list[str]:
    return [
        f"%{number} = {step.primitive}({', '.join(_value(operand) for operand in step.operands)})"
        for number, step in enumerate(instructions)
    ]


def _value(value: scalar.Value) -> str:
    if isinstance(value, views.Literal):
        return f"{value.value:g}"
    return f"x{value.index}" if isinstance(value, scalar.Argument) else f"%{value.index}"


def op_families() -> str:
    families: dict[str, list[str]] = {}
    for name, op in REGISTRY.items():
        if op.__module__.startswith(("chainc.ops.", "chainc.ir.leaves")):
            families.setdefault(op.__module__.rpartition(".")[2], []).append(name)
    lines: list[str] = []
    fills: dict[int, str] = {}
    for position, (family, names) in enumerate(sorted(families.items())):
        entry = f"{family + '.py':<16}{'  '.join(sorted(names))}"
        wrapped = textwrap.wrap(entry, 84, subsequent_indent=" " * 16)
        fill = GREY if position % 2 else BLUE
        fills.update(dict.fromkeys(range(len(lines), len(lines) + len(wrapped)), fill))
        lines += wrapped
    return listing(lines, fills)


def text() -> str:
    x = cr.input("x", ("batch", 4))
    h = cr.tanh(x @ cr.parameter("weight", (4, 3), "zeros"))
    lines = _told(cr.Graph([h], names=["h"]).text())
    wrong = Node(h.op, h.inputs, TensorType((2, 3), float32))
    try:
        cr.compile(wrong)
    except cr.VerifyError as error:
        message = _told(str(error))
    shown = [*lines, "", *message]
    return listing(shown, {row: ORANGE if row > len(lines) else BLUE for row in range(len(shown))})


def rewriting() -> str:
    """The two sides of a rule, as it states them about holes."""
    rule = log_of_sigmoid
    sides = rule.statement(**holes(rule.statement))
    titles = (f"{rule.name}: the left side", "the right side")
    return beside(*(_side(root, title) for root, title in zip(sides, titles, strict=True)))


def _side(root: object, title: str) -> str:
    assert isinstance(root, Node)
    nodes = cr.Graph([root]).nodes
    texts = {
        str(number): (GREY, f"any {node.op.key}")
        if isinstance(node.op, NodeHole)
        else (BLUE, node.op.label)
        for number, node in enumerate(nodes)
    }
    places = {node: place for place, node in enumerate(nodes)}
    arrows = [(str(places[x]), str(places[node]), "") for node in nodes for x in node.inputs]
    return boxes(texts, arrows, title=title)


def lowering() -> str:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    function = cr.compile(model(cr.input("x", ("batch", 4))))
    whole = lower(function.graph)
    return beside(kernels(whole, "lowered"), kernels(split(whole), "split for NumPy"))


def kernels(program: Program, title: str) -> str:
    """Kernels in order, and the buffers between them."""
    nodes: dict[str, tuple[str, str]] = {}
    arrows: list[tuple[str, str, str]] = []
    writers: dict[views.Buffer, str] = {}
    for buffer in (*program.inputs, *program.states):
        nodes[buffer.name] = (YELLOW if buffer.role == "state" else GREEN, buffer.name)
    for number, kernel in enumerate(program.body):
        nodes[str(number)] = (BLUE, _kernel(kernel))
        for buffer in (view.buffer for view in kernel.reads):
            start = writers.get(buffer, buffer.name)
            arrows.append((start, str(number), buffer.name if buffer in writers else ""))
        writers[kernel.out] = str(number)
    return boxes(nodes, arrows, title=title)


def _kernel(kernel: loops.Kernel) -> str:
    """What a kernel writes, from what, and how."""
    parts = [type(kernel.subject).__name__]
    if isinstance(kernel, loops.Contraction):
        parts.append("{},{}->{}".format(*kernel.letters))
        parts += _numbered(kernel.epilogue)
    if isinstance(kernel, loops.Map):
        parts += _numbered(kernel.instructions)
    if isinstance(kernel, loops.Reduction):
        parts.append(f"{kernel.primitive} over axes {kernel.axes}")
    return "\n".join(parts)


def memory_plan() -> str:
    """One row of the batch through a step: when each buffer is alive, and where it lies."""
    program = prepare(lower(small_step().graph))
    arena, spans = memory.plan(program), memory.lifetimes(program)
    rows = [buffer for buffer in arena.offsets if names_of(buffer.type.nbytes)]
    across, down, top, left = 16.0, 0.5, 30.0, 60.0
    content = [
        label(left + across * number, 22, str(number), size=9)
        for number in range(0, len(program.body), 2)
    ]
    content.append(label(4, 22, "kernel", size=9))
    for buffer in rows:
        span, offset = spans[buffer], arena.offsets[buffer]
        x, y = left + across * span.start, top + down * offset
        width, height = across * (span.end - span.start + 1), down * 64
        fill = ORANGE if buffer.cotangent else BLUE
        place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        content.append(f'<rect {place} fill="{fill}" stroke="#6B6B6B"/>')
        content.append(label(x + 3, y + height / 2 + 4, buffer.name, size=9))
    depth = max(arena.offsets[buffer] for buffer in rows) + 64
    for offset in range(0, depth, 64):
        content.append(label(4, top + down * offset + 18, f"{offset} batch", size=9))
    return svg(left + across * len(program.body) + 20, top + down * depth + 12, content)


def source() -> str:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    logits = model(cr.input("x", ("batch", 4)))
    lines = cr.compile(logits, target="numpy").source.splitlines()
    start = next(row for row, line in enumerate(lines) if line.startswith("def "))
    shown = lines[start:]
    inner = next(row for row, line in enumerate(shown) if line.startswith("    def "))
    fills = {row: BLUE if row < inner else GREEN for row in range(len(shown))}
    return listing(shown, fills)


def driver() -> str:
    """The stages of one step, and how much of each there is."""
    step = small_step()
    lowered = lower(step.graph)
    prepared = prepare(lowered)
    steps = [(BLUE, f"{stage.name}\n{len(stage.graph.nodes)} nodes") for stage in step.stages]
    steps.append((GREEN, f"lower\n{len(lowered.body)} kernels"))
    steps.append((GREEN, f"split, reuse in place\n{len(prepared.body)} kernels"))
    steps.append((YELLOW, f"NumPy source\n{len(step.source.splitlines())} lines"))
    nodes = {str(number): box for number, box in enumerate(steps)}
    return boxes(nodes, [(str(i), str(i + 1), "") for i in range(len(steps) - 1)])


def front_end() -> str:
    nodes = {
        "module": (BLUE, "nn.Module"),
        "loss": (BLUE, "loss: a node"),
        "step": (BLUE, "Step\nloss, updates"),
        "training": (BLUE, "Training\nstep, epochs, batch size, seed"),
        "program": (GREEN, "TrainingProgram\nstages, trace, loops, plan"),
        "function": (GREEN, "Function\nstages, trace, loops, plan"),
        "result": (YELLOW, "Result\nstate, history"),
        "arrays": (YELLOW, "arrays"),
        "library": (YELLOW, "a C library"),
    }
    edges = [
        ("module", "loss", "called on inputs"),
        ("loss", "step", "Optimizer.minimize"),
        ("step", "training", "cr.training"),
        ("training", "program", "cr.compile"),
        ("loss", "function", "cr.compile"),
        ("program", "result", "run(data)"),
        ("program", "library", "export"),
        ("result", "function", "bind(state)"),
        ("function", "arrays", "called on arrays"),
    ]
    return boxes(nodes, edges)
