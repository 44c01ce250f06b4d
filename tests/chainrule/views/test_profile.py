"""What a profile shows: its table, its picture, what a kernel's work is counted as."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.browser import OpenPage
from tests.legibility import problems, spans_in

import chainrule as cr
from chainrule import losses, nn, optim
from chainrule.drawing.rendering import RenderingError, _require_inert
from chainrule.drawing.text_width import text_width
from chainrule.views.profile import KernelTime, Profile
from chainrule.views.profile_drawing import LONGEST, MOST, Bar, draw_bars
from chainrule.views.profile_work import Work

SVG = "{http://www.w3.org/2000/svg}"
TARGETS = ("llvm", "numpy")
HERE = "test_profile.py"
BATCH = 16


def profile(target: str) -> Profile:
    """30-40-3: too large for straight-line code."""
    x, y = cr.input("x", ("batch", 30)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Sequential(nn.Linear(30, 40), nn.ReLU(), nn.Linear(40, 3), name="model")(x)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    program = cr.compile(cr.training(step, epochs=1, batch_size=BATCH), target=target)
    rows = {"x": np.ones((3 * BATCH, 30)), "y": np.zeros(3 * BATCH, np.int32)}
    return program.profile(rows, steps=20)


@pytest.fixture(scope="module")
def profiles() -> dict[str, Profile]:
    return {target: profile(target) for target in TARGETS}


def timed(name: str, share: float, seconds: float, role: str = "forward") -> KernelTime:
    return KernelTime(name, role, (), 1, seconds, share, Work(0, 4096))


def made_up() -> Profile:
    kernels = (
        timed("batch", 0.1, 2e-6, "batch"),
        timed("hidden", 0.7, 14e-6),
        timed("new_weight", 0.2, 4e-6, "update"),
    )
    return Profile("step", "llvm", kernels, 100, 20e-6, 21e-6)


# the table


def test_a_profile_says_in_a_line_where_the_time_goes() -> None:
    expected = "<Profile of 3 kernels, 20 µs a step; 70% in hidden; target 'llvm'>"
    assert repr(made_up()) == expected


def test_the_slowest_kernel_comes_first_in_the_table() -> None:
    lines = str(made_up()).splitlines()
    assert lines[0].split() == ["kernel", "computes", "time", "share", "rate", "line"]
    assert [line.split()[0] for line in lines[2:5]] == ["hidden", "new_weight", "batch"]
    assert lines[2].split()[1:] == ["14", "µs", "70.0%", "293", "MB/s"]
    assert "rows of the data become a batch" in lines[4]
    assert lines[-1] == (
        "all kernels: 20 µs, in the middle half of 100 runs; the whole step, without clocks: 21 µs"
    )
    columns = [line.index("%") for line in lines[2:5]]
    assert len(set(columns)) == 1


@pytest.mark.parametrize("target", TARGETS)
def test_every_kernel_has_a_row(target: str, profiles: dict[str, Profile]) -> None:
    found = profiles[target]
    rows = str(found).splitlines()[2:-2]
    assert len(rows) == len(found.kernels)
    for kernel, row in zip(found.slowest, rows, strict=True):
        assert row.startswith(kernel.name)
        assert kernel.line in row
        assert f"{kernel.share:.1%}" in row
    shares = [kernel.share for kernel in found.slowest]
    assert shares == sorted(shares, reverse=True)
    assert f"in {found.slowest[0].name}" in repr(found)


def test_a_notebook_gets_the_same_table(profiles: dict[str, Profile]) -> None:
    found = profiles["llvm"]
    html = found._repr_html_()
    assert html.count("<tr>") == 1 + len(found.kernels)
    assert all(f">{kernel.line}<" in html for kernel in found.kernels)


# work


@pytest.mark.parametrize("target", TARGETS)
def test_the_arithmetic_of_products_is_counted(target: str, profiles: dict[str, Profile]) -> None:
    """Two layers forward, their two weights backward, and the input of the second layer."""
    works = [k.work for k in profiles[target].kernels if k.work is not None and k.work.flops]
    first, second = 2 * BATCH * 30 * 40, 2 * BATCH * 40 * 3
    assert sorted(work.flops for work in works) == sorted([first, first, second, second, second])


def test_bytes_are_those_that_are_read_and_written() -> None:
    x, b = cr.input("x", ("batch", 4)), cr.input("b", (4,))
    found = cr.compile(cr.exp(x + b)).profile(x=np.ones((8, 4)), b=np.ones(4), runs=1)
    (kernel,) = found.kernels
    assert kernel.work == Work(0, 4 * (32 + 4 + 32))
    found = cr.compile(cr.exp(x + b), target="numpy").profile(x=np.ones((8, 4)), b=np.ones(4))
    assert [k.work for k in found.kernels] == [Work(0, 4 * 68), Work(0, 4 * 64)]


def test_the_work_of_a_lookup_depends_on_values() -> None:
    table, rows = cr.input("table", (1000, 4)), cr.input("rows", ("batch",), dtype="int32")
    function = cr.compile(cr.take(table, rows, axis=0))
    found = function.profile(table=np.ones((1000, 4)), rows=np.zeros(5, np.int32), runs=1)
    assert found.kernels[0].work is None
    assert found.kernels[0].rate == ""


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (Work(2_000, 1), "2 GFLOP/s"),
        (Work(3_500_000, 1), "3.5 TFLOP/s"),
        (Work(0, 12), "12 MB/s"),
        (Work(0, 0), "0 B/s"),
    ],
)
def test_rates(work: Work, expected: str) -> None:
    assert work.rate(1e-6) == expected
    assert timed("a", 0.0, 0.0).rate == ""


# the picture


def test_bars_are_as_long_as_their_times_and_in_order() -> None:
    svg = made_up().draw().svg()
    root = ElementTree.fromstring(svg)
    bars = [group for group in root.iter(f"{SVG}g") if group.find(f"{SVG}polygon") is not None]
    lengths = []
    for bar in bars:
        polygon = bar.find(f"{SVG}polygon")
        assert polygon is not None
        xs = [float(corner.split(",")[0]) for corner in polygon.attrib["points"].split()]
        lengths.append(max(xs) - min(xs))
    assert lengths == pytest.approx([LONGEST / 7, LONGEST, LONGEST * 2 / 7], abs=0.2)
    titles = [bar.findtext(f"{SVG}title") or "" for bar in bars]
    assert [title.split(":")[0] for title in titles] == ["batch", "hidden", "new_weight"]
    assert "70.0%, 14 µs" in titles[1]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("fonts", ["", "svg text { font-family: monospace !important }"])
def test_the_picture_can_be_read_in_any_font(
    target: str, fonts: str, profiles: dict[str, Profile], open_page: OpenPage, tmp_path: Path
) -> None:
    file = tmp_path / "empty.html"
    file.write_text(f"<!doctype html><style>{fonts}</style><body></body>", encoding="utf-8")
    svg = profiles[target].draw().svg()
    _require_inert(svg)
    assert problems(svg) == []
    assert problems(svg, spans_in(open_page(file), svg)) == []


def test_each_text_says_how_wide_it_is(profiles: dict[str, Profile]) -> None:
    root = ElementTree.fromstring(profiles["llvm"].draw().svg())
    texts = [text for text in root.iter(f"{SVG}text") if (text.text or "").strip()]
    assert len(texts) > 3 * len(profiles["llvm"].kernels)
    for text in texts:
        expected = text_width(text.text or "", float(text.attrib["font-size"]))
        assert float(text.attrib["textLength"]) == pytest.approx(expected, abs=0.01)


def test_of_many_kernels_the_longest_are_drawn() -> None:
    bars = [Bar(f"k{i}", "", "", "forward", (i + 1) / 20100, "") for i in range(200)]
    svg = draw_bars(bars, "many").svg()
    assert re.findall(r">(k\d+)<", svg) == [f"k{i}" for i in range(200 - MOST + 1, 200)]
    assert f">{200 - MOST + 1} others<" in svg
    rest = sum(bar.share for bar in bars[: 200 - MOST + 1])
    assert f">{rest:.1%}<" in svg
    assert problems(svg) == []


def test_names_cannot_break_out_of_the_picture() -> None:
    evil = '"><script>alert(1)</script>\x07&' * 9
    svg = draw_bars([Bar(evil, evil, evil, "forward", 1.0, evil[:9])], evil[:30]).svg()
    _require_inert(svg)
    assert "<script" not in svg
    assert problems(svg) == []


def test_a_picture_is_saved_as_svg_only(tmp_path: Path) -> None:
    drawing = made_up().draw()
    assert drawing.save(tmp_path / "profile.svg").read_text(encoding="utf-8") == drawing.svg()
    with pytest.raises(RenderingError, match=r"profile.png"):
        drawing.save(tmp_path / "profile.png")


def test_a_function_without_kernels_has_an_empty_table() -> None:
    found = cr.compile(cr.constant(np.ones(3, np.float32)), target="numpy").profile(runs=2)
    assert found.kernels == ()
    assert found.seconds == 0
    assert "all kernels: 0 ns" in str(found)
    assert problems(found.draw().svg()) == []
