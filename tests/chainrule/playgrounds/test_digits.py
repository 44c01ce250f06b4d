"""Digits on the playground, and activations that have numbers of their own."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from tests.accessibility import axe_findings, axe_script, faint_text, named_controls
from tests.browser import OpenPage
from tests.chainrule.playgrounds.opening import Opened, opened

from chainrule import datasets
from chainrule.compiled.function import Numbers

DIGITS = datasets.digits().train
X, Y = DIGITS.x[:1000].astype(float), DIGITS.y[:1000]


def weights(parameters: Numbers, at: int, inputs: int, outputs: int) -> tuple[Numbers, Numbers]:
    end = at + inputs * outputs
    return parameters[at:end].reshape(outputs, inputs), parameters[end : end + outputs]


def softmax(scores: Numbers) -> Numbers:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Numbers = powers / powers.sum(axis=1, keepdims=True)
    return shares


def test_an_epoch_on_digits_is_that_of_numpy(shared: Opened) -> None:
    """Softmax, cross-entropy, backpropagation and SGD written out, in float64."""
    here = shared.choose("data=digits&layers=8tanh&rate=0.1&batch=64&split=70")
    start = here.parameters().astype(float)
    assert start.size == 576 + 144  # 65 x 8 and 9 x 10 numbers, in blocks of 72
    (w, b), (v, c) = weights(start, 0, 64, 8), weights(start, 576, 8, 10)
    assert 0.4 < np.abs(w).max() <= 0.5
    here.step()
    for first in range(0, 700, 64):
        x, y = X[first : min(first + 64, 700)], Y[first : min(first + 64, 700)]
        hidden = np.tanh(x @ w.T + b)
        above = (softmax(hidden @ v.T + c) - np.eye(10)[y]) / len(x)
        below = above @ v * (1 - hidden**2)
        v, c = v - 0.1 * above.T @ hidden, c - 0.1 * above.sum(axis=0)
        w, b = w - 0.1 * below.T @ x, b - 0.1 * below.sum(axis=0)
    found = here.parameters()
    np.testing.assert_allclose(weights(found, 0, 64, 8)[0], w, atol=1e-5)
    np.testing.assert_allclose(weights(found, 576, 8, 10)[0], v, atol=1e-5)
    np.testing.assert_allclose(weights(found, 576, 8, 10)[1], c, atol=1e-5)
    shares = softmax(np.tanh(X @ w.T + b) @ v.T + c)
    losses = -np.log(shares[np.arange(1000), Y])
    assert here.number("#train-loss") == pytest.approx(losses[:700].mean(), rel=1e-3)
    assert here.number("#test-loss") == pytest.approx(losses[700:].mean(), rel=1e-3)
    taken = shares.argmax(axis=1)
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (Y[700:], taken[700:]), 1)
    cells = here.page.locator("#confusion td:not(:empty)").all_inner_texts()
    shown = [0 if text == "·" else int(text) for text in cells]
    np.testing.assert_array_equal(np.reshape(shown, (10, 10)), counts)
    assert here.number("#accuracy") == pytest.approx(np.trace(counts) / 3, abs=0.06)
    here.page.click("#next-digit")
    here.settle()
    assert here.text("#digit-told").startswith(f"It is taken for {taken[700]}, and ")
    found_shares = here.page.locator(".share > :last-child").all_inner_texts()
    wanted = 100 * shares[700]
    np.testing.assert_allclose([float(each[:-2]) for each in found_shares], wanted, atol=0.06)


def test_a_digit_is_followed_and_a_network_without_layers_learns(shared: Opened) -> None:
    here = shared.choose("data=digits&layers=&optimizer=adam&rate=0.01")
    page = here.page
    for _ in range(3):
        here.step()
    assert here.number("#accuracy") > 80
    page.fill("#example", "0")
    page.evaluate("() => { position = 0; }")
    page.check("#show-example")
    here.wait_for("#example-told", r"1 of 3. Forward, output for 0: z = .* \(64 terms\)")
    page.click("#example-on")
    here.wait_for("#example-told", f"The share of {Y[0]}, which it is, is .*: the loss is")
    page.click("#neuron-0-3")
    assert page.locator("#neuron input").count() == 1  # the bias
    page.uncheck("#show-example")
    here.settle()
    shown = [page.locator(f"#{name} option:checked") for name in ("rule", "beside", "loss")]
    of_digits = ["backpropagation", "no other rule", "cross-entropy"]
    assert [each.text_content() for each in shown] == of_digits
    page.select_option("#data", "circle")
    here.settle()
    assert page.is_visible("#output")
    assert page.is_hidden("#digits-part")
    assert shown[-1].text_content() == "squared error"
    page.click("#undo")
    here.settle()
    assert page.input_value("#data") == "digits"


@pytest.mark.parametrize("data", ["moons&features=x1,sin2", "digits&noise=10"])
def test_the_python_program_of_new_layers_runs(shared: Opened, tmp_path: Path, data: str) -> None:
    here = shared.choose(f"data={data}&layers=3maxout,4prelu&l2=0.001&optimizer=adam&rate=0.01")
    here.page.evaluate("() => { field('program-part').open = true; }")
    here.wait_for("#program", "nn.Maxout")
    here.page.evaluate("() => { field('program-part').open = false; }")
    source = here.page.evaluate("programOf(state, data)").replace("epochs=200", "epochs=2")
    assert "nn.PReLU(4)" in source
    (tmp_path / "program.py").write_text(source, encoding="utf-8")
    found = runpy.run_path(str(tmp_path / "program.py"))
    assert [len(values) for values in found["result"].history.values()] == [2, 2]


def test_what_activations_learn_is_kept_changed_and_saved(shared: Opened) -> None:
    here = shared.choose("layers=2prelu,3tanh&rate=0.1")
    start = here.parameters()
    assert start.size == 72 * 5  # three layers, and the second blocks of both hidden ones
    slopes = slice(72 * 3 + 64, 72 * 3 + 66)
    np.testing.assert_array_equal(start[slopes], 0.25)
    here.step()
    learnt = here.parameters()
    assert (learnt[slopes] != 0.25).all()
    assert not learnt[72 * 4 :].any()
    here.page.select_option("#activation-1", "maxout")
    here.settle()
    both = here.parameters()
    np.testing.assert_array_equal(both[: 72 * 4], learnt[: 72 * 4])
    assert np.count_nonzero(both[72 * 4 :]) == 6
    assert len(here.saved()["parameters"]) == 72 * 5
    here.page.click("#neuron-1-0")
    names = here.page.locator("#neuron label").all_inner_texts()
    assert [names[0], names[-1]] == ["weight of layer 1, neuron 1", "other bias"]
    here.page.get_by_label("other bias").fill("3")
    here.page.get_by_label("other bias").press("Tab")
    here.settle()
    assert here.parameters()[72 * 4 + 64] == 3
    here.page.evaluate("() => { position = 0; }")
    here.page.check("#show-example")
    here.settle()
    here.page.click("#example-on")
    here.wait_for("#example-told", "2 of 7. Forward, layer 2, neuron 1: z = .*, the other sum")
    here.page.uncheck("#show-example")
    here.settle()
    here.page.select_option("#activation-1", "linear")
    here.page.select_option("#activation-0", "linear")
    here.settle()
    assert here.parameters().size == 72 * 3


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (360, False)])
def test_digits_are_legible_and_fit(
    open_page: OpenPage, file: Path, width: int, dark: bool
) -> None:
    fragment = "data=digits&layers=8prelu,4maxout"
    here = opened(open_page, file, fragment, width=width, height=740, dark=dark)
    here.page.click("#neuron-1-0")
    here.settle()
    assert here.page.evaluate("document.documentElement.scrollWidth") == width
    assert faint_text(here.page) == []
    assert [each for each in named_controls(here.page) if not each[1].strip()] == []
    table = here.page.locator("#confusion")
    assert table.evaluate("(each) => each.scrollWidth <= each.clientWidth")
    script = axe_script()
    if script is not None:
        assert axe_findings(here.page, script) == []
