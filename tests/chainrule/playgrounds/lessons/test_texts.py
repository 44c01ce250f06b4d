"""A page of a model of characters: it writes what this process writes, and takes any text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.accessibility import faint_text, named_controls
from tests.chainrule.playgrounds.lessons.page import numbers, opened, settle, shown

import chainrule as cr
from chainrule import losses, nn, optim, text

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

LENGTH = 8
CORPUS = text.Characters.of("the cat sat on the mat and the rat sat on the hat; " * 12)
HOSTILE = "</textarea><script>alert(1)</script>\u2028\0é" + "the cat " * 200


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return nn.Transformer(CORPUS.size, width=8, heads=2, layers=1, context=LENGTH, name="m")


@pytest.fixture(scope="module")
def training(model: nn.Module) -> cr.Training:
    x, y = (cr.input(name, ("batch", LENGTH), dtype="int32") for name in ("x", "y"))
    step = optim.Adam(lr=0.02).minimize(losses.cross_entropy(model(x), y))
    return cr.training(step, epochs=2, batch_size=16, shuffle=False)


@pytest.fixture(scope="module")
def result(training: cr.Training) -> cr.Result:
    train, test = (part.windows(LENGTH) for part in CORPUS.split(0.9))
    program = cr.compile(training, target="numpy")
    return program.run(train, validation=test, progress=False)


@pytest.fixture(scope="module")
def page(
    model: nn.Module, training: cr.Training, result: cr.Result, chromium: Browser,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Page]:  # fmt: skip
    path = tmp_path_factory.mktemp("lesson") / "lesson.html"
    cr.lesson("Letters", model, training, data=CORPUS, result=result, path=path)
    with opened(chromium, path, width=360, height=740, touch=True) as made:
        yield made


def test_it_goes_on_as_this_process_does(page: Page, model: nn.Module, result: cr.Result) -> None:
    prompt, heat = "the cat sat on", 0.5
    page.fill("#prompt", prompt)
    page.locator("#temperature").fill(str(heat))
    settle(page)
    assert page.inner_text("#temperature-shown") == "0.50"
    declared = text.sampler(model, 160, temperature=heat)
    write = cr.compile(declared, target="numpy").bind(result.state)
    wanted = CORPUS.decode(write(prompt=CORPUS.encode(prompt), seed=1))
    assert page.text_content("#written") == prompt + wanted
    page.click("#again")
    settle(page)
    assert page.text_content("#text") != wanted


def test_chances_and_attention_are_those_of_this_process(
    page: Page, model: nn.Module, result: cr.Result
) -> None:
    page.fill("#prompt", "the ")
    page.locator("#temperature").fill("1")
    settle(page)
    x = cr.input("x", (1, LENGTH), dtype="int32")
    given = np.zeros((1, LENGTH), np.int32)
    given[0, :4] = CORPUS.encode("the ")
    shares = cr.compile(cr.softmax(model(x)), target="numpy").bind(result.state)(x=given)[0, 3]
    best = np.argsort(-shares, kind="stable")[:8]
    found = [shown(page, f".share:nth-child({i}) > :last-child") for i in range(1, 9)]
    np.testing.assert_allclose(found, 100 * shares[best], atol=0.06)
    looks = numbers(page, "frame.results.following[0].look0.values").reshape(2, LENGTH, LENGTH)
    most = page.evaluate("frame.results.following[0].most0.values[0]")
    np.testing.assert_allclose(looks.sum(axis=2) * most, 1, atol=1e-3)
    assert (np.triu(looks, 1) == 0).all()
    assert page.locator("#look-0 canvas").count() == 2


def test_it_trains_piece_by_piece(page: Page, result: cr.Result) -> None:
    assert shown(page, "#test-loss") == pytest.approx(result.history["val_loss"][-1], rel=1e-3)
    page.click("#reset")
    settle(page)
    assert page.inner_text("#train-loss") == "–"
    page.click("#step")  # all of so small a text
    settle(page)
    assert shown(page, "#epoch") == 1
    assert shown(page, "#train-loss") == pytest.approx(result.history["loss"][0], rel=1e-3)
    assert shown(page, "#test-loss") == pytest.approx(result.history["val_loss"][0], rel=1e-3)


def test_any_text_is_taken_and_no_more_of_it_than_there_is_room_for(page: Page) -> None:
    page.evaluate("(text) => { field('prompt').value = text; look(); }", HOSTILE)
    settle(page)
    assert "The text that it reads has no < / x > i p l (" in page.inner_text("#message")
    given = page.text_content("#given") or ""
    assert "<" not in given
    assert 300 < len(given) <= 400
    page.fill("#prompt", "ééé")
    settle(page)
    assert page.inner_text("#given") == "Type a letter that it knows."
    page.evaluate("field('temperature').value = 'NaN'")
    page.fill("#prompt", "the ")
    settle(page)
    assert len(page.text_content("#text") or "") == 160
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert faint_text(page) == []
    assert [each for each in named_controls(page) if not each[1].strip()] == []


def test_no_text_does_harm(page: Page) -> None:
    """Halves of characters, letters of any script, none at all: as codes, for a browser's text."""
    random = np.random.default_rng(0)
    plain = np.frombuffer("the cat\n\0<&\"'".encode("utf-16-le"), np.uint16)
    strange = np.array([0xD800, 0xDC00, 0xFEFF, 0x202E, 0x2028, 0xFFFF, 0x5D0, 0xE9], np.uint16)
    texts = [random.choice(np.concatenate([plain, strange]), size).tolist() for size in range(30)]
    page.evaluate(
        """(texts) => texts.forEach((codes) => {
            field("prompt").value = String.fromCharCode(...codes);
            look();
        })""",
        texts,
    )
    page.fill("#prompt", "the ")
    settle(page)
    assert page.text_content("#given") == "the "
    assert page.inner_text("#message") == ""


