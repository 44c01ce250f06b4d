"""The stepper driven in a real browser: every control, the keyboard, layers, sizes, themes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.browser import OpenPage
from tests.pictures import declare

import chainrule as cr

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\"'&\u202e∂"
STEPS = 16  # of the circuit: 8 nodes, all of which have a gradient


@pytest.fixture(scope="module")
def circuit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """z1 (z2 − 2 z1) with z1 = x1², z2 = x2 x3 at (1, 2, 3)."""
    x1, x2, x3 = (cr.input(f"x{i}") for i in (1, 2, 3))
    z1 = cr.square(x1)
    z4 = x2 * x3 - 2 * z1
    path = tmp_path_factory.mktemp("stepper") / "circuit.html"
    return cr.step_through(z1 * z4, {x1: 1.0, x2: 2.0, x3: 3.0}, path=path)


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers in a model."""
    x, w, b = (cr.input(name, shape) for name, shape in (("x", (2, 3)), ("w", (3, 3)), ("b", (3,))))
    with cr.scope("model"):
        with cr.scope("first"):
            h = cr.tanh(x @ w)
        with cr.scope("second"):
            loss = cr.sum(cr.square(h + b))
    values = {x: np.ones((2, 3)), w: np.eye(3), b: np.zeros(3)}
    path = tmp_path_factory.mktemp("stepper") / "layered.html"
    return cr.step_through(loss, values, path=path)


def step(page: Page) -> int:
    return int(page.inner_text("#where").split()[1])


def go_to(page: Page, number: int) -> None:
    page.locator("#position").fill(str(number - 1))


def texts(page: Page, part: str) -> list[str]:
    """What stands in this part of each item in the picture: label, value or gradient."""
    return page.locator(f"#picture .item text.{part}").all_text_contents()


def button(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_values_appear_forward_and_gradients_on_the_way_back(
    open_page: OpenPage, circuit: Path
) -> None:
    page = open_page(circuit)
    assert texts(page, "label") == ["x1", "x × x", "x2", "x3", "×", "× 2", "a − b", "×"]
    assert texts(page, "value") == ["1", "", "", "", "", "", "", ""]
    go_to(page, 8)
    assert texts(page, "value") == ["1", "1", "2", "3", "6", "2", "4", "4"]
    assert texts(page, "gradient") == [""] * 8
    go_to(page, 9)
    assert texts(page, "gradient") == ["", "4 + …", "", "", "", "", "1", "1"]
    go_to(page, STEPS)
    assert texts(page, "gradient") == ["4", "2", "3", "2", "1", "−1", "1", "1"]


def test_the_panel_shows_the_running_sum(open_page: OpenPage, circuit: Path) -> None:
    page = open_page(circuit)
    go_to(page, 11)
    assert page.inner_text("#panel h2") == "× 2 multiply · scalar"
    panel = page.inner_text("#panel")
    assert "local derivative 2" in panel
    assert "2 × (−1) = −2" in panel
    assert "running sum, 2 of 2 parts:" in panel
    assert "4 + (−2) = 2" in panel
    assert "z4 = x2 * x3 - 2 * z1" in panel
    page.get_by_role("button", name="x × x", exact=True).last.click()
    assert page.inner_text("#panel .pass").startswith("Backward")
    assert "Fan-out: the sum of 2 parts" in page.inner_text("#panel")


def test_the_buttons_step_both_ways(open_page: OpenPage, circuit: Path) -> None:
    page = open_page(circuit)
    seen = []
    for name in ("Step forward", "Step forward", "Step back", "Last step"):
        button(page, name)
        seen.append(step(page))
    assert seen == [2, 3, 2, STEPS]
    assert page.locator("#next").is_disabled()
    page.locator("#next").click(force=True)
    assert step(page) == STEPS
    button(page, "First step")
    assert step(page) == 1


def test_it_plays_pauses_and_stops_at_the_end(open_page: OpenPage, circuit: Path) -> None:
    page = open_page(circuit)
    page.clock.install(time=0)
    page.clock.pause_at(1000)  # else time runs by itself too
    page.get_by_label("Speed").select_option("2×")
    button(page, "Play")
    page.clock.run_for(1100)
    assert step(page) == 3
    button(page, "Pause")
    page.clock.run_for(5000)
    assert step(page) == 3
    button(page, "Play")
    page.clock.run_for(10_000)
    assert step(page) == STEPS
    assert page.inner_text("#play") == "Play"
    page.clock.run_for(10_000)
    button(page, "Play")
    assert step(page) == 1


def test_the_keyboard_does_it_all(open_page: OpenPage, circuit: Path) -> None:
    page = open_page(circuit)
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "Home"):
        page.keyboard.press(key)
        seen.append(step(page))
    assert seen == [2, 3, 2, STEPS, 1]
    page.keyboard.press("Space")
    assert page.inner_text("#play") == "Pause"
    page.keyboard.press("Space")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"


