"""The playground in a browser: what it trains, what it refuses, and whom it can be used by."""

from __future__ import annotations

import json
import random
import re
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.accessibility import axe_findings, axe_script, faint_text, named_controls
from tests.browser import OpenPage
from tests.chainrule.playgrounds.opening import Opened, opened

import chainrule as cr
from chainc.ir.errors import ExportError, InputError

SPIRALS = "data=spiral&layers=8tanh,8tanh&optimizer=adam&rate=0.01&noise=0&features=x1,x2,sin1,sin2"
HOSTILE = "data=<img src=x onerror=alert(1)>&layers=__proto__,9tanh&seed=1e9&own=1_2&rate=NaN&x=1"


def test_an_epoch_is_that_of_numpy(shared: Opened) -> None:
    """Backpropagation and SGD written out, in float64, over the same rows and first weights."""
    here = shared.choose("")
    rows, start = here.points(), here.parameters()
    here.step()
    weights = [start[72 * i : 72 * i + 64].reshape(8, 8) for i in range(3)]
    w = [weights[0][:4, :2], weights[1][:2, :4], weights[2][:1, :2]]
    b = [start[72 * i + 64 :][:n] for i, n in enumerate((4, 2, 1))]
    training = rows[:256]
    for first in range(0, 256, 10):
        batch = training[first : first + 10]
        values = [batch[:, :2]]
        for weight, bias in zip(w, b, strict=True):
            values.append(np.tanh(values[-1] @ weight.T + bias))
        above = (values[-1] - batch[:, 2:]) / len(batch)
        for layer in (2, 1, 0):
            slope = above * (1 - values[layer + 1] ** 2)
            above = slope @ w[layer]
            w[layer] = w[layer] - 0.03 * slope.T @ values[layer]
            b[layer] = b[layer] - 0.03 * slope.sum(axis=0)
    found = here.parameters()
    np.testing.assert_allclose(found[:64].reshape(8, 8)[:4, :2], w[0], atol=1e-5)
    np.testing.assert_allclose(found[72:136].reshape(8, 8)[:2, :4], w[1], atol=1e-5)
    np.testing.assert_allclose(found[144:146], w[2][0], atol=1e-5)
    values = [rows[:, :2]]
    for weight, bias in zip(w, b, strict=True):
        values.append(np.tanh(values[-1] @ weight.T + bias))
    errors = 0.5 * (values[-1][:, 0] - rows[:, 2]) ** 2
    assert here.number("#train-loss") == pytest.approx(errors[:256].mean(), rel=1e-3)
    assert here.number("#test-loss") == pytest.approx(errors[256:].mean(), rel=1e-3)


def test_spirals_are_learnt_and_the_address_brings_it_back(open_page: OpenPage, file: Path) -> None:
    here = opened(open_page, file, SPIRALS)
    page = here.page
    page.select_option("#speed", "max")
    page.click("#play")
    here.wait_for("#train-loss", r"^0\.00|e-")
    page.click("#play")
    assert here.number("#accuracy") > 95
    page.click("#reset")
    here.wait_for("#epoch", "^0$")
    first = here.text("#train-loss")
    page.select_option("#activation-1", "relu")
    page.click("#fewer-0")
    page.fill("#seed", "7")
    page.locator("#seed").press("Tab")
    here.settle()
    changed, address = here.text("#train-loss"), page.url
    assert changed != first
    assert "layers=7tanh,8relu" in address
    page.reload()
    again = Opened(page)
    assert again.text("#train-loss") == changed
    assert page.locator(".layer").nth(1).locator("button.neuron").count() == 7


def test_zeros_stay_alike_and_a_changed_weight_breaks_it(shared: Opened) -> None:
    here = shared.choose("initialisation=zeros&layers=3sigmoid&batch=9")
    page = here.page
    here.step()
    here.step()
    alike = here.parameters()
    assert alike[72] != 0
    np.testing.assert_array_equal(alike[72:75], alike[72])
    np.testing.assert_array_equal(alike[:24].reshape(3, 8), [alike[:8]] * 3)
    page.click("#neuron-0-1")
    page.get_by_label("weight of x₁", exact=True).fill("1.5")
    page.get_by_label("weight of x₁", exact=True).press("Tab")
    here.settle()
    assert here.parameters()[8] == 1.5
    here.step()
    assert len({*here.parameters()[72:75]}) > 1
    page.click("#undo")  # the weight, and all that came after it
    here.settle()
    np.testing.assert_array_equal(here.parameters(), alike)


