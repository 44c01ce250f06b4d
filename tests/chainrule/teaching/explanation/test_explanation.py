"""The page of a compile: what it tells, how it is used, and that nothing in it runs."""

from __future__ import annotations

import json
import re
from functools import cache
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.browser import OpenPage

import chainrule as cr
from chainc.ir import Graph, Origin, Scope, originating
from chainc.ir.errors import Location
from chainc.passes import PIPELINE, Pass
from chainrule import losses, nn, optim
from chainrule.compiled.function import Function, Numbers
from chainrule.compiled.training import TrainingProgram

if TYPE_CHECKING:
    from playwright.sync_api import Page

LAST = len(PIPELINE)  # the stage after fusion
HOSTILE = "<script><img src=x onerror=alert(1)>\"'&<!--"


@cache
def program(target: str = "llvm") -> TrainingProgram:
    """12-24-3 at a batch of 32; too large for straight-line code."""
    x = cr.input("x", ("batch", 12))
    y = cr.input("y", ("batch",), dtype="int32")
    logits = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 3), name="model")(x)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    return cr.compile(cr.training(step, epochs=1, batch_size=32), target=target)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    return {
        target: cr.explain(program(target), folder / f"{target}.html")
        for target in ("llvm", "numpy")
    }


def model_line() -> str:
    """Where `program` applies the model."""
    (relu,) = [
        node
        for node in program().declared.nodes
        if node.op.name == "relu" and node.origin.location is not None
    ]
    assert relu.origin.location is not None
    return relu.origin.location.short


def data_of(path: Path) -> dict[str, list[Any]]:
    text = path.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    loaded: dict[str, list[Any]] = json.loads(found)
    return loaded


# what it tells


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_every_pass_is_told_with_its_meaning_rules_and_figures(
    pages: dict[str, Path], target: str
) -> None:
    html = pages[target].read_text(encoding="utf-8")
    sections = re.split(r'<section id="stage-\d+"', html)[1:]
    stages = program(target).stages
    assert len(sections) == len(stages)
    for section, stage in zip(sections, stages, strict=True):
        text = unescape(re.sub(r"<[^>]*>", "", section))
        assert stage.meaning.split("\n")[0] in text
        cost = stage.graph.cost(batch=32)
        for figure in (len(stage.graph.nodes), cost.flops, cost.bytes_read, cost.bytes_written):
            assert f"{figure:,}" in text
        for fired in stage.fired:
            assert fired.rule in text
            file = Path(fired.location.file).as_posix().rpartition("/chainc/passes/")[2]
            assert f"chainc/passes/{file}:{fired.location.line}" in text


def test_a_rule_is_said_to_be_written_where_its_equation_is() -> None:
    fired = [each for stage in program().stages for each in stage.fired]
    assert {each.rule for each in fired} >= {"softmax_times_reshaped", "fuse_epilogue"}
    for each in fired:
        lines = Path(each.location.file).read_text(encoding="utf-8").split("\n")
        written = "\n".join(lines[each.location.line - 1 :])
        at_rule = re.match(r"@rule\.(?s:.*?)\ndef (\w+)\(", written)
        assert (at_rule[1] == each.rule) if at_rule else written.lstrip().startswith("note(")


def test_each_rule_is_shown_as_it_stands_in_its_file(pages: dict[str, Path]) -> None:
    html = unescape(pages["llvm"].read_text(encoding="utf-8"))
    rules = re.findall(
        r'<li data-rule="(\w+)"><details>.*?</summary>\n<pre>(.*?)</pre>', html, re.S
    )
    assert {name for name, _ in rules} >= {"softmax_times_reshaped", "fuse_epilogue"}
    for name, source in rules:
        assert f"def {name}(" in source or "note(" in source
        first = source.split("\n")[0]
        number, text = first.split(maxsplit=1)
        fired = next(f for stage in program().stages for f in stage.fired if f.rule == name)
        lines = Path(fired.location.file).read_text(encoding="utf-8").split("\n")
        assert lines[int(number) - 1].strip() == text


def test_a_replaced_node_says_what_became_of_it(pages: dict[str, Path]) -> None:
    nodes = data_of(pages["llvm"])["nodes"]
    becoming = [node for node in nodes if node["becomes"]]
    assert {rule for node in becoming for rule in node["becomes"]["rules"]} >= {"fuse_epilogue"}
    for node in becoming:
        number = node["becomes"]["node"]
        assert nodes[number] is not node
        assert node["becomes"]["text"].startswith(nodes[number]["label"])


