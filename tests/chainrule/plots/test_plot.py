"""What all plots share: files, equal bytes, inert text, no display, no traces elsewhere."""

from __future__ import annotations

import functools
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from tests.chainrule.plots.legible import assert_legible
from tests.chainrule.plots.problems import ROWS, trained

import chainrule as cr
from chainrule.plots.paper.inert_svg import inert

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    "$x^2$ \\frac{",
    "_hidden",
    "a\nb\x00\ud800",
    "“ж” & ∂σ",
    "x" * 90,
]


@functools.cache
def first_plots() -> dict[str, cr.plots.Plot]:
    return every_plot()


def every_plot() -> dict[str, cr.plots.Plot]:
    classifier, recording = trained()
    states, model = recording.states, classifier.model
    predict = cr.compile(cr.sigmoid(classifier.logits), target="numpy").bind(states[-1])
    layers = {"hidden": classifier.hidden}
    x = {"x": ROWS["x"]}
    return {
        "activation_functions": cr.plots.activation_functions(cr.tanh),
        "history": cr.plots.history(recording),
        "comparison": cr.plots.comparison({"one": recording}),
        "loss_surface": cr.plots.loss_surface(classifier.loss, ROWS, states, points=7),
        "decision_boundary": cr.plots.decision_boundary(predict, (ROWS["x"], ROWS["y"])),
        "gradient_norms": cr.plots.gradient_norms(classifier.loss, ROWS, states),
        "activation_histograms": cr.plots.activation_histograms(layers, x, states),
        "weight_images": cr.plots.weight_images(np.eye(4)),
        "confusion": cr.plots.confusion(np.eye(2)),
        "roc": cr.plots.roc(np.eye(2)),
        "network": cr.plots.network(model, states[-1]),
    }


def svg_texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]


def test_equal_input_gives_equal_bytes_whatever_was_asked_before() -> None:
    first, second = first_plots(), every_plot()
    for name, plot in first.items():
        assert plot.svg() == second[name].svg(), name
        assert_legible(plot)
    for name in ("loss_surface", "weight_images", "network"):
        png = second[name].png()
        assert first[name].png() == png
        assert first[name].svg() == second[name].svg()


def test_every_svg_is_inert_self_contained_and_has_its_texts_as_text() -> None:
    for name, plot in first_plots().items():
        svg = plot.svg()
        root = ElementTree.fromstring(svg)
        assert root.tag == f"{SVG}svg"
        assert root.get("role") == "img"
        assert root.get("aria-label") == plot.title != ""
        for element in root.iter():
            kind = element.tag.removeprefix(SVG)
            assert kind not in {"script", "style", "foreignObject", "a", "metadata"}, name
            assert not [key for key in element.attrib if key.startswith("on")]
            assert "style" not in element.attrib
            link = element.get("{http://www.w3.org/1999/xlink}href", "#")
            assert link.startswith(("#", "data:image/png;base64,")), name
        assert svg_texts(svg)
        assert "Matplotlib v" not in svg
        assert "<dc:" not in svg  # no dates


def test_files_by_suffix(tmp_path: Path) -> None:
    plot = cr.plots.weight_images(np.eye(4))
    assert plot.save(tmp_path / "plot.svg").read_text(encoding="utf-8") == plot.svg()
    content = plot.save(str(tmp_path / "plot.PNG")).read_bytes()
    assert content == plot.png()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    size = struct.unpack(">II", content[16:24])
    assert size == pytest.approx(150 * plot.figure.get_size_inches(), abs=1)
    assert plot._repr_svg_() == plot.svg()
    with pytest.raises(cr.RenderingError, match=r"unknown suffix '.pdf'\n.*\n  try: choose one of"):
        plot.save(tmp_path / "plot.pdf")
    with pytest.raises(cr.RenderingError, match=r"cannot write .*No such file"):
        plot.save(tmp_path / "nowhere" / "plot.svg")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["plot.PNG", "plot.svg"]


def test_names_with_markup_stay_text() -> None:
    plot = cr.plots.comparison({name: {"loss": [float(k), 1.0]} for k, name in enumerate(HOSTILE)})
    found = svg_texts(plot.svg())
    assert {HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[4]} <= set(found)
    assert "a\ufffdb\ufffd\ufffd" in found
    assert "x" * 39 + "…" in found
    assert_legible(plot)
    plot.png()
    letters = cr.plots.comparison({"損失": {"loss": [1.0]}})  # DejaVu Sans does not have them
    assert "損失" in svg_texts(letters.svg())


def test_the_users_settings_neither_change_a_plot_nor_are_changed() -> None:
    plain = cr.plots.history({"loss": [2.0, 1.0]}).svg()
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "svg.fonttype": "path"}):
        before = dict(mpl.rcParams)
        assert cr.plots.history({"loss": [2.0, 1.0]}).svg() == plain
        assert dict(mpl.rcParams) == before


def test_no_display_no_pyplot_and_no_matplotlib_before_it_is_needed() -> None:
    program = (
        "import sys, chainrule as cr\n"
        "assert 'matplotlib' not in sys.modules\n"
        "print(len(cr.plots.weight_images([[1.0]]).png()) > 0)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    environment = {key: value for key, value in os.environ.items() if "DISPLAY" not in key}
    environment["MPLBACKEND"] = "TkAgg"
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (finished.stdout, finished.stderr) == ("True\n", "")


def test_a_missing_matplotlib_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, recording = trained()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    states = recording.states
    attempts: dict[str, Callable[[], cr.plots.Plot]] = {
        "activation_functions": lambda: cr.plots.activation_functions(cr.tanh),
        "history": lambda: cr.plots.history(recording),
        "comparison": lambda: cr.plots.comparison({"one": recording}),
        "loss_surface": lambda: cr.plots.loss_surface(classifier.loss, ROWS, states),
        "decision_boundary": lambda: cr.plots.decision_boundary({}, (ROWS["x"], ROWS["y"])),
        "gradient_norms": lambda: cr.plots.gradient_norms(classifier.loss, ROWS, states),
        "activation_histograms": lambda: cr.plots.activation_histograms({}, ROWS, states),
        "weight_images": lambda: cr.plots.weight_images(np.eye(4)),
        "network": lambda: cr.plots.network(classifier.model, states[0]),
    }
    for name, attempt in attempts.items():
        lines = (f"{name}: plots need matplotlib", "  where: .*test_plot.py", r"  try: .*e\[plot\]")
        message = ".*\n".join(lines)
        with pytest.raises(cr.RenderingError, match=message):
            attempt()


def test_svg_that_is_not_known_to_be_inert_is_refused() -> None:
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    for content in (
        "<script/>",
        '<image xlink:href="http://a.b/c.png"/>',
        '<use xlink:href="x#y"/>',
    ):
        with pytest.raises(cr.RenderingError, match="not known to be inert"):
            inert(f"{head}{content}</svg>", "title")
    kept = inert(f'{head}<path style="fill: red; stroke-width: 2"/></svg>', 'a "title" <b>')
    (path,) = ElementTree.fromstring(kept)
    assert path.attrib == {"fill": "red", "stroke-width": "2"}
    assert ElementTree.fromstring(kept).get("aria-label") == 'a "title" <b>'