def test_an_example_is_followed_forward_and_backward(shared: Opened) -> None:
    here = shared.choose("layers=2tanh")
    page = here.page
    page.click("#neuron-0-0")
    page.check("#show-example")
    here.wait_for("#example-told", "1 of 5. Forward, layer 1, neuron 1: z = .* its value is")
    assert page.locator(".numbers.gradient").count() == 0
    for told in ("2 of 5. Forward, output", "the loss is", "4 of 5. Backward, output", "5 of 5"):
        page.click("#example-on")
        here.wait_for("#example-told", told)
    assert page.locator(".numbers.gradient").count() == 3
    parameters, row = here.parameters(), here.points()[0]
    hidden = np.tanh(parameters[:16].reshape(2, 8)[:, :2] @ row[:2] + parameters[64:66])
    output = np.tanh(parameters[72:74] @ hidden + parameters[136])
    slope = (output - row[2]) * (1 - output**2) * parameters[72] * (1 - hidden[0] ** 2)
    shown = [
        float(each.replace("−", "-")) for each in page.locator("td.gradient").all_inner_texts()
    ]
    np.testing.assert_allclose(shown, [slope * row[0], slope * row[1], slope], rtol=0.5, atol=0.006)


def test_the_python_program_runs(shared: Opened, tmp_path: Path) -> None:
    fragment = "data=own&own=100_100_100,-100_100_-100,50_0_100,-50_0_-100&layers=3gelu&l1=0.001"
    more = "features=x1,sin2&loss=logistic&optimizer=nesterov&rule=direct"
    between = "norm=batch&dropout=0.1&schedule=cycle"
    here = shared.choose(f"{fragment}&{more}&{between}")
    here.page.click("#program-part summary")
    here.wait_for("#program", "run")
    source = here.text("#program").replace("epochs=200", "epochs=2")
    (tmp_path / "program.py").write_text(source, encoding="utf-8")
    found = runpy.run_path(str(tmp_path / "program.py"))
    assert [len(values) for values in found["result"].history.values()] == [2, 2]


def test_own_points_are_drawn_and_given_as_rows(open_page: OpenPage, file: Path) -> None:
    here = opened(open_page, file, "layers=1relu", width=360, height=740, touch=True)
    page = here.page
    page.click("#data-part summary")
    page.fill("#rows", "1, 2, 1\n-3 -4 -1\n1;2;3")
    page.click("#use-rows")
    here.wait_for("#message", "Line 3 is not two numbers")
    page.fill("#rows", "1, 2, 1\n-3 -4 -1\n")
    page.click("#use-rows")
    here.settle()
    page.locator("#output").click(position={"x": 20, "y": 20})
    here.settle()
    found = here.points()
    np.testing.assert_allclose(found[:2], [[1, 2, 1], [-3, -4, -1]])
    assert found[2, 0] < -4
    assert found[2, 1] > 4
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.click("#no-points")
    here.settle()
    assert here.text("#train-loss") == "–"
    here.step()
    assert page.evaluate("stateOf(location.hash.slice(1)).refused") == 0


def test_a_table_is_taken_and_stretched(shared: Opened, tmp_path: Path) -> None:
    here = shared.choose("layers=1tanh")
    page, table = here.page, tmp_path / "table.csv"
    table.write_text("name,x,y,class\n1,0,10,0\n2,50,30,1\n3,100,20,1\n")
    page.click("#data-part summary")
    page.set_input_files("#rows-file", table)
    here.wait_for("#message", "3 rows of table.csv")
    page.wait_for_function("state.own.length === 3")
    here.settle()
    np.testing.assert_allclose(here.points(), [[-5, -5, -1], [0, 5, 1], [5, 0, 1]])
    table.write_text("1,2,3\n1,2,<b>\n")
    page.set_input_files("#rows-file", table)
    here.wait_for("#message", "Line 2 of table.csv is not three or more numbers")
    page.click("#data-part summary")


def test_two_rules_learn_beside_each_other(shared: Opened) -> None:
    here = shared.choose("layers=4tanh&rate=0.1&beside=feedback")
    losses = [here.text("#train-loss"), here.text("#beside-train")]
    assert losses[0] == losses[1]
    for _ in range(3):
        here.step()
    both = here.number("#train-loss"), here.number("#beside-train")
    assert both[0] != both[1]
    assert max(both) < float(losses[0])
    assert here.page.is_visible("#beside-output")
    here.page.select_option("#beside", "direct")
    here.settle()
    assert here.text("#beside-title") == "direct feedback"
    here.page.select_option("#beside", "none")
    here.settle()
    assert here.page.is_hidden("#beside-output")


def mutated(seed: int, count: int) -> Sequence[str]:
    draw, found = random.Random(seed), []
    letters = "&=,_-.0123456789abcxtanhe%<>\"'\\/{}[]\u2028é"
    for _ in range(count):
        text = list(SPIRALS + "&own=100_200_100,-5_6_-100&batch=10&l2=0.1")
        for _ in range(draw.randint(1, 12)):
            at = draw.randrange(len(text))
            part = draw.choice(("", draw.choice(letters), text[at] * draw.randint(2, 900)))
            text[at : at + draw.choice((0, 1, 1, 9))] = part
        found.append("".join(text))
    return found


