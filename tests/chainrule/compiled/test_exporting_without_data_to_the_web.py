"""Trainings without data in a browser: the page does what it is told, the script what it says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from tests.accessibility import faint_text, named_controls
from tests.browser import OpenPage
from tests.exported import SEED
from tests.scripts import computed_by_script
from tests.without_data import declared, trained

import chainrule as cr


def test_the_page_trains_as_it_is_told_and_shows_the_history(
    open_page: OpenPage, tmp_path: Path
) -> None:
    training, _ = declared(epochs=40)
    program = cr.compile(training, target="wasm")
    program.export(tmp_path, name="alone")
    page = open_page(tmp_path / "index.html")
    assert page.locator("#file").count() == 0
    assert (page.input_value("#epochs"), page.input_value("#seed")) == ("40", str(SEED))
    page.uncheck("#fused")
    page.fill("#epochs", "7")
    page.fill("#seed", "3")
    page.click("#train")
    page.wait_for_selector("tbody tr:nth-child(7)")
    with page.expect_download() as download:
        page.click("#save")
    result = trained(program, seed=3, epochs=7)
    expected = b"".join(array.tobytes() for array in result.state.values())
    assert download.value.path().read_bytes().startswith(expected)
    shown = [line.split("\t") for line in page.inner_text("tbody").splitlines()]
    history = np.array([result.history["loss"], result.history["most"]]).T
    np.testing.assert_allclose(
        [[float(n) for n in line[1:3]] for line in shown], history, rtol=1e-5
    )
    assert page.inner_text("thead").split("\t")[1:4] == ["loss", "most", "seen(0)"]
    page.select_option("#shown", "most")
    most, least = (f"{pick(result.history['most']):.4}" for pick in (max, min))
    label = page.get_attribute("#plot", "aria-label") or ""
    assert label.startswith("most over 7 epochs, between ")
    assert [float(n) for n in re.findall(r"[\d.]+", label)[1:]] == [float(least), float(most)]
    (path,) = (page.get_attribute("#plot path", "d") or "",)
    assert path.count("L") == 6
    page.fill("#epochs", "3000")  # so that points are means of stretches, and the last is not whole
    page.click("#train")
    page.locator("#message", has_text=re.compile("^3000 epochs")).wait_for()
    assert (page.get_attribute("#plot", "aria-label") or "").startswith("most over 3000 epochs")
    assert 256 <= (page.get_attribute("#plot path", "d") or "").count("h0") <= 512
    assert faint_text(page) == []
    assert [tag for tag, name in named_controls(page) if not name] == []
    page.fill("#epochs", "0")
    page.click("#train")
    page.locator("#message", has_text="a whole number from 1 on").wait_for()
    page.fill("#epochs", "1000000000")
    page.click("#train")
    page.wait_for_selector("tbody tr:nth-child(1000)")
    page.click("#stop")
    page.locator("#message", has_text=re.compile(r"stopped after \d+ epochs")).wait_for()
    told = page.inner_text("tbody tr:last-child td:first-child")
    page.wait_for_timeout(150)
    assert page.inner_text("tbody tr:last-child td:first-child") == told


def test_the_script_does_what_its_types_say(open_page: OpenPage, tmp_path: Path) -> None:
    training, results = declared()
    program = cr.compile(training, target="wasm")
    program.export(tmp_path, name="alone", predict=results)
    use = """
        const training = await load({ fused: false, wasm });
        training.init(3);
        const epochs = [...training.train(2, true)];
        const before = training.state(), told = training.evaluate();
        const stepped = training.step();
        const refused = (action) => {
            try { action(); } catch (error) { return error.message; }
        };
        return {
            losses: epochs.map(({ outputs }) => outputs.loss),
            after: epochs.map(({ validation }) => validation.outputs.loss),
            same: told.loss === stepped.loss, step: Number(training.get("step")[0]),
            weight: [...training.get("weight")], without: [...training.train(1)][0].validation,
            results: [...training.predict({ observed: Float32Array.of(1, 2, 3, 0, 0, 1) })],
            refusals: [
                refused(() => training.data({})),
                refused(() => training.restore(before.slice(1))),
            ],
        };
    """
    found = computed_by_script(open_page, tmp_path, "alone", use)
    assert isinstance(found, dict)
    start = program.initial_state(3)
    result = program.run(validation={}, state=start, epochs=2, progress=False)
    assert tuple(found["losses"]) == result.history["loss"]
    assert tuple(found["after"]) == result.history["val_loss"]
    assert (found["same"], found["step"], found["without"]) == (True, 3, None)
    state = trained(program, seed=3, epochs=3).state
    np.testing.assert_array_equal(np.array(found["weight"], np.float32), state["weight"])
    state = trained(program, seed=3, epochs=4).state
    rows = np.array([[1, 2, 3], [0, 0, 1]], np.float32)
    expected = cr.compile(results, target="wasm").bind(state)(observed=rows)
    np.testing.assert_array_equal(np.array(found["results"], np.float32), expected)
    size = sum(array.nbytes for array in state.values()) + 8
    assert found["refusals"] == [
        "the steps of this program read no rows",
        f"a state has {size} bytes",
    ]
