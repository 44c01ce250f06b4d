"""Pages whose answers come when something else has been asked for: nothing old is shown or kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.browser import OpenPage
from tests.chainrule.playgrounds.opening import Opened

import chainrule as cr
from chainrule import datasets, losses, nn, optim

# what a worker answers, until it is ready and has answered; an error is an answer too
BEFORE_IT_IS_READY = """
() => new Promise((told) => {
    const url = URL.createObjectURL(new Blob([TOLD.worker], { type: "text/javascript" }));
    const worker = new Worker(url), kinds = [];
    worker.onerror = (event) => { event.preventDefault(); told([event.message]); };
    worker.onmessage = ({ data }) => { if (kinds.push(data.kind) === 2) told(kinds); };
    worker.postMessage({ kind: "start", ...TOLD.program });
    worker.postMessage({ kind: "advance", number: 1, calls: [] });
})
"""


def test_what_is_asked_of_a_lesson_before_it_is_ready_waits(
    open_page: OpenPage, tmp_path: Path
) -> None:
    x, y = cr.input("x", ("batch", 2)), cr.input("y", ("batch",), dtype="int32")
    model = nn.Linear(2, 2)
    step = optim.SGD(lr=0.5).minimize(losses.cross_entropy(model(x), y))
    training = cr.training(step, epochs=1, batch_size=4)
    file = cr.lesson("t", model, training, data=datasets.xor(), path=tmp_path / "lesson.html")
    assert open_page(file).evaluate(BEFORE_IT_IS_READY) == ["ready", "frame"]


def test_a_parameter_is_changed_in_the_network_that_is_being_asked_for(shared: Opened) -> None:
    here = shared.choose("")
    at = here.page.evaluate("""() => {
        document.querySelector("#more-layers").click();
        chooseNeuron([2, 0], 0);
        const at = weightAt(state, 2, 0, 0);
        setParameter(at, 0.5);
        return at;
    }""")
    here.settle()
    changed = here.parameters()
    drawn = here.choose(here.page.evaluate("fragmentOf(state)")).parameters()
    assert changed[at] == 0.5 != drawn[at]
    changed[at] = drawn[at]
    np.testing.assert_array_equal(changed, drawn)


def test_what_is_undone_has_no_parameters_of_another_network(shared: Opened) -> None:
    here = shared.choose("")
    for _ in range(3):
        here.step()
    here.page.evaluate("""() => {
        const ids = ["more-layers", "more-layers", "undo"];
        for (const id of ids) document.getElementById(id).click();
    }""")
    here.settle()
    undone = here.parameters()
    np.testing.assert_array_equal(
        undone, here.choose(here.page.evaluate("fragmentOf(state)")).parameters()
    )


def test_nothing_can_be_saved_that_does_not_belong_together(shared: Opened) -> None:
    here = shared.choose("")
    saved = here.page.evaluate("""() => {
        const before = URL.createObjectURL, made = [];
        URL.createObjectURL = (blob) => { made.push(blob); return before(blob); };
        for (const id of ["more-layers", "save"]) document.getElementById(id).click();
        URL.createObjectURL = before;
        return made.length;
    }""")
    here.settle()
    assert saved == 0
    assert here.saved()["epoch"] == 0
