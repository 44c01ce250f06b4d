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
from tests.chainrule.playgrounds.lessons.page import numbers, opened, settle

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
    with opened(chromium, path, dark=True) as made:
        yield made


def test_what_is_inside_is_what_this_process_finds(
    page: Page, model: nn.Sequential, result: cr.Result
) -> None:
    """Of the example that is there at once: kernels, maps of NumPy, slopes by differences."""
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
        shown = numbers(page, f"frame.results.looks[0].bytes{i}.values")
        np.testing.assert_allclose(shown, np.minimum(127.5 * found + 127.5, 255), atol=0.51)
    assert page.locator("#look-1 canvas").count() == 3
    assert faint_text(page) == []
    assert [each for each in named_controls(page) if not each[1].strip()] == []


def test_the_saliency_lies_over_the_picture(page: Page) -> None:
    page.click("#another")
    settle(page)
    drawn = """(() => {
        const copy = new OffscreenCanvas(8, 8).getContext("2d", { willReadFrequently: true });
        copy.drawImage(field("drawn"), 0, 0);
        return copy.getImageData(0, 0, 8, 8).data;
    })()"""
    before = numbers(page, drawn).reshape(64, 4)
    page.check("#show-saliency")
    share = numbers(page, "frame.results.looks[0].look3.values")[:, np.newaxis]
    wanted = before[:, :3] + (np.array([220, 40, 40]) - before[:, :3]) * share
    np.testing.assert_allclose(numbers(page, drawn).reshape(64, 4)[:, :3], wanted, atol=1)
    assert share.max() == pytest.approx(1)
    page.uncheck("#show-saliency")
    np.testing.assert_array_equal(numbers(page, drawn).reshape(64, 4), before)


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


def sized(width: int, height: int) -> bytes:
    """A file that says how large it is, and has nothing more."""
    return png(np.zeros((1, 1), np.uint8)).replace(
        struct.pack(">II", 1, 1), struct.pack(">II", width, height)
    )


JPEG = bytes.fromhex("ffd8 ffe0 0010 4a46494600010100000100010000 ffc0 0011 08 9000 9000 03")
NOTHING_TO_READ = "This is no picture: PNG, JPEG and GIF are known."
TOO_LARGE = "The picture is too large: 50 million pixels are the most."
UNREADABLE = "The browser cannot read this picture."
FILES = {
    NOTHING_TO_READ: [
        b"", b"\x89PNG", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>" + b" " * 99,
        b"<p>" * 9, JPEG[:20] + bytes(99), b"\xff\xd8" + b"\xff\xe0\xff\xff" * 8,
    ],
    TOO_LARGE: [sized(60_000, 60_000), sized(2**32 - 1, 1), JPEG, b"GIF89a" + b"\xff" * 99],
    UNREADABLE: [
        sized(0, 0), sized(9, 9), png(np.zeros((4, 4), np.uint8))[:40],
        JPEG.replace(b"\x90\0", b"\0\x09"),
    ],
}  # fmt: skip


def test_files_that_are_no_pictures_are_refused(page: Page) -> None:
    page.click("#another")
    settle(page)
    before = page.evaluate("[...drawn]")
    for told, files in FILES.items():
        for content in files:
            give(page, "a.png", content)
            page.get_by_text(told).wait_for()
    page.evaluate("readFile({ size: 1e8 })")
    page.get_by_text("The file is too large: 10 MB are the most.").wait_for()
    assert page.evaluate("[...drawn]") == before


def test_bytes_of_any_kind_have_a_size_or_none(page: Page) -> None:
    photograph = """async () => {
        const canvas = new OffscreenCanvas(30, 20);
        canvas.getContext("2d").fillRect(3, 4, 5, 6);
        const file = await canvas.convertToBlob({ type: "image/jpeg" });
        return sizeIn(await file.arrayBuffer());
    }"""
    assert page.evaluate(photograph) == [30, 20]
    random = np.random.default_rng(0)
    cases = []
    for _ in range(200):
        content = bytearray(JPEG + bytes(random.integers(0, 256, 40, np.uint8)))
        for at in random.integers(2, len(content), 6):
            content[at] = random.choice([0, 1, 0x10, 0xC0, 0xC4, 0xFF])
        cases.append(list(content[: random.integers(0, len(content))]))
    found = page.evaluate("(all) => all.map((each) => sizeIn(new Uint8Array(each).buffer))", cases)
    sizes = [each for each in found if each is not None]
    assert 0 < len(sizes) < len(cases)
    assert all(len(each) == 2 and 0 <= min(each) <= max(each) < 2**16 for each in sizes)


def test_rates_out_of_range_are_not_used(page: Page) -> None:
    for given in ("-1", "0", "1e9", ""):
        page.fill("#rate", given)
        assert page.evaluate("rate()") is None
    page.fill("#rate", "0.5")
    assert page.evaluate("rate()") == 0.5
    page.evaluate("location.hash = '#drawn=NaN&layers=<img src=x onerror=alert(1)>'")


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
