"""Every choice on the playground trains, and says what it is."""

from __future__ import annotations

from typing import Any

from tests.chainrule.playgrounds.opening import Opened

# an epoch with each option of each list, one after the other, on the same network
_EVERY_CHOICE = """async () => {
    const bad = [], answered = () => new Promise((done) => {
        const listen = ({ data }) => {
            if (data.number !== asked) return;
            worker.removeEventListener("message", listen);
            done(data);
        };
        worker.addEventListener("message", listen);
    });
    const choose = async (id, value) => {
        document.getElementById(id).value = value;
        document.getElementById(id).dispatchEvent(new Event("change"));
        ask({ kind: "advance", epochs: 1, milliseconds: 1000 });
        return answered();
    };
    const selects = document.querySelectorAll("#data-part select, #network-part select");
    for (const { id, value: before, options } of selects) {
        for (const value of Array.from(options, (each) => each.value)) {
            const { train } = await choose(id, value), { told } = field(id).dataset;
            const learns = value === "own" || Number.isFinite(train.loss);
            if (!learns || !told.endsWith(".")) bad.push([id, value, train?.loss, told]);
        }
        await choose(id, before);
    }
    return bad;
}"""


def test_every_choice_trains_and_is_explained(shared: Opened) -> None:
    here = shared.choose("layers=3tanh,2relu&features=x1,x2,sin1&rate=0.01")
    assert here.page.evaluate("document.querySelectorAll('#network-part select').length") > 12
    bad: list[Any] = here.page.evaluate(_EVERY_CHOICE)
    assert bad == []
