"""What compiled programs show of their machine code: loops, text, memory, figures."""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import chainrule as cr
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.training_code import training_code
from chainc.backends.storage import Allocation
from chainrule import losses, nn, optim
from chainrule.compiled.training import TrainingProgram
from chainrule.drawing.rendering import RenderingError, _require_inert
from chainrule.views.plan import Plan
from chainrule.views.plan_drawing import Band, draw_bands

VIEWS = ("loops", "c", "llvm", "assembly", "plan")
HERE = "test_plan.py"


@cache
def program(target: str = "llvm") -> TrainingProgram:
    """20-40-3 at a batch of 32."""
    x = cr.input("x", ("batch", 20))
    y = cr.input("y", ("batch",), dtype="int32")
    logits = nn.Sequential(nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 3), name="model")(x)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    return cr.compile(cr.training(step, epochs=1, batch_size=32), target=target)


def test_every_kernel_is_shown_with_its_lines_and_named_as_in_the_code() -> None:
    shown = program()
    names = re.findall(r"^([\w.]+)\(", shown.loops, re.M)
    assert len(names) == len(set(names)) > 10
    for name in names:
        (head,) = re.findall(rf'^define internal \w+ @"{re.escape(name)}"\(.*', shown.llvm, re.M)
        label = re.search(rf'^"?{re.escape(name)}"?:', shown.assembly, re.M)
        assert (label is None) == ("alwaysinline" in head)
    (note,) = re.findall(r"^# (.*)\nrelu\w*\(.*", shown.loops, re.M)[:1]
    assert HERE in note


def test_of_a_training_the_loop_is_shown_too() -> None:
    shown = program().loops
    steps, loop = (shown[shown.index(f"\n{name}(") :] for name in ("train.steps", "train.loop"))
    assert re.search(r"^ +train_steps: bool = train.steps\(arena, table, job, step, ", loop, re.M)
    assert re.search(r"^ +repeat carrying first, epoch, start, ", steps, re.M)
    assert re.search(r"^ +step\(arena, table, rows, thread, threads\)\n +barrier$", steps, re.M)
    assert "train.loop" not in cr.compile(cr.input("x", (3,)) * 2.0).loops


def test_the_source_of_machine_code_is_its_llvm_text() -> None:
    assert program().source == program().llvm
    assert "np.matmul(" in program("numpy").source


@pytest.mark.parametrize("view", VIEWS)
def test_other_targets_have_no_machine_code(view: str) -> None:
    for other in (program("numpy"), cr.compile(cr.input("x", (3,)) * 2.0, target="numpy")):
        with pytest.raises(cr.GraphError, match="no machine code") as caught:
            getattr(other, view)
        text = str(caught.value)
        assert text.startswith(f"{view}: ")
        assert HERE in text
        assert 'target="llvm"' in text


def test_a_function_shows_the_code_of_its_last_call() -> None:
    x = cr.input("x", ("batch", 8))
    run = cr.compile(cr.tanh(x) * 2.0)
    assert run.summary().sizes == {"batch": 64}
    before = run.summary().arena_bytes
    run(x=np.ones((2000, 8), np.float32))
    assert run.summary().sizes == {"batch": 2000}
    assert run.summary().arena_bytes == before  # rows are done in blocks of their own
    run(x=np.ones((3, 8), np.float32))
    assert run.summary().sizes == {"batch": 3}
    assert "tanh(x)" in run.loops


# the plan


def arena(plan: Plan) -> list[Allocation]:
    return [each for each in plan.allocations if each.place == "arena"]


def test_no_two_buffers_that_live_at_once_overlap() -> None:
    plan = program().plan
    whole = (0, len(plan.kernels) - 1)
    for a, b in combinations(arena(plan), 2):
        assert a.offset is not None
        assert b.offset is not None
        apart = a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset
        first, second = (
            (whole[0] if each.first is None else each.first,
             whole[1] if each.last is None else each.last)
            for each in (a, b)
        )  # fmt: skip
        one_after_the_other = first[1] < second[0] or second[1] < first[0]
        assert apart or one_after_the_other, (a, b)


def test_the_plan_accounts_for_the_whole_arena() -> None:
    """No gap is larger than what alignment asks for, except where buffers have gone."""
    plan = program().plan
    loop = program()._compiled.loop
    assert plan.arena_bytes == training_code(loop, host(), threads=1).memory.arena_bytes
    end = 0
    for each in sorted(arena(plan), key=lambda each: each.offset or 0):
        assert each.offset is not None
        assert each.offset % 64 == 0
        assert each.offset - end < 64, each
        end = max(end, each.offset + each.bytes)
    assert plan.arena_bytes - 2 * 64 < end <= plan.arena_bytes