def joined(words: text.BytePairs, content: bytes) -> list[int]:
    """Byte-pair encoding of one word: each pair in turn, in the order of training."""
    tokens = list(content)
    for made, pair in enumerate(words.pairs, start=256):
        at = 0
        while at + 1 < len(tokens):
            if (tokens[at], tokens[at + 1]) == pair:
                tokens[at : at + 2] = [made]
            at += 1
    return tokens


def test_byte_pairs_are_made_and_read_in_the_page(chromium: Browser, tmp_path: Path) -> None:
    e, t, h, space = b"eth "
    words = text.BytePairs(((t, h), (256, e), (space, 257), (ord("a"), t)))
    pieces = re.findall(r" ?\w+|\s+|[^\w\s]+", "the cat sat on the mat, the hat " * 20)
    tokens = [token for piece in pieces for token in joined(words, piece.encode())]
    x, y = (cr.input(name, ("batch", LENGTH), dtype="int32") for name in ("x", "y"))
    model = nn.Sequential(nn.Embedding(words.size, 8), nn.Linear(8, words.size), name="m")
    step = optim.Adam(lr=0.02).minimize(losses.cross_entropy(model(x), y))
    declared = cr.training(step, epochs=1, batch_size=8)
    path = cr.lesson("Pairs", model, declared, data=(words, tokens), path=tmp_path / "pairs.html")
    with opened(chromium, path) as page:
        assert page.evaluate("code.encode(' the cat').known") == [258, *b" c", 259]
        for strange in ("é ∑ the\u2028 that's 12,5\t\n x", "\0 hat", ""):
            found = page.evaluate("(text) => code.encode(text).known", strange)
            assert words.decode(found) == strange
            assert page.evaluate("(tokens) => code.decode(tokens)", found) == strange
        assert page.evaluate("code.decode([0xc3, 257])") == words.decode([0xC3, 257])
        page.fill("#prompt", " the caté")
        settle(page)
        assert page.text_content("#given") == " the caté"
        assert page.evaluate("frame.results.write[0].text.values.length") == 160
        page.click("#step")
        settle(page)
        assert shown(page, "#train-loss") > 0
        assert page.locator(".share").count() == 8
        assert faint_text(page) == []
    with pytest.raises(cr.InputError, match=r"lesson: the token 260 at .*\n.*\n  try: "):
        cr.lesson("t", model, declared, data=(words, [260]), path=tmp_path / "no.html")


def test_what_does_not_fit_is_refused(
    model: nn.Module, training: cr.Training, tmp_path: Path
) -> None:
    path = tmp_path / "no.html"
    x, y = (cr.input(name, ("batch", LENGTH), dtype="int32") for name in ("given", "next"))
    renamed = cr.training(
        optim.SGD(lr=0.1).minimize(losses.cross_entropy(model(x), y)), epochs=1, batch_size=2
    )
    other = text.Characters.of("abc")
    function: Any = cr.exp
    wrong: Sequence[tuple[Callable[[], Path], str]] = (
        (lambda: cr.lesson("t", function, training, data=CORPUS, path=path), "is no model of text"),
        (lambda: cr.lesson("t", model, training, data=other, path=path), "for 3 characters"),
        (lambda: cr.lesson("t", model, renamed, data=CORPUS, path=path), "no pieces of a text"),
    )
    for made, error in wrong:
        with pytest.raises(cr.InputError, match=rf"lesson: .*{error}.*\n.*\n  try: "):
            made()
    assert not path.exists()