def test_the_search_finds_names_ops_and_lines(open_page: OpenPage, circuit: Path) -> None:
    page = open_page(circuit)
    page.keyboard.press("/")
    page.keyboard.type("x3")
    assert page.locator("#found li").first.inner_text().startswith("x3")
    page.keyboard.press("Enter")
    assert page.inner_text("#panel h2").startswith("x3")
    assert page.locator("#found").is_hidden()
    page.fill("#search", "multiply")
    assert page.locator("#found li").count() == 4
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert step(page) == 5
    page.fill("#search", "square(x1)")
    page.locator("#found li").click()
    assert step(page) == 2
    page.fill("#search", "nothing like it")
    assert page.locator("#found li").inner_text() == "nothing found"
    page.keyboard.press("Escape")
    assert page.locator("#found").is_hidden()


def test_a_click_on_a_node_goes_to_it_in_the_same_pass(open_page: OpenPage, circuit: Path) -> None:
    page = open_page(circuit)
    page.locator("#picture .item").nth(3).click()
    assert step(page) == 4
    button(page, "Last step")
    page.locator("#picture .item").nth(7).click()
    assert step(page) == 9
    assert page.locator(".item.current text.label").text_content() == "×"


def test_layers_open_and_close(open_page: OpenPage, layered: Path) -> None:
    page = open_page(layered)
    everything = ["x", "w", "A B", "tanh", "b", "+", "x × x", "Σ"]
    assert sorted(texts(page, "label")) == sorted(everything)
    page.get_by_role("button", name="layer first, open").click()
    assert sorted(texts(page, "label")) == sorted({*everything, "first"} - {"A B", "tanh"})
    page.get_by_role("button", name="layer first, closed").press("Enter")
    assert sorted(texts(page, "label")) == sorted(everything)
    button(page, "Close layers")
    assert sorted(texts(page, "label")) == ["b", "model", "w", "x"]
    button(page, "Last step")
    assert page.locator(".item.current").count() == 1
    page.fill("#search", "tanh")
    page.keyboard.press("Enter")
    assert "tanh" in texts(page, "label")
    assert "second" in texts(page, "label")
    button(page, "Open layers")
    assert sorted(texts(page, "label")) == sorted(everything)


def test_a_closed_layer_shows_what_leaves_it(open_page: OpenPage, layered: Path) -> None:
    page = open_page(layered)
    button(page, "Last step")
    button(page, "Close layers")
    (model,) = [i for i, label in enumerate(texts(page, "label")) if label == "model"]
    assert float(texts(page, "value")[model]) == pytest.approx(6 * np.tanh(1) ** 2, rel=1e-3)
    assert texts(page, "gradient")[model] == "1"


def test_boxes_hold_their_nodes_and_nothing_overlaps(open_page: OpenPage, layered: Path) -> None:
    page = open_page(layered)
    overlaps = page.evaluate(
        """() => {
          const items = [...document.querySelectorAll("#picture .item .outline")];
          const places = items.map((item) => item.getBoundingClientRect());
          const meet = (a, b) => a.left < b.right && b.left < a.right
            && a.top < b.bottom && b.top < a.bottom;
          return places.some((a, i) => places.some((b, j) => i < j && meet(a, b)));
        }"""
    )
    assert overlaps is False
    first, second = (page.locator("#picture .frame").nth(i).bounding_box() for i in (1, 2))
    assert first is not None
    assert second is not None
    assert first["x"] + first["width"] <= second["x"]


def test_zoom(open_page: OpenPage, circuit: Path) -> None:
    page = open_page(circuit)

    def width() -> float:
        return float(page.evaluate("document.querySelector('#picture svg').clientWidth"))

    button(page, "Show the whole graph")
    whole = width()
    button(page, "Zoom in")
    assert width() == pytest.approx(1.25 * whole, abs=2)
    button(page, "Zoom out")
    assert width() == pytest.approx(whole, abs=2)