def test_states_and_inputs_have_their_keys_and_what_replaces_them() -> None:
    found = {each.name: each for each in program().plan.allocations}
    weight = found["model/linear1/weight"]
    assert (weight.role, weight.type, weight.first, weight.last) == (
        "state", "f32[20,40]", None, None,
    )  # fmt: skip
    assert "panels of" in weight.layout
    assert weight.in_place == ("new_linear1/weight",)
    assert found["x"].role == "input"
    assert found["loss"].bytes == 4


def test_the_plan_of_a_function_names_the_arrays_of_the_caller() -> None:
    x = cr.input("x", (4, 6))
    table = cr.parameter("table", (6, 2), 0.5)
    found = {e.name: e for e in cr.compile((x + 1.0) @ table).plan.allocations}
    assert (found["x"].place, found["x"].offset, found["x"].bytes) == ("caller", None, 96)
    assert found["contract"].place == "caller"
    assert found["table"].place == "arena"


def test_a_plan_prints_as_a_table() -> None:
    plan = Plan(
        (
            Allocation("w", "state", "f32[2,16]", "panels of 16, axis 1", "arena", 4160, 128,
                       in_place=("new_w",)),
            Allocation("h", "work", "f32[batch]", "row-major", "arena", 4288, 1024, 0, 1),
            Allocation("x", "input", "f32[batch]", "row-major", "caller", None, 1024),
        ),
        ("h", "w"),
        5440,
    )  # fmt: skip
    assert (
        str(plan)
        == """\
buffer  type        layout                offset  bytes  first  last  in place of
---------------------------------------------------------------------------------
w       f32[2,16]   panels of 16, axis 1   4,160    128      -     -  new_w
h       f32[batch]  row-major              4,288  1,024      0     1
x       f32[batch]  row-major             caller  1,024      -     -
---------------------------------------------------------------------------------
arena: 5,440 bytes
kernels:
   0  h
   1  w"""
    )


# its picture


def test_the_picture_has_a_band_for_every_buffer_of_the_arena() -> None:
    plan = program().plan
    svg = plan.draw().svg()
    _require_inert(svg)
    root = ElementTree.fromstring(svg)
    titles = [e.text or "" for e in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == len(arena(plan))
    for each in arena(plan):
        wanted = f"{each.bytes:,} bytes at {each.offset:,}"
        assert any(each.name in title and wanted in title for title in titles)


def test_bands_are_as_high_as_their_bytes_and_as_wide_as_their_time() -> None:
    svg = draw_bands([Band("a", "", "work", 256, 512, 1, 2)], ["k"] * 4, 1024).svg()
    points = re.findall(r'points="([^"]*)" fill="#fce5cd"', svg)[0]
    corners = [tuple(map(float, corner.split(","))) for corner in points.split()]
    xs, ys = sorted({x for x, _ in corners}), sorted({y for _, y in corners})
    assert xs[1] - xs[0] == pytest.approx(1000 * 2 / 4)
    assert ys[1] - ys[0] == pytest.approx(560 * 512 / 1024)


def test_names_cannot_break_out_of_the_picture() -> None:
    evil = '"><script>alert(1)</script>\x07&'
    svg = draw_bands([Band(evil, evil, "state", 0, 600, 0, 0)], [evil], 600).svg()
    _require_inert(svg)
    assert "<script" not in svg
    assert "\x07" not in svg


def test_a_picture_is_saved_as_svg_only(tmp_path: Path) -> None:
    drawing = program().plan.draw()
    assert drawing.save(tmp_path / "plan.svg").read_text(encoding="utf-8") == drawing.svg()
    assert drawing._repr_svg_() == program().plan._repr_svg_() == drawing.svg()
    with pytest.raises(RenderingError, match=r"plan.png"):
        drawing.save(tmp_path / "plan.png")
    assert not (tmp_path / "plan.png").exists()


# the summary


def test_a_summary_counts_what_a_step_takes() -> None:
    summary = program().summary()
    assert summary.parameters == 20 * 40 + 40 + 40 * 3 + 3
    assert summary.parameter_bytes == 4 * summary.parameters
    products = 2 * 32 * (3 * 20 * 40 + 3 * 40 * 3) - 2 * 32 * 20 * 40
    assert products < summary.flops < 2 * products
    assert summary.arena_bytes == program().plan.arena_bytes
    assert summary.sizes == {"batch": 32}
    text = str(summary)
    assert f"{summary.arena_bytes:,} bytes beside the arrays" in text
    assert "for batch=32" in text
    assert f"vectors of {summary.vector_bits} bits" in text


def test_a_summary_of_numpy_code_knows_the_graph_alone() -> None:
    summary = program("numpy").summary()
    assert summary.parameters == program().summary().parameters
    assert summary.flops == program().summary().flops
    assert (summary.target, summary.arena_bytes, summary.code_bytes) == ("numpy", None, None)
    assert "peak memory" not in str(summary)