def check_fragments(here: Opened, fragments: Sequence[str], applied: int) -> None:
    """Each gives a state that holds, and the same from its own fragment; some are opened."""
    wrong = here.page.evaluate(
        """(fragments) => fragments.filter((fragment) => {
            const { state } = stateOf(fragment), again = stateOf(fragmentOf(state));
            return again.refused || JSON.stringify(again.state) !== JSON.stringify(state)
                || state.layers.length > 6 || state.own.length > 512 || !state.features.length;
        })""",
        list(fragments),
    )
    assert wrong == []
    for fragment in fragments[:applied]:
        here.page.evaluate("(fragment) => { location.hash = fragment; }", fragment)
    here.settle()
    here.step()


def test_the_addresses_of_the_document_are_understood(shared: Opened) -> None:
    document = (Path(__file__).parents[3] / "docs" / "playground.md").read_text("utf-8")
    addresses = re.findall(r"`#(\S+)`", document)
    assert len(addresses) > 7
    for address in addresses:
        assert shared.page.evaluate("(each) => stateOf(each).refused", address) == 0


def test_a_strange_address_does_nothing(open_page: OpenPage, file: Path) -> None:
    here = opened(open_page, file, HOSTILE)
    here.wait_for("#message", "6 of the address cannot be used")
    assert here.page.input_value("#data") == "circle"
    check_fragments(here, mutated(0, 400), applied=20)


@pytest.mark.nightly
def test_ten_thousand_strange_addresses_do_nothing(open_page: OpenPage, file: Path) -> None:
    check_fragments(opened(open_page, file, ""), mutated(1, 10_000), applied=500)


def test_a_strange_file_is_refused(shared: Opened, tmp_path: Path) -> None:
    here = shared.choose("layers=1tanh")
    good = {"state": "layers=1tanh", "epoch": 3, "parameters": [0.5] * 144}
    bad: list[object] = [
        "{", [], {**good, "epoch": -1}, {**good, "parameters": [0.5] * 143},
        {**good, "parameters": ["a"] * 144}, {**good, "state": "layers=9tanh"},
    ]  # fmt: skip
    for i, content in enumerate(bad):
        path = tmp_path / f"{i}.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        here.page.set_input_files("#open", path)
        here.wait_for("#message", "none that the page has saved")
        here.page.evaluate("say('')")
    (tmp_path / "good.json").write_text(json.dumps(good))
    here.page.set_input_files("#open", tmp_path / "good.json")
    here.wait_for("#epoch", "^3$")
    there = {0, 1, 64, 72, 136}  # two weights and a bias, a weight and a bias
    assert here.saved()["parameters"] == [0.5 if i in there else 0 for i in range(144)]


def test_all_controls_are_named_reached_and_legible(shared: Opened) -> None:
    here = shared.choose("layers=2tanh")
    page = here.page
    page.click("#neuron-0-0")
    page.check("#show-example")
    here.settle()
    for look in ("light", "dark"):
        page.select_option("#theme", look)
        here.settle()
        assert faint_text(page) == []
    names = named_controls(page)
    assert [each for each in names if not each[1].strip()] == []
    assert len(names) > 45
    page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(len(names) + 10):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    wanted = page.evaluate(
        "() => [...document.querySelectorAll('button, input, select, textarea')]"
        ".filter((e) => e.checkVisibility() && !e.disabled && e.id).map((e) => e.id)"
    )
    assert set(wanted) <= reached
    page.focus("#neuron-0-1")
    page.keyboard.press("Enter")
    assert here.text("#neuron-title") == "Layer 1, neuron 2"


@pytest.mark.skipif(axe_script() is None, reason="needs axe-core in $CHAINRULE_AXE")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (360, False)])
def test_axe_finds_nothing(open_page: OpenPage, file: Path, width: int, dark: bool) -> None:
    here = opened(open_page, file, "layers=2tanh", width=width, dark=dark)
    script = axe_script()
    assert script
    here.page.click("#neuron-0-0")
    here.page.check("#show-example")
    for part in ("#data-part", "#program-part"):
        here.page.click(f"{part} summary")
    here.settle()
    assert axe_findings(here.page, script) == []


def test_the_file_is_small_and_inert(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.encode()) <= 1_500_000
    assert "default-src 'none'" in text
    assert not re.search(r"\son\w+=|javascript:|https?://(?!www\.w3\.org/2000/svg)", text)


def test_a_wrong_path_is_refused_before_any_work(tmp_path: Path) -> None:
    wrong: Any = [1]
    with pytest.raises(ExportError, match=r"playground: cannot write .*\n.*\n  try: "):
        cr.playground(path=tmp_path)
    with pytest.raises(InputError, match=r"playground: \[1\] is no path\n.*\n  try: "):
        cr.playground(path=wrong)
