"""KaTeX, which reads LaTeX's formulas as strictly as TeX does: an oracle for derivations.

The package sphinxcontrib-katex brings `katex.min.js`; the environment variable KATEX may name
another copy. It runs in Node.js, of the system or of Playwright.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_RUN = """
const katex = require(process.argv[1]);
const formulas = JSON.parse(require("fs").readFileSync(0, "utf8"));
const failures = [];
for (const [formula, display] of formulas) {
  try {
    katex.renderToString(formula, {displayMode: display, throwOnError: true, strict: (code) =>
      code === "unicodeTextInMathMode" || code === "unknownSymbol" ? "error" : "ignore"});
  } catch (error) {
    failures.push(formula + ": " + error.message);
  }
}
console.log(JSON.stringify(failures));
"""


def failures(text: str) -> list[str]:
    """The formulas of a Markdown or LaTeX text that KaTeX refuses, each with its reason."""
    node, script = _node(), _script()
    if node is None or script is None:
        pytest.skip("needs Node.js and KaTeX: pip install sphinxcontrib-katex playwright")
    found = subprocess.run(
        [node, "-e", _RUN, str(script)],
        input=json.dumps(formulas(text)),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    refused: list[str] = json.loads(found.stdout)
    return refused


def formulas(text: str) -> list[tuple[str, bool]]:
    """Every formula of a text, and whether it is displayed."""
    pattern = r"\$\$(?P<block>.*?)\$\$|\\\[(?P<display>.*?)\\\]|(?<!\\)\$(?P<inline>[^$]+)\$"
    return [
        (match["inline"] or match["block"] or match["display"], match["inline"] is None)
        for match in re.finditer(pattern, text, re.DOTALL)
    ]


def _node() -> str | None:
    system = shutil.which("node")
    package = importlib.util.find_spec("playwright")
    if system or package is None or package.origin is None:
        return system
    bundled = Path(package.origin).parent / "driver" / "node"
    return str(bundled) if bundled.exists() else None


def _script() -> Path | None:
    if "KATEX" in os.environ:
        return Path(os.environ["KATEX"])
    if importlib.util.find_spec("sphinxcontrib") is None:
        return None
    package = importlib.util.find_spec("sphinxcontrib.katex")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).with_name("katex.min.js")
