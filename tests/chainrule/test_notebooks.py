"""What a notebook shows: IPython's own display machinery asks every object for its forms."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from tests.browser import OpenPage
from traitlets.config import Config

import chainrule as cr
from chainrule import losses, nn, optim
from chainrule.compiled.history import History
from chainrule.writing.html_table import html_table

NASTY = '<script>alert("1")</script> & $x_1$ \x00 üñ☃'


class Cells(HTMLParser):
    """The texts of a table, row by row; every element that may stand in one is closed."""

    ALLOWED = ("div", "table", "p", "thead", "tbody", "tr", "th", "td", "pre", "br")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.caption = ""
        self.notes: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.ALLOWED
        assert {name for name, _ in attrs} <= {"align", "class", "cellpadding"}
        if tag == "br":
            self.handle_data("\n")
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
        if tag == "pre":
            self.notes.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] in ("th", "td"):
            self.rows[-1][-1] += data
        elif self.open[-1] == "p":
            self.caption += data
        else:
            assert self.open[-1] == "pre"
            self.notes[-1] += data


def shown(thing: object) -> dict[str, str]:
    formatter: Any = DisplayFormatter()
    forms, _ = formatter.format(thing)
    return dict(forms)


def table(thing: object) -> Cells:
    """The one rich form of a thing, which is a table."""
    forms = shown(thing)
    assert set(forms) == {"text/plain", "text/html"}
    return Cells(forms["text/html"])


class Model:
    """A small training, compiled and run."""

    def __init__(self, name: str = "accuracy") -> None:
        x, y = cr.input("x", ("batch", 2)), cr.input("y", ("batch",), dtype="int32")
        self.net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
        logits = self.net(x)
        self.loss = losses.cross_entropy(logits, y)
        self.x, self.y = x, y
        step = optim.SGD(lr=0.1).minimize(self.loss)
        metrics = {name: cr.metrics.accuracy(logits, y)}
        declared = cr.training(step, epochs=3, batch_size=4, metrics=metrics)
        self.program = cr.compile(declared)
        random = np.random.default_rng(0)
        self.data = {
            "x": random.normal(size=(8, 2)).astype(np.float32),
            "y": random.integers(0, 2, 8).astype(np.int32),
        }
        self.result = self.program.run(self.data, progress=False)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


def test_graphs_programs_and_stages_are_one_picture(model: Model) -> None:
    graph = cr.Graph([model.loss])
    compiled = cr.compile(cr.mean(cr.tanh(model.x)))
    plan = model.program.plan
    things = [graph, cr.draw(graph), model.program, compiled, compiled.stages[0], plan, plan.draw()]
    for thing in things:
        forms = shown(thing)
        assert set(forms) == {"text/plain", "image/svg+xml"}
        assert ElementTree.fromstring(forms["image/svg+xml"]).tag.endswith("svg")


def test_a_derivation_is_its_text_with_formulas() -> None:
    x, w = cr.input("x"), cr.parameter("w", (), 2.0)
    forms = shown(cr.derive(cr.sin(w * x), w))
    assert set(forms) == {"text/plain", "text/markdown"}
    assert "cos" in forms["text/markdown"]


def test_a_history_is_a_table_of_epochs(model: Model) -> None:
    history = model.result.history
    cells = table(history)
    assert cells.rows[0] == ["epoch", "loss", "accuracy"]
    assert [row[0] for row in cells.rows[1:]] == ["1", "2", "3"]
    assert float(cells.rows[1][1]) == pytest.approx(history["loss"][0], rel=1e-5)


def test_a_long_history_is_cut_in_the_middle() -> None:
    rows = table(History(loss=tuple(float(epoch) for epoch in range(1, 101)))).rows[1:]
    numbers = [row[0] for row in rows]
    assert numbers == [*map(str, range(1, 11)), "…", *map(str, range(91, 101))]
    assert [row[1] for row in rows] == numbers
    assert len(table(History(loss=(1.0,) * 20)).rows) == 21
    assert len(table(History(loss=(1.0,) * 21)).rows) == 22
    assert table(History()).rows == [["epoch"]]


def test_a_result_is_its_history(model: Model) -> None:
    cells = table(model.result)
    assert cells.caption == f"a state of {len(model.result.state)} values; its history:"
    assert cells.rows == table(model.result.history).rows


def test_a_state_is_a_table_of_values(model: Model) -> None:
    rows = {row[0]: row[1:] for row in table(model.result.state).rows[1:]}
    assert set(rows) == set(model.result.state)
    assert rows["net/linear1/bias"][:2] == ["float32", "[4]"]
    assert table(cr.State({"w": np.eye(2)})).rows[1][3] == "[1\u00a0 0]\n[0\u00a0 1]"
    large = table(cr.State({"w": np.linspace(0, 1, 100)})).rows[1]
    assert large[2] == "[100]"
    assert large[3].startswith("mean 0.5 · 0 … 1 · ")
    assert table(cr.State({"w": np.zeros((0, 3))})).rows[1][3] == "empty"


def test_summaries_and_costs_are_tables(model: Model) -> None:
    summary = table(model.net.summary(batch=8))
    assert [row[3] for row in summary.rows[1:]] == ["22", "12", "0", "10"]
    assert summary.rows[2][0].strip() == "linear1"
    assert summary.caption.startswith("total: 22 parameters")
    program = dict(table(model.program.summary()).rows)
    assert program["target"] == "llvm"
    assert program["parameters"].startswith("22 (88 bytes)")
    cost = dict(table(cr.Graph([model.loss]).cost(batch=8)).rows)
    assert cost["parameters"] == "22 (88 bytes)"


def test_checks_are_tables(model: Model) -> None:
    check = cr.check_grad(model.loss, model.net.parameters(), model.data)
    cells = table(check)
    assert cells.caption.startswith("passed: ")
    assert [row[0] for row in cells.rows[1:]] == [c.name for c in check.comparisons]
    x = cr.input("x", (3,))
    backward = table(cr.check_backward({"x": [1.0, 2.0, 4.0]}, cr.mean(x * x), {"x": [1.0, 2, 3]}))
    assert backward.rows[1][3] == "wrong: cause not recognised"
    assert backward.caption.startswith("0 of 1 gradients are right")
    assert backward.notes[0].startswith("x\n\u00a0 what: ")


def test_a_data_set_is_a_table_of_its_classes() -> None:
    rows = table(cr.datasets.moons(n=50)).rows
    assert rows[0] == ["class", "train", "test"]
    assert rows[-1] == ["all", "40", "10"]
    assert sum(int(row[1]) for row in rows[1:-1]) == 40


def test_every_text_is_inert() -> None:
    cells = Cells(html_table([NASTY], [[NASTY]], caption=NASTY, notes=[NASTY]))
    expected = NASTY.replace("\x00", "\ufffd")
    assert cells.rows == [[expected], [expected]]
    assert (cells.caption, cells.notes) == (expected, [expected])
    assert table(cr.State({"<b>": 1.0})).rows[1][0] == "<b>"
    assert Model("<i>&").result.history._repr_html_().count("<i>") == 0


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A shell that leaves no files behind."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    hook = sys.displayhook
    yield InteractiveShell.instance(config=config)
    InteractiveShell.clear_instance()
    sys.displayhook = hook


def test_a_cell_that_trains_prints_its_result_once_and_nothing_else(
    shell: Any, model: Model
) -> None:
    shell.push({"model": model})
    with capture_output() as captured:
        ran = shell.run_cell("model.program.run(model.data)")
    assert ran.success
    assert captured.stderr == ""
    assert captured.stdout.count("Out[") == 1
    assert captured.stdout.count("Result(") == 1
    assert set(shown(ran.result)) == {"text/plain", "text/html"}


def test_errors_and_nodes_name_the_cell_and_its_line(shell: Any) -> None:
    shell.run_cell("import chainrule as cr", store_history=True)
    number = shell.execution_count
    with capture_output():
        ran = shell.run_cell("x = cr.input('x', (3,))\ncr.grad(x, x)", store_history=True)
    assert isinstance(ran.error_in_exec, cr.GradientError)
    assert ran.error_in_exec.where == f"Cell In[{number}], line 2"
    assert f"(Cell In[{number}], line 1)" in ran.error_in_exec.what
    assert shell.user_ns["x"].origin.location.short == f"Cell In[{number}], line 1"
    assert "test_notebooks.py:" in repr(cr.input("y"))


def test_a_profile_is_a_table_that_names_the_cells(shell: Any) -> None:
    shell.run_cell("import chainrule as cr", store_history=True)
    number = shell.execution_count
    with capture_output():
        ran = shell.run_cell(
            "x = cr.input('x', (3,))\ny = cr.tanh(x)\n"
            "cr.compile(y).profile(x=[1.0, 2.0, 3.0], runs=2)",
            store_history=True,
        )
    assert set(shown(ran.result)) == {"text/plain", "text/html"}
    heading, (name, what, *_, line) = Cells(shown(ran.result)["text/html"]).rows
    assert heading == ["kernel", "computes", "time", "share", "rate", "line"]
    assert (name, what, line) == ("tanh", "tanh", f"Cell In[{number}], line 2")


@pytest.fixture
def pages(tmp_path: Path) -> dict[str, Path]:
    x = cr.input("x")
    y = cr.tanh(x * 2.0)
    return {
        "steps": cr.step_through(y, {x: 0.5}, path=tmp_path / "steps.html"),
        "story": cr.explain(cr.compile(y), tmp_path / "story.html"),
    }


@pytest.mark.parametrize(("name", "click"), [("steps", "Step forward"), ("story", None)])
def test_a_page_shows_and_runs_itself_in_a_frame(
    name: str, click: str | None, pages: dict[str, Path], tmp_path: Path, open_page: OpenPage
) -> None:
    forms = shown(pages[name])
    assert set(forms) == {"text/plain", "text/html"}
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!DOCTYPE html><title>n</title>{forms['text/html']}", encoding="utf-8")
    frame = open_page(notebook).frame_locator("iframe")
    frame.locator("svg").first.wait_for()
    if click is not None:
        before = frame.locator("#where").inner_text()
        frame.get_by_role("button", name=click).click()
        assert frame.locator("#where").inner_text() != before


def test_a_page_that_is_gone_is_its_path(pages: dict[str, Path]) -> None:
    path = pages["steps"]
    assert path == Path(str(path))
    path.unlink()
    assert shown(path)["text/html"] == f"<code>{path}</code>"


def test_things_say_in_a_line_what_they_are(model: Model) -> None:
    step = optim.SGD(lr=0.1).minimize(model.loss)
    run = cr.compile(cr.tanh(model.net(model.x)))
    texts = {
        step: "<Step of net/linear1/weight, net/linear1/bias, net/linear2/weight, "
        "net/linear2/bias; 5 updates>",
        model.program: "<TrainingProgram x f32[batch,2], y i32[batch], lr f32[] → f32[], f32[]; "
        "3 epochs in batches of 4; 22 numbers in 4 parameters; target 'llvm'>",
        run: "<Function x f32[batch,2] → f32[batch,2]; 4 states, not bound; target 'llvm'>",
        run.bind(model.result.state): "<Function x f32[batch,2] → f32[batch,2]; 4 states; "
        "target 'llvm'>",
        cr.compile(cr.tanh(model.x), target="numpy"): "<Function x f32[batch,2] → f32[batch,2]; "
        "target 'numpy'>",
        cr.Graph([model.loss]): "<Graph of 28 nodes; x f32[batch,2], y i32[batch] → f32[]>",
    }
    for thing, text in texts.items():
        assert repr(thing) == text.replace("net/", f"{model.net.label}/")
    training = repr(cr.training(step, epochs=1, batch_size=4))
    assert re.fullmatch(
        r"<Training of .* f32\[\] .*; 1 epoch in batches of 4; 5 updates>", training
    )
    result = repr(model.result)
    assert re.fullmatch(
        r"Result\(3 epochs: loss \S+ → \S+, accuracy \S+ → \S+; a state of 6 values\)", result
    )
    assert repr(model.program.stages[0]).startswith("<Stage declared: ")
    assert repr(model.program.summary()) == str(model.program.summary())


def test_a_large_state_prints_its_first_values() -> None:
    text = repr(cr.State({f"w{number}": 0.0 for number in range(100)}))
    assert len(text.splitlines()) == 23
    assert text.endswith("  … and 80 more\n)")