def test_every_drawn_node_can_be_chosen(pages: dict[str, Path]) -> None:
    html = pages["llvm"].read_text(encoding="utf-8")
    nodes = data_of(pages["llvm"])["nodes"]
    drawn = re.findall(r'<g class="node" id="([^"]*)" data-nodes="([\d ]+)"', html)
    assert len({name for name, _ in drawn}) == len(drawn)
    stages = {name.split("-n")[0] for name, _ in drawn}
    assert "stage-0" in stages
    labels = [nodes[int(n)]["label"] for _, numbers in drawn for n in numbers.split()]
    assert {"relu", "fused_contract", "x", "model/linear1/weight"} <= set(labels)
    for name, numbers in drawn:  # the node drawn is the node meant: its label is in the tooltip
        label = re.search(rf'id="{name}" [^>]*aria-label="(\w+) ([^ "]*)', html)
        if label is not None and label[1] in ("relu", "exp", "max", "fused_contract", "region"):
            node = nodes[int(numbers)]
            assert (node["label"], node["type"]) == (label[1], label[2])


@pytest.mark.parametrize(("name", "text"), [("numpy", "np.maximum("), ("loops", "maximum(")])
def test_nodes_lead_to_lines_and_lines_to_nodes(
    pages: dict[str, Path], name: str, text: str
) -> None:
    data = data_of(pages["numpy" if name == "numpy" else "llvm"])
    (code,) = [code for code in data["codes"] if code["name"] == name]
    lines = code["text"].split("\n")
    relu = next(node for node in data["nodes"] if node["label"] == "relu")
    found = data["spans"][relu["lines"][name]]
    assert any(text in line for first, last in found for line in lines[first - 1 : last])
    purposes = [
        code["purposes"][purpose]
        for first, last, purpose in code["runs"]
        if any(low <= first and last <= high for low, high in found)
    ]
    assert len(purposes) >= 1
    assert all(set(relu["families"]) <= set(purpose["families"]) for purpose in purposes)
    assert relu["where"] == model_line()


def test_a_function_is_explained_with_numbers(tmp_path: Path) -> None:
    """(a + b) * c at a = -2, b = 5, c = -4, as in the lecture: 3, and -12."""
    a, b, c = cr.input("a"), cr.input("b"), cr.input("c")
    f = (a + b) * c
    run = cr.compile([f, *cr.grad(f, [a, b, c])], target="numpy")
    path = cr.explain(run, tmp_path / "f.html", values={"a": -2.0, "b": 5.0, "c": -4.0})
    shown = {node["label"]: node["value"] for node in data_of(path)["nodes"]}
    assert shown["add"] == ["3"]
    assert shown["a"] == ["−2"]
    assert ["−12"] in [node["value"] for node in data_of(path)["nodes"]]


def test_a_pass_of_the_user_is_told_in_its_own_words(tmp_path: Path) -> None:
    def leave_alone(graph: Graph) -> Graph:
        """Leave everything as it is, `x + 0` included."""
        return graph

    run = cr.compile(
        cr.input("x", (3,)) + 0.0, target="numpy", passes=[Pass("nothing", leave_alone)]
    )
    html = cr.explain(run, tmp_path / "own.html").read_text(encoding="utf-8")
    assert "Leave everything as it is, <code>x + 0</code> included." in html
    assert html.count("there was nothing to do") == 1


def test_the_pages_are_small(pages: dict[str, Path]) -> None:
    assert all(path.stat().st_size < 2_000_000 for path in pages.values())


def hostile() -> Function[Numbers]:
    """Markup in the names of a file, a layer and a parameter."""
    x, w = cr.input("x", (4, 3)), cr.parameter(HOSTILE, (3, 2), 0.5)
    origin = Origin(Location(f"{HOSTILE}.py", 1), (Scope(HOSTILE),))
    with originating(origin):
        y = cr.tanh(x @ w)
    return cr.compile(y, target="numpy")


def test_nothing_in_a_page_runs(tmp_path: Path) -> None:
    html = cr.explain(hostile(), tmp_path / "x.html").read_text(encoding="utf-8")
    body, data = html.split('<script type="application/json" id="data">')
    assert "&lt;img src=x" in body
    assert "<img" not in html
    assert data.count("</script>") == 2  # of the data, and of the page's own
    assert "default-src 'none'" in html


# what is refused


def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    run = cr.compile(cr.input("x", (3,)) * 2.0, target="numpy")
    with pytest.raises(cr.InputError, match=r"got Graph, which is not compiled(.|\n)*cr.compile"):
        cr.explain(run.graph, tmp_path / "a.html")  # type: ignore[arg-type]
    with pytest.raises(cr.ExportError, match=r"a.pdf: it is no name for a page(.|\n)*\.html"):
        cr.explain(run, tmp_path / "a.pdf")
    with pytest.raises(cr.InputError, match="explain: there is no value for x"):
        cr.explain(run, tmp_path / "a.html", values={})
    with pytest.raises(cr.ExportError, match=r"it is a folder(.|\n)*name a file in it"):
        cr.explain(run, tmp_path)
    with pytest.raises(cr.ExportError, match=r"there is no folder .*missing"):
        cr.explain(run, tmp_path / "missing" / "a.html")
    assert list(tmp_path.iterdir()) == []


