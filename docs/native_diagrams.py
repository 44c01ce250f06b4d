"""The pictures of native code, for one processor wherever they are drawn: x86-64 with AVX2."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate, pairwise, product

from docs.layouts import BLUE, GREEN, GREY, ORANGE, YELLOW, beside, boxes, label, listing, svg

import chainrule as cr
from chainc import driver
from chainc.backends.llvm.function_code import function_code
from chainc.backends.llvm.host.storage import storage_of_function
from chainc.backends.llvm.printing.nest import print_function
from chainc.backends.llvm.processors.x86_64_v3 import X86_64_V3
from chainc.backends.llvm.training_code import TrainingCode, training_code
from chainc.ir.types import TensorType, float32
from chainc.loops.language import Loop, statements
from chainc.loops.text import print_nest
from chainc.loops.values import Affine, Parameter
from chainc.lowering import program as loops
from chainc.lowering import views
from chainc.lowering.grouping import group
from chainc.lowering.lower import lower
from chainc.passes import pipeline
from chainc.schedules.by_kernel import schedule
from chainc.schedules.contraction.tiles import TiledArea, tiling
from chainc.schedules.layout import access
from chainc.schedules.layout.machine import AVX2, AVX512, Machine
from chainrule import losses, nn, optim
from chainrule.views.plan import Plan


def _digits() -> optim.Step:
    """A step of 64-32-10 on the digits."""
    x, y = cr.input("x", ("batch", 64)), cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10), name="model")
    return optim.SGD(lr=0.1, momentum=0.9).minimize(losses.cross_entropy(model(x), y))


def _training_code() -> TrainingCode:
    """The loop around that step, in batches of 32."""
    step = _digits()
    evaluation = cr.Graph([step.loss])
    graphs = (cr.Graph([step.loss], step.updates), evaluation)
    whole, alone = (lower(driver.optimize(graph, pipeline())[-1].graph) for graph in graphs)
    loop = loops.TrainingLoop(
        step=whole,
        evaluate=alone,
        batch_inputs=("x", "y"),
        batch_size=32,
        shuffle=True,
        order_stream=0,
    )
    return training_code(loop, X86_64_V3)


def plan() -> str:
    """Every buffer of the step, for 512 rows."""
    program = lower(cr.compile(_digits()).graph)
    capacity = access.Capacity({"batch": 512})
    code = function_code(program, capacity, X86_64_V3)
    return Plan.of(storage_of_function(code.program, code.memory)).draw().svg()


def grouping() -> str:
    """A step of linear regression, before and after."""
    x, t = cr.input("x", ("batch", 2)), cr.input("t", ("batch", 1))
    model = nn.Linear(2, 1, bias=False, name="linear")
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.squared_error(model(x), t))
    program = lower(cr.compile(step).graph)
    return beside(_kernels(program, "as lowered"), _kernels(group(program), "grouped"))


def _kernels(program: loops.Program, title: str) -> str:
    """Kernels by what they compute; a group is one box."""
    nodes: dict[str, tuple[str, str]] = {}
    writers: dict[views.Buffer, str] = {}
    arrows: dict[tuple[str, str], None] = {}
    for number, kernel in enumerate(program.body):
        members = kernel.single
        lines = [f"{type(member.subject).__name__}: {member.out.name}" for member in members]
        nodes[str(number)] = (ORANGE if len(members) > 1 else BLUE, "\n".join(lines))
        sources = {view.buffer for view in kernel.reads if view.buffer in writers}
        arrows |= {(writers[source], str(number)): None for source in sources}
        writers |= dict.fromkeys(kernel.outs, str(number))
    edges = sorted(arrows, key=lambda ends: (int(ends[0]), int(ends[1])))
    return boxes(nodes, [(start, end, "") for start, end in edges], title=title)


def panels() -> str:
    """The place of each element of a matrix in memory: row-major, and in panels of 4 columns."""
    plain = views.Buffer("w", TensorType((3, 8), float32))
    blocked = views.Buffer("w", plain.type, panels=views.Panels(axis=1, lanes=4))
    grids = [_grid(plain, "w[3, 8], row-major"), _grid(blocked, "in panels of 4, along axis 1")]
    return beside(*grids)


def _grid(buffer: views.Buffer, title: str) -> str:
    found = access.whole(buffer, Parameter("w", float32), access.Capacity({}))
    content = [label(8, 18, title, size=12)]
    for row, column in product(range(3), range(8)):
        panel, lane = divmod(column, 4)
        place = (
            access.PanelPosition(Affine(panel), Affine(lane), 4)
            if found.splits(1)
            else Affine(column)
        )
        position = found.address((Affine(row), place)).position.constant
        x, y = 8 + 34 * column, 28 + 26 * row
        fill = BLUE if position < 12 else GREEN
        content.append(
            f'<rect x="{x}" y="{y}" width="34" height="26" fill="{fill}" stroke="#6B6B6B"/>'
        )
        content.append(label(x + 10, y + 17, str(position)))
    return svg(290, 114, content)


def tiles() -> str:
    """How 50 rows and 300 columns are covered by register tiles, on two processors."""
    return beside(_tiles(AVX2, "AVX2: vectors of 8"), _tiles(AVX512, "AVX-512: vectors of 16"))


def _tiles(machine: Machine, title: str) -> str:
    vectors = -(-300 // machine.lanes(float32))
    chosen = tiling(machine, TiledArea(rows=[(50, 1)], vectors=vectors, depth=617))
    across, down = 380 / vectors, 5.6
    content = [label(8, 18, title, size=12)]
    for left, wide in _covered(vectors, chosen.widths):
        for top, high in _covered(50, chosen.heights[wide][50]):
            x, y = 8 + across * left, 28 + down * top
            size = f'width="{across * wide:.1f}" height="{down * high:.1f}"'
            fill = BLUE if wide == chosen.widths[0] else ORANGE
            content.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{fill}" stroke="#6B6B6B"/>')
            middle = x + across * wide / 2, y + down * high / 2 + 3
            text = f"{high}×{wide}"
            content.append(label(*middle, text, size=8, more='text-anchor="middle"'))
    return svg(396, 28 + down * 50 + 8, content)


def _covered(extent: int, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Starts and sizes: as many of the first size as fit, then of the next."""
    parts: list[int] = []
    for size in sizes:
        parts += [size] * ((extent - sum(parts)) // size)
    return list(zip(accumulate([0, *parts]), parts, strict=False))


def loop_nest() -> str:
    """A layer of a training step in the loop language."""
    code = _training_code()
    nest = next(nest for nest in code.module.nests if nest.name == "relu1")
    lines = _told(print_nest(nest))
    return listing(lines, {row: _colour(line) for row, line in enumerate(lines)})


def _told(text: str) -> list[str]:
    """Lines of the program's own words, as they would be about a model in `model.py`."""
    return re.sub(r"\w+_diagrams\.py", "model.py", text).splitlines()


def _colour(line: str) -> str:
    words = line.split()
    if words[0] in ("for", "unrolled"):
        return BLUE
    if words[0] == "store":
        return GREEN
    return YELLOW if "fma(" in line else GREY


def llvm_text() -> str:
    """An elementwise kernel in the loop language, and what is printed of it."""
    x = cr.input("x", ("batch", 8))
    function = cr.compile(cr.Graph([x / (1 + cr.abs(x))], names=["softsign"]))
    (kernel,) = lower(function.graph).body
    nest, _ = schedule(kernel, access.Capacity({"batch": 64}), AVX2)
    shown = print_function(nest).text("softsign", nest.note).replace(" captures(none)", "")
    lines = [line if len(line) < 80 else f"{line[:78]}…" for line in _told(shown)]
    return beside(listing(_told(print_nest(nest))), listing(lines))


def native_code() -> str:
    """From a training loop to what runs it, and how much of each there is."""
    code = _training_code()
    nests = code.module.nests
    count = sum(isinstance(each, Loop) for nest in nests for each in statements(nest.body))
    lowered = lower(cr.compile(_digits()).graph)
    functions = code.module.text().count("\ndefine ")
    steps = {
        "lowered": (BLUE, f"the step, lowered\n{len(lowered.body)} kernels"),
        "grouped": (BLUE, f"grouped\n{len(group(lowered).body)} kernels"),
        "memory": (BLUE, f"laid out, in one arena\n{len(code.step.body)} kernels with copies"),
        "nests": (GREEN, f"nests of step, evaluation, gathers\n{len(nests)} nests, {count} loops"),
        "routines": (GREEN, f"what calls them, the loop around\n{len(code.routines)} routines"),
        "text": (GREEN, f"LLVM text\n{functions} functions"),
        "object": (YELLOW, "LLVM: an object file"),
        "jit": (ORANGE, "loaded into this process\nor kept for the next one"),
        "library": (ORANGE, "exported\nNAME.o, libNAME.so, NAME.h, main.c"),
    }
    order = ("lowered", "grouped", "memory", "nests", "routines", "text", "object")
    arrows = [(a, b, "") for a, b in pairwise(order)]
    return boxes(steps, [*arrows, ("object", "jit", ""), ("object", "library", "")])