@pytest.mark.parametrize("dark", [False, True])
def test_the_theme_follows_the_system_and_the_button(
    open_page: OpenPage, circuit: Path, dark: bool
) -> None:
    page = open_page(circuit, dark=dark)

    def is_dark() -> bool:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return bool(sum(map(int, colour[4:-1].split(","))) < 200)

    assert is_dark() == dark
    assert page.locator("#theme").get_attribute("aria-pressed") == str(dark).lower()
    fill = "element => getComputedStyle(element).backgroundColor"
    told = [page.locator(name).evaluate(fill) for name in ("#theme", "#fit")]
    assert (told[0] != told[1]) == dark  # one that is pressed looks so
    page.click("#theme")
    assert is_dark() != dark
    assert page.locator("#theme").get_attribute("aria-pressed") == str(not dark).lower()


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1024, 768), (1280, 800)])
def test_everything_fits_the_screen(
    open_page: OpenPage, layered: Path, width: int, height: int
) -> None:
    page = open_page(layered, width=width, height=height, touch=width < 500, reduced_motion=True)
    for number in (1, 8, 12):
        go_to(page, number)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.documentElement.scrollHeight") <= height
        current = page.locator(".current .outline").bounding_box()
        picture = page.locator("#picture").bounding_box()
        assert current is not None
        assert picture is not None
        assert picture["x"] <= current["x"]
        assert current["x"] + current["width"] <= picture["x"] + picture["width"]
    for name in ("first", "back", "play", "next", "last", "speed", "search", "theme"):
        box = page.locator(f"#{name}").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
        assert box["height"] >= 35  # a finger hits it


def test_a_screen_reader_hears_each_step(open_page: OpenPage, circuit: Path) -> None:
    page = open_page(circuit)
    spoken = page.get_by_role("status")
    assert spoken.get_attribute("aria-live") == "polite"
    assert spoken.inner_text() == "Step 1 of 16, forward: x1, value 1"
    go_to(page, 11)
    assert spoken.inner_text() == "Step 11 of 16, backward: × 2, gradient −1"
    current = page.locator("[aria-current=step]")
    assert current.get_attribute("aria-label") == "× 2, forward"
    assert page.locator("#picture [tabindex='0']").count() == 1
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select")].filter((control) =>
          !(control.getAttribute("aria-label") || control.textContent.trim()
            || control.labels?.length)).length"""
    )
    assert unnamed == 0


def test_the_focus_goes_through_the_page_in_order(open_page: OpenPage, circuit: Path) -> None:
    page = open_page(circuit)
    order = []
    for _ in range(15):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    head = ["search", "theme", "smaller", "larger", "fit", "picture", "g", "panel"]
    controls = ["position", "first", "back", "play", "next", "last", "speed"]
    assert order == [*head, *controls]


def test_motion_is_reduced_when_asked(open_page: OpenPage, layered: Path) -> None:
    script = "getComputedStyle(document.querySelector('.outline')).transitionDuration"
    assert open_page(layered, reduced_motion=True).evaluate(script) == "0s"
    assert open_page(layered).evaluate(script) != "0s"


def test_labels_are_inert(open_page: OpenPage, tmp_path: Path) -> None:
    x = declare(HOSTILE)
    with cr.scope(HOSTILE):
        loss = cr.tanh(x * x)
    page = open_page(cr.step_through(loss, {x: 1.0}, path=tmp_path / "hostile.html"))
    page.fill("#search", "img")
    assert page.locator("#found li").count() == 3
    page.keyboard.press("Enter")
    assert page.locator("#panel h2").text_content() == f"{HOSTILE} input · scalar"
    button(page, "Close layers")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    assert page.locator("main img, main script, header img").count() == 0


def test_a_graph_of_many_layers_begins_folded(open_page: OpenPage, tmp_path: Path) -> None:
    x = cr.input("x")
    h = x
    for number in range(60):
        with cr.scope(f"layer{number}"):
            h = cr.tanh(h * h)
    page = open_page(cr.step_through(h, {x: 0.5}, path=tmp_path / "deep.html"))
    assert page.locator("#picture .item").count() == 61
    go_to(page, 100)
    assert page.locator(".item.current.layer").count() == 1


def test_layers_that_feed_each_other_are_drawn(open_page: OpenPage, tmp_path: Path) -> None:
    """A layer entered twice: closed, its box reads what it feeds."""
    from chainc.ir import Origin, Scope, originating

    x = cr.input("x")
    outer = Origin(None, (Scope("outer"),))
    with originating(outer):
        a = cr.tanh(x)
    b = cr.exp(a)
    with originating(outer):
        loss = b * a
    page = open_page(cr.step_through(loss, {x: 0.5}, path=tmp_path / "cycle.html"))
    assert sorted(texts(page, "label")) == ["exp", "tanh", "x", "×"]
    button(page, "Close layers")
    assert sorted(texts(page, "label")) == ["exp", "outer", "x"]
    button(page, "Last step")


def test_more_long_lines_than_one_can_bend_are_drawn(open_page: OpenPage, tmp_path: Path) -> None:
    """Every value is read early and, in the opposite order, late: 22,500 columns are crossed."""
    x = cr.input("x")
    made = [x]
    for _ in range(150):
        made.append(cr.tanh(made[-1]))
    total = made[-1]
    for value in reversed(made[:-1]):
        total = total + value
    page = open_page(cr.step_through(total, {x: 0.5}, path=tmp_path / "crossed.html"))
    assert page.locator("#picture .item").count() == 301
    button(page, "Last step")
    assert texts(page, "gradient").count("") == 0
