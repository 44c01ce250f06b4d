"""Can a page be used without seeing it, and read by who sees little?

`axe_findings` needs axe-core: `npm pack axe-core`, and the path of its `axe.min.js` in
$CHAINRULE_AXE.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

_FAINT = """() => {
    const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const weigh = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
    const light = (rgb) => weigh(rgb.slice(0, 3).map(channel));
    const parsed = (text) => text.match(/[\\d.]+/g).map(Number);
    const behind = (e) => { for (; e; e = e.parentElement) {
        const found = parsed(getComputedStyle(e).backgroundColor);
        if (found.length < 4 || found[3] > 0) return found.slice(0, 3);
    } return [255, 255, 255]; };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), bad = [];
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
        if (element.closest("script, :disabled, [aria-hidden=true]")) continue;
        const a = light(parsed(getComputedStyle(element).color)), b = light(behind(element));
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) bad.push([element.outerHTML.slice(0, 80), ratio]);
    }
    return bad;
}"""


def named_controls(page: Page) -> list[tuple[str, str]]:
    """Role and name of all that takes the focus, as Chromium tells a screen reader."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if any(each["name"] == "focusable" for each in node.get("properties", ()))
        and node["role"]["value"] != "RootWebArea"
    ]


def faint_text(page: Page) -> list[tuple[str, float]]:
    """What is written with a contrast of less than 4.5, and with which."""
    found: list[tuple[str, float]] = page.evaluate(_FAINT)
    return found


def axe_script() -> str | None:
    """axe-core, if there is one on this machine."""
    path = os.environ.get("CHAINRULE_AXE")
    return Path(path).read_text("utf-8") if path else None


def axe_findings(page: Page, script: str) -> list[str]:
    """What axe-core finds wrong: the rule, and the elements."""
    page.evaluate(script)
    found: list[str] = page.evaluate(
        "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"
        ".map((each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 80))}`)"
    )
    return found
