"""Pages of a model of one's own, in a browser: the numbers of this process, and drawn answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.accessibility import faint_text, named_controls
from tests.browser import OpenPage
from tests.chainrule.playgrounds.lessons.page import numbers, opened, settle, shown

import chainrule as cr
from chainc.ir.errors import ExportError, InputError
from chainrule import datasets, losses, nn, optim
from chainrule.datasets.dataset import Split

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = "</script><script>alert(1)</script>$title & <b>"
DIGITS = datasets.digits()


@dataclass(frozen=True)
class Declared:
    model: nn.Module
    training: cr.Training
    program: cr.TrainingProgram
    result: cr.Result


@pytest.fixture(scope="module")
def declared() -> Declared:
    x, y = cr.input("x", ("batch", 64)), cr.input("y", ("batch",), dtype="int32")
    model = nn.Linear(64, 10)
    step = optim.SGD(lr=0.5).minimize(losses.cross_entropy(model(x), y))
    training = cr.training(step, epochs=3, batch_size=32, seed=4)
    program = cr.compile(training, target="wasm")
    result = program.run(split(DIGITS.train), validation=split(DIGITS.test), progress=False)
    return Declared(model, training, program, result)


def split(part: Split) -> dict[str, object]:
    return {"x": part.x, "y": part.y}


@pytest.fixture(scope="module")
def page(
    declared: Declared, chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    path = cr.lesson(
        HOSTILE, declared.model, declared.training, data=DIGITS, result=declared.result,
        path=tmp_path_factory.mktemp("lesson") / "lesson.html",
    )  # fmt: skip
    with opened(chromium, path, width=360, height=740) as made:
        yield made


def test_it_begins_with_what_a_run_left_and_trains_as_this_process(
    page: Page, declared: Declared
) -> None:
    assert page.inner_text("h1") == HOSTILE
    history = declared.result.history
    assert shown(page, "#test-loss") == pytest.approx(history["val_loss"][-1], rel=1e-3)
    page.click("#reset")
    settle(page)
    page.click("#step")
    settle(page)
    assert shown(page, "#epoch") == 1
    assert shown(page, "#test-loss") == pytest.approx(history["val_loss"][0], rel=1e-3)
    page.click("#trained")
    settle(page)
    assert shown(page, "#test-loss") == pytest.approx(history["val_loss"][-1], rel=1e-3)


def test_the_confusion_matrix_counts_the_test_data(page: Page, declared: Declared) -> None:
    state = declared.result.state
    weight, bias = (np.asarray(state[slot], np.float32) for slot in declared.model.parameters())
    found = (DIGITS.test.x @ weight + bias).argmax(axis=1)
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (DIGITS.test.y, found), 1)
    cells = page.locator("#confusion td:not(:empty)").all_inner_texts()
    numbers = [0 if text == "·" else int(text) for text in cells]
    np.testing.assert_array_equal(np.reshape(numbers, (10, 10)), counts)
    right = 100 * np.trace(counts) / counts.sum()
    assert shown(page, "#accuracy") == pytest.approx(right, abs=0.06)


def test_all_is_named_and_legible(page: Page) -> None:
    assert faint_text(page) == []
    names = named_controls(page)
    assert len(names) > 8
    assert [each for each in names if not each[1].strip()] == []


def test_a_digit_is_drawn_with_a_pointer_and_with_keys(page: Page) -> None:
    wanted = f"It is taken for {DIGITS.classes[DIGITS.test.y[0]]}."
    assert page.inner_text("#answer") == wanted  # an example is there at once
    page.click("#another")
    settle(page)
    np.testing.assert_allclose(numbers(page, "drawn"), DIGITS.test.x[1])
    page.click("#clear")
    settle(page)
    assert page.inner_text("#answer") == "Nothing is drawn yet."
    box = page.locator("#drawn").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 10, steps=12)
    page.mouse.up()
    settle(page)
    assert page.inner_text("#answer").startswith("It is taken for ")
    assert page.evaluate("drawn.filter((ink) => ink > 0.7).length") == 8
    page.focus("#drawn")
    for key in ("ArrowDown", "ArrowRight", " "):
        page.keyboard.press(key)
    settle(page)
    assert page.evaluate("drawn[9]") == pytest.approx(0.8)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_weights_of_each_unit_are_shown_as_pictures(page: Page, declared: Declared) -> None:
    page.click("#trained")
    settle(page)
    assert page.locator("#looks h3").all_inner_texts() == ["Weights of model", "Saliency"]
    weight = np.asarray(declared.result.state[declared.model.parameters()[0]])
    found = numbers(page, "frame.results.looks[0].look0.values")
    np.testing.assert_allclose(found, (weight.T / np.abs(weight).max()).ravel(), atol=1e-5)
    assert page.locator("#look-0 canvas").count() == 10


def test_a_model_for_the_plane_is_a_playground(open_page: OpenPage, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
    x, y = cr.input("x", ("batch", 2)), cr.input("y", ("batch",), dtype="int32")
    loss = losses.binary_cross_entropy(model(x)[:, 0], cr.astype(y, "float32"))
    path = cr.playground(model, loss, data=datasets.moons(60), path=tmp_path / "mine.html")
    page = open_page(path, dark=True)
    settle(page)
    before = shown(page, "#train-loss")
    page.fill("#rate", "0.1")
    for _ in range(3):
        page.click("#step")
        settle(page)
    assert shown(page, "#train-loss") < before
    assert page.locator("#plane").is_visible()
    second = numbers(page, "frame.surface")[:, np.newaxis]
    palette = np.array([[217, 95, 2], [8, 119, 189]])
    mixed = np.concatenate([1 - second, second], axis=1) @ palette
    found = numbers(page, "frame.results.paint[0].painted.values").reshape(-1, 4)
    np.testing.assert_allclose(found[:, :3], 0.6 * mixed + 0.4 * 30, atol=0.51)
    assert (found[:, 3] == 255).all()
    assert faint_text(page) == []
    assert not page.locator("#drawn").is_visible()
    assert page.inner_text("h1") == "moons"


def test_what_does_not_fit_is_refused(declared: Declared, tmp_path: Path) -> None:
    wrong: Any = 3
    model, training, path = declared.model, declared.training, tmp_path / "no.html"
    with pytest.raises(
        InputError, match=r"lesson: the training takes x .*the data have 2 .*\n.*\n  try: "
    ):
        cr.lesson("t", model, training, data=datasets.xor(), path=path)
    with pytest.raises(InputError, match=r"lesson: the model gives .* for 10 classes\n.*\n  try: "):
        cr.lesson("t", lambda x: x, training, data=DIGITS, path=path)
    with pytest.raises(InputError, match=r"lesson: data is 3\n.*\n  try: give a data set"):
        cr.lesson("t", model, training, data=wrong, path=path)
    with pytest.raises(InputError, match=r"playground: of a model it needs three things"):
        cr.playground(model, path=path)
    with pytest.raises(ExportError, match=r"lesson: cannot write .*\n.*\n  try: "):
        cr.lesson("t", model, training, data=DIGITS, path=tmp_path)
    assert not path.exists()
