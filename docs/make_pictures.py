"""Every picture of the README and of docs/, drawn by the program that they show.

python docs/make_pictures.py            writes docs/pictures/*.svg
python docs/make_pictures.py FOLDER     writes them elsewhere
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import networkx
import numpy as np

import chainc
import chainrule as cr
from chainc import evaluate, loops, memory, ops
from chainc.backends.numpy.module import prepare
from chainc.expressions import InstructionBuilder
from chainc.ir import REGISTRY, Node
from chainc.lower import lower
from chainc.ops.activations import Sigmoid
from chainc.ops.reduce import Sum
from chainc.ops.state import Constant
from chainc.passes import PIPELINE, stabilize
from chainc.patterns import NodeHole, holes
from chainc.split import split
from chainc.symbolic import SympyBuilder
from chainc.types import TensorType, coefficient_of, float32, names_of
from chainrule import losses, nn, optim

FOLDER = Path(__file__).parent / "pictures"
LAYERS = "types errors operators ir scalar kernels ops symbolic autodiff text verify patterns"
SANS = 'font-family="Helvetica,Arial,Liberation Sans,sans-serif"'
MONO = 'font-family="Courier,Courier New,Liberation Mono,monospace"'
BLUE, ORANGE, GREEN, YELLOW, GREY = "#DCEBF7", "#FCE3CC", "#D5EFE6", "#FFF6C9", "#F0F0F0"

Picture = Callable[[], str]
PICTURES: dict[str, Picture] = {}


def picture(function: Picture) -> Picture:
    """The function returns the SVG text of the picture that has its name."""
    PICTURES[function.__name__] = function
    return function


def make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, function in PICTURES.items():
        (folder / f"{name}.svg").write_text(function() + "\n", encoding="utf-8")


# ----- layouts


def svg(width: float, height: float, content: Iterable[str]) -> str:
    size = f'width="{width:.0f}pt" height="{height:.0f}pt" viewBox="0 0 {width:.0f} {height:.0f}"'
    paper = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([f'<svg {size} xmlns="http://www.w3.org/2000/svg">', paper, *content, "</svg>"])


def label(x: float, y: float, text: str, *, size: int = 11, font: str = SANS, more: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" xml:space="preserve"'
    return f"<text {place} {font} {more}>{escape(text)}</text>"


def beside(*drawings: str) -> str:
    """Drawings in a row, each with names of its own inside."""
    left, tallest, parts = 0.0, 0.0, []
    for position, drawing in enumerate(drawings):
        width, height = map(float, re.findall(r'(?:width|height)="(\d+)pt"', drawing)[:2])
        own = re.sub(r'\bid="', f'id="part{position}_', drawing)
        parts.append(own.replace("<svg ", f'<svg x="{left}" y="0" ', 1).replace("pt", "", 2))
        left, tallest = left + width + 24, max(tallest, height)
    return svg(left - 24, tallest, parts)


def listing(lines: Sequence[str], fills: Mapping[int, str] | None = None) -> str:
    """Lines of text as they stand, some on a coloured ground."""
    width = 6.62 * max(len(line) for line in lines) + 24
    content = [
        f'<rect x="4" y="{8 + 15 * row}" width="{width - 8:.0f}" height="15" fill="{fill}"/>'
        for row, fill in (fills or {}).items()
    ]
    content += [label(12, 19 + 15 * row, line, font=MONO) for row, line in enumerate(lines)]
    return svg(width, 15 * len(lines) + 16, content)


def boxes(
    nodes: Mapping[str, tuple[str, str]], edges: Iterable[tuple[str, str, str]], direction: str
) -> str:
    """Boxes of (colour, text) with arrows (from, to, label); lines are flush left."""
    style = 'shape=box style="filled,rounded" color="#6B6B6B" fontname=Helvetica fontsize=11'
    edge = 'fontname=Helvetica fontsize=10 color="#6B6B6B" arrowsize=0.7'
    statements = [f"rankdir={direction} node [{style}] edge [{edge}]"]
    for name, (fill, text) in nodes.items():
        lines = text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;").splitlines()
        ending = "\\l" if len(lines) > 1 else ""
        content = "\\l".join(lines) + ending
        statements.append(f'"{name}" [label="{content}" fillcolor="{fill}"]')
    statements += [f'"{start}" -> "{end}" [label="{text}"]' for start, end, text in edges]
    return cr.Drawing("digraph {" + "\n".join(statements) + "}").svg()


# ----- models


def small_network() -> tuple[nn.Sequential, Node]:
    """x[batch,4] -> Linear 3 -> ReLU -> Linear 2 -> cross-entropy."""
    x, y = cr.input("x", ("batch", 4)), cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    return model, losses.cross_entropy(model(x), y)


def small_step() -> cr.Function[tuple[np.ndarray, ...]]:
    _, loss = small_network()
    return cr.compile(optim.SGD(lr=0.1).minimize(loss))


# ----- the README and the tour


@picture
def gradient() -> str:
    x, t = cr.input("x", ("batch", 4)), cr.input("t", ("batch", 3))
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    loss = losses.squared_error(model(x), t)
    return cr.draw(loss, cr.grad(loss, model[0].weight)).svg()


@picture
def circuit() -> str:
    a, b, c = cr.input("a"), cr.input("b"), cr.input("c")
    q = a + b
    f = q * c
    nodes = [q, f, a, b, c]
    run = cr.compile([*nodes, *cr.grad(f, nodes)])
    numbers = [f"{value:g}" for value in run(a=-2.0, b=5.0, c=-4.0)]
    values, gradients = (dict(zip(nodes, part, strict=True)) for part in (numbers[:5], numbers[5:]))
    graph = cr.Graph([f], names=["f"])
    return graph.draw(values=values, gradients=gradients).svg()


@picture
def network() -> str:
    model, loss = small_network()
    return cr.draw(loss, cr.grad(loss, model[0].weight), collapse=True).svg()


@picture
def second_order() -> str:
    x = cr.input("x")
    y = cr.sin(x) * x
    dy = cr.grad(y, x)
    return cr.Graph([y, dy, cr.grad(dy, x)], names=["y", "∂y", "∂²y"]).draw().svg()


@picture
def own_op() -> str:
    swish = cr.elementwise(lambda x: x / (1 + cr.exp(-x)), name="swish")
    x = cr.input("x", ("batch", 3))
    loss = cr.sum(swish(x))
    return cr.draw(loss, cr.grad(loss, x)).svg()


# ----- the anatomy: the front half


@picture
def house() -> str:
    """Which module of the compiler reads which, without the arrows that follow from others."""
    root = Path(chainc.__path__[0])
    reads: networkx.DiGraph[str] = networkx.DiGraph()
    for path in sorted(root.rglob("*.py")):
        part = path.relative_to(root).with_suffix("").parts[0]
        for found in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(found, ast.ImportFrom) and (found.module or "").startswith("chainc"):
                module = (found.module or "").split(".")[1:2]
                for other in module or [alias.name for alias in found.names]:
                    reads.add_edge(part, other)
    reads.remove_edges_from(list(networkx.selfloop_edges(reads)))
    arrows = sorted(networkx.transitive_reduction(reads).edges)
    front = set(LAYERS.split())
    nodes = {name: (BLUE if name in front else GREEN, name) for name in sorted(reads.nodes)}
    return boxes(nodes, [(start, end, "") for start, end in arrows], "BT")


@picture
def types() -> str:
    x = cr.input("x", ("batch", "time", 4))
    weight, bias = cr.input("w", (4, 3)), cr.input("b", (3,))
    return cr.Graph([cr.mean(x @ weight + bias)], names=["mean"]).draw().svg()


@picture
def errors() -> str:
    x, model = cr.input("x", ("batch", 8)), nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    try:
        model(x)
    except cr.ShapeError as error:
        lines = re.sub(r"[^\s(]*make_pictures", "model", str(error)).splitlines()
    hint = next(row for row, line in enumerate(lines) if line.startswith("  try:"))
    fills = {row: ORANGE if row == 0 else GREEN if row >= hint else GREY for row in range(len(lines))}
    return listing(lines, fills)


@picture
def ir() -> str:
    """A node of the gradient that a rule has put in place of another, field by field."""
    step = small_step()
    node = next(fired.replacement for fired in step.trace if fired.rule == "softmax_minus_target")
    origin = node.origin
    assert origin.derivative is not None and origin.rewrite is not None
    nodes = {
        "node": (BLUE, f"Node\nop: {node.op}\ninputs: {len(node.inputs)} nodes\ntype: {node.type}"),
        "origin": (
            GREEN,
            f"Origin\nlocation: {getattr(origin.location, 'short', '')}\nscope: {origin.scope}",
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


@picture
def vocabularies() -> str:
    """One statement of an op's meaning, and what each builder makes of it."""
    import sympy

    scalar = TensorType((), float32)
    builder = InstructionBuilder(float32)
    Sigmoid().scalar(builder, loops.Reference("argument", 0, scalar))
    number = evaluate.NumpyScalar(evaluate.as_declared)
    x = cr.input("x", (2, 3))
    (program,) = lower(cr.Graph([cr.sum(x, axis=0)])).body
    nodes = {
        "scalar": (BLUE, _source(Sigmoid.scalar)),
        "numpy": (GREY, f"NumPy, at x = 1\n{Sigmoid().scalar(number, np.float32(1)):.4f}"),
        "sympy": (GREY, f"sympy\n{Sigmoid().scalar(SympyBuilder(), sympy.Symbol('x'))}"),
        "lines": (GREY, "a kernel's instructions\n" + "\n".join(_numbered(builder.instructions))),
        "kernel": (BLUE, _source(Sum.kernel)),
        "array": (GREY, "NumPy\nnp.add.reduce(x, axis=(0,))"),
        "lowered": (GREY, f"a kernel\n{_kernel(program)}"),
    }
    edges = [("scalar", name, "") for name in ("numpy", "sympy", "lines")]
    edges += [("kernel", name, "") for name in ("array", "lowered")]
    return boxes(nodes, edges, "LR")


def _source(function: Callable[..., object]) -> str:
    return textwrap.dedent(inspect.getsource(function)).rstrip()


def _numbered(instructions: Sequence[loops.Instruction]) -> list[str]:
    return [
        f"{number}  {step.primitive}({', '.join(_value(operand) for operand in step.operands)})"
        for number, step in enumerate(instructions)
    ]


def _value(value: loops.Value) -> str:
    if isinstance(value, loops.Literal):
        return f"{value.value:g}"
    return f"x{value.index}" if value.kind == "argument" else f"({value.index})"


@picture
def op_families() -> str:
    families: dict[str, list[str]] = {}
    for name, op in REGISTRY.items():
        if op.__module__.startswith("chainc.ops."):
            families.setdefault(op.__module__.removeprefix("chainc.ops."), []).append(name)
    nodes = {
        family: (BLUE, "\n".join([f"{family}.py", *textwrap.wrap(", ".join(sorted(names)), 34)]))
        for family, names in sorted(families.items())
    }
    columns = list(nodes)
    edges = [(a, b, "") for a, b in zip(columns[:-3], columns[3:], strict=True)]
    return boxes(nodes, edges, "TB").replace('stroke="#6b6b6b" d="M', 'stroke="none" d="M')