# in a browser


def choose(page: Page, label: str) -> None:
    page.locator(f'g.node[aria-label^="{label}"]').first.dispatch_event("click")


def test_a_chosen_node_shows_where_it_comes_from_and_its_code(
    pages: dict[str, Path], open_page: OpenPage
) -> None:
    page = open_page(pages["llvm"])
    choose(page, "relu f32[batch,24]")
    panel = page.locator("#panel")
    assert page.locator("#panel-title").inner_text() == "relu f32[batch,24]"
    text = panel.inner_text()
    assert model_line() in text
    assert "model/relu1" in text
    assert "for " in panel.locator("pre.snippet").first.inner_text()  # its loop nest
    assert "ret" in panel.locator("pre.snippet").last.inner_text() or "…" in text
    fused = page.locator(f'[id^="stage-{LAST}-n"].related')  # the kernel that took it in
    assert fused.count() == 1
    assert "fused_contract" in (fused.get_attribute("aria-label") or "")
    assert page.locator("#listing .lit").count() > 5
    page.get_by_role("button", name=re.compile("^Assembly: lines")).click()
    assert page.get_by_role("tab", name="Assembly").get_attribute("aria-selected") == "true"
    assert page.locator("#listing .lit").count() > 5


def test_a_chosen_line_lights_up_its_nodes(pages: dict[str, Path], open_page: OpenPage) -> None:
    page = open_page(pages["numpy"], dark=True)
    line = page.locator("#listing [role=option]", has_text="zero_unless(d_relu").last
    line.click()
    text = page.locator("#panel").inner_text()
    assert "local derivative of relu" in text
    assert "1 if x > 0 else 0" in text
    assert page.locator("g.node.selected").count() >= 1
    chosen = page.locator('[id^="stage-0-n"].related')
    assert "local derivative of relu" in (chosen.first.get_attribute("aria-label") or "")
    page.keyboard.press("Escape")
    assert page.locator("g.node.selected, g.node.related").count() == 0


def test_a_node_leads_to_the_rule_that_replaced_it(
    pages: dict[str, Path], open_page: OpenPage
) -> None:
    page = open_page(pages["llvm"])
    source = page.locator('li[data-rule="fuse_epilogue"] pre').first
    assert not source.is_visible()
    page.locator(f"#stage-{LAST}-change-picture g.node", has_text="fuse_epilogue").first.click()
    assert page.url.endswith("llvm.html")
    page.locator("#panel").get_by_role("button", name="fuse_epilogue").first.click()
    assert source.is_visible()
    assert "note(rule, root, fused)" in source.inner_text()


def test_everything_works_from_the_keyboard(pages: dict[str, Path], open_page: OpenPage) -> None:
    page = open_page(pages["numpy"])
    first = page.locator("#stage-0-picture g.node[tabindex='0']")
    assert first.count() == 1
    first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    title = page.locator("#panel-title").inner_text()
    assert title != "Nothing selected"
    listing = page.get_by_role("listbox")
    listing.focus()
    for _ in range(3):
        page.keyboard.press("PageDown")
    page.keyboard.press("Enter")
    assert page.locator("#panel-title").inner_text() == "NumPy, line 61"
    assert listing.get_attribute("aria-activedescendant") == "line-61"


def test_it_fits_a_phone(pages: dict[str, Path], open_page: OpenPage) -> None:
    page = open_page(pages["llvm"], width=360, height=740, touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert not page.locator("#panel").is_visible()
    choose(page, "relu f32[batch,24]")
    assert page.locator("#panel").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="Close").click()
    assert not page.locator("#panel").is_visible()


def test_hostile_names_stay_text_in_the_browser(tmp_path: Path, open_page: OpenPage) -> None:
    values = {"x": np.ones((4, 3), np.float32)}
    page = open_page(cr.explain(hostile(), tmp_path / "x.html", values=values))
    choose(page, "tanh")
    text = page.locator("#panel").inner_text()
    assert f"{HOSTILE}.py:1" in text
    assert "0.9051" in text  # tanh(1.5)
    choose(page, "state")
    assert page.locator("#panel-title").inner_text().startswith(HOSTILE)
    assert page.locator("img").count() == 0
    page.get_by_role("button", name="Theme").click()
    fitting = page.get_by_role("button", name="Fit to width").first
    before = fitting.get_attribute("aria-pressed")
    fitting.click()
    assert {before, fitting.get_attribute("aria-pressed")} == {"true", "false"}
