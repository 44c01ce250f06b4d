"""The playground in Firefox: the same numbers as in Chromium, to the bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.chainrule.playgrounds.opening import Opened
from tests.firefox import firefox

_TRAINED = """new Promise((done) => {
    const wait = () => frame?.number === asked ? train() : setTimeout(wait, 20);
    const train = () => {
        take(stateOf("layers=3sigmoid,2elu&optimizer=adam&norm=batch&dropout=0.1").state, true);
        ask({ kind: "advance", epochs: 5, milliseconds: 60000 });
        setTimeout(look, 20);
    };
    const look = () => frame.number === asked && frame.epoch === 5
        ? done(JSON.stringify(Array.from(frame.parameters))) : setTimeout(look, 20);
    wait();
})"""


@pytest.mark.nightly
def test_firefox_trains_to_the_same_bits(shared: Opened, file: Path, tmp_path: Path) -> None:
    with firefox(tmp_path) as browser:
        browser.open(file)
        found: Any = browser.evaluate(_TRAINED)
        told = [event for event in browser.events if event["method"] == "log.entryAdded"]
        asked = [
            event["params"]["request"]["url"]
            for event in browser.events
            if event["method"] == "network.beforeRequestSent"
        ]
    assert told == []
    assert [url for url in asked if not url.startswith(("data:", "blob:", file.as_uri()))] == []
    assert found == json.loads(shared.page.evaluate(_TRAINED))
