"""Epochs of the playground in Chromium, beside plain JavaScript with an object for each neuron.

    python -m tests.benchmarks.playground

Spirals, 2-8-8-1 with tanh, batches of 10 of 256 rows, SGD: the same first weights and rows, in one
page. Times are the least of many, taken in turns.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.browser import ARGUMENTS, executable

from chainc.backends.standalone.web.sealed import worker_script
from chainrule.playgrounds.playground import program
from chainrule.teaching.pages.page import asset

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROUNDS, EPOCHS = 300, 200


def page() -> str:
    """Both networks, and what the compiler made."""
    parts = ("layout", "kernels", "data", "network", "step", "training")
    scripts = [asset("chainrule.playgrounds", f"worker/{part}.js") for part in parts]
    scripts.append((Path(__file__).parent / "playground_peer.js").read_text("utf-8"))
    text = worker_script(*scripts, f"const TOLD = {json.dumps(program())};")
    return f'<!DOCTYPE html><meta charset="utf-8"><script>{text}</script>'


def measured(browser: Browser, rounds: int, epochs: int) -> Mapping[str, Any]:
    """Milliseconds of an epoch: `ours` and `peer`; and how far `apart` they are after one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "race.html"
        path.write_text(page(), encoding="utf-8")
        opened = browser.new_page()
        opened.goto(path.as_uri())
        found: Mapping[str, Any] = opened.evaluate(f"raced(TOLD, {rounds}, {epochs})")
        opened.close()
    return found


def main() -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
        found = measured(browser, ROUNDS, EPOCHS)
        browser.close()
    per_second = {name: round(1000 / found[name]) for name in ("ours", "peer")}
    print("| | epochs a second |\n|---|---:|")
    print(f"| the playground | {per_second['ours']:,} |")
    print(f"| an object for each neuron and link | {per_second['peer']:,} |")
    print(f"\n{found['peer'] / found['ours']:.1f} times as many", file=sys.stderr)


if __name__ == "__main__":
    main()
