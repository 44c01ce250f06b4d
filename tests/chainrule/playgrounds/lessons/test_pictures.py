"""A page of a convolutional network: what is inside, and pictures from files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from tests.accessibility import faint_text, named_controls
from tests.browser import Watch
from tests.chainrule.playgrounds.lessons.page import numbers, settle

import chainrule as cr
from chainrule import datasets, losses, nn, optim

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DIGITS = datasets.digits()
Bytes = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def model() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(27, 10), name="m",
    )  # fmt: skip


@pytest.fixture(scope="module")
def training(model: nn.Sequential) -> cr.Training:
    x, y = cr.input("x", ("batch", 1, 8, 8)), cr.input("y", ("batch",), dtype="int32")
    step = optim.SGD(lr=0.1).minimize(losses.cross_entropy(model(x), y))
    return cr.training(step, epochs=1, batch_size=64, seed=3)


@pytest.fixture(scope="module")
def result(training: cr.Training) -> cr.Result:
    train = DIGITS.train.x.reshape(-1, 1, 8, 8)
    return cr.compile(training, target="numpy").run(
        {"x": train, "y": DIGITS.train.y}, progress=False
    )


@pytest.fixture(scope="module")
def page(
    model: nn.Sequential, training: cr.Training, result: cr.Result, chromium: Browser,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Page]:  # fmt: skip
    path = tmp_path_factory.mktemp("lesson") / "lesson.html"
    cr.lesson("Digits", model, training, data=DIGITS, result=result, path=path)
    watch = Watch(chromium)
    made = watch.open(path, dark=True)
    settle(made)
    yield made
    watch.close()
    assert watch.problems == []


def test_what_is_inside_is_what_this_process_finds(
    page: Page, model: nn.Sequential, result: cr.Result
) -> None:
    """Kernels as they are, maps of NumPy, and slopes of the score by differences."""
    page.click("#another")
    settle(page)
    titles = page.locator("#looks h3").all_inner_texts()
    assert titles == ["Filters of conv2d1", "Maps of conv2d1", "Maps of maxpool2d1", "Saliency"]
    x = cr.input("x", ("batch", 1, 8, 8))
    image = DIGITS.test.x[:1].reshape(1, 1, 8, 8)
    run = cr.compile([model[:1](x), model[:3](x)], target="numpy").bind(result.state)
    score = cr.compile(cr.max(model(x), axis=1), target="numpy").bind(result.state)
    pixels = np.eye(64, dtype=np.float32).reshape(64, 1, 8, 8) * 1e-2
    slopes = np.abs(score(x=image + pixels) - score(x=image - pixels)) / 2e-2
    wanted = [result.state[model[0].weight], *run(x=image), slopes]
    for i, values in enumerate(wanted):
        most = np.abs(values).max()
        assert page.evaluate(f"frame.results.looks[0].most{i}.values[0]") == pytest.approx(
            most, rel=1e-3
        )
        found = numbers(page, f"frame.results.looks[0].look{i}.values")
        np.testing.assert_allclose(found, np.ravel(values / most), atol=3e-3)
    assert page.locator("#look-1 canvas").count() == 3
    assert faint_text(page) == []
    assert [each for each in named_controls(page) if not each[1].strip()] == []


def png(pixels: Bytes) -> bytes:
    """A file of grey pixels."""
    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)

    def part(name: bytes, content: bytes) -> bytes:
        sums = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + sums

    parts = part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def give(page: Page, name: str, content: bytes) -> None:
    page.evaluate("say('')")
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": content})


def test_a_picture_on_white_paper_is_read_as_a_digit(page: Page) -> None:
    """Wider than it is high, darker than white, and as large as a photograph's part."""
    dark = (DIGITS.test.x[3].reshape(8, 8) * 150).astype(np.uint8)
    digit = np.kron(200 - dark, np.ones((16, 16), np.uint8))
    give(page, "digit.png", png(np.pad(digit, ((0, 0), (64, 64)), constant_values=200)))
    page.get_by_text("Scaled to 8 × 8 pixels").wait_for()
    settle(page)
    found = numbers(page, "drawn")
    assert found.min() == 0
    assert found.max() == 1
    assert np.corrcoef(found, DIGITS.test.x[3])[0, 1] > 0.95
    assert page.inner_text("#answer").startswith("It is taken for")


def test_files_that_are_no_pictures_are_refused(page: Page) -> None:
    page.click("#another")
    settle(page)
    before = page.evaluate("[...drawn]")
    script = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script>"
    broken = png(np.zeros((4, 4), np.uint8))[:40]
    for name, content in (("a.png", b""), ("a.svg", script), ("b.png", broken), ("c.html", b"<p>")):
        give(page, name, content)
        page.get_by_text("The browser knows no picture in this file.").wait_for()
    give(page, "wide.png", png(np.zeros((2, 9000), np.uint8)))
    page.get_by_text("A side of 8192 pixels is the most.").wait_for()
    page.evaluate("readFile({ size: 1e8 })")
    page.get_by_text("The file is too large: 10 MB are the most.").wait_for()
    assert page.evaluate("[...drawn]") == before


def test_what_is_dropped_is_read(page: Page) -> None:
    content = list(png(np.full((8, 8), 255, np.uint8)))
    page.evaluate(
        """(bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "white.png"));
            for (const name of ["dragover", "drop"]) {
                const event = new DragEvent(name, { dataTransfer: data, bubbles: true });
                field("drawn").dispatchEvent(event);
            }
        }""",
        content,
    )
    page.get_by_text("Nothing is drawn yet.").wait_for()


def test_with_dropout_what_is_predicted_twice_is_the_same(page: Page) -> None:
    page.click("#step")
    settle(page)
    found = []
    for _ in range(2):
        page.evaluate("look()")
        settle(page)
        found.append(page.inner_text("#confusion"))
    assert found[0] == found[1]
