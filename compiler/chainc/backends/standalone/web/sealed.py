"""One HTML file with all that it needs inside, and nothing else let in.

The content-security policy allows exactly the style and the script written here, by their hashes:
no request leaves the page, no attribute runs, and a label that holds markup stays text. What takes
long is done in a worker, whose text stands in the page, so that the page answers meanwhile.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from pathlib import Path


def sealed_page(
    title: str, body: str, *, style: str, script: str, data: object, computes: bool = False
) -> str:
    """The whole file.

    Args:
        title: plain text.
        body: markup; every text in it that comes from outside has been escaped.
        style: of all that is shown.
        script: which runs at the end.
        data: what it reads as `JSON.parse(document.getElementById("data").textContent)`.
        computes: the data are named `TOLD`, and there is a `worker` of the text in `TOLD.worker`,
            which may run WebAssembly.
    """
    computing = ""
    if computes:
        script = f"{_text('beside.js')}{script}"
        computing = " 'wasm-unsafe-eval'; worker-src blob:"
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}{computing}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
{body}
<script type="application/json" id="data">{_inert_json(data)}</script>
<script>{script}</script>
</body>
</html>
"""


def worker_script(*scripts: str) -> str:
    """The text of a worker: what is asked of it is done by the one of its `ACTIONS` of that kind.

    Modules become plain scripts: a page opened from disk may have no worker of modules.
    """
    plain = re.sub(r"^export ", "", "\n".join(scripts), flags=re.MULTILINE)
    return _text("answering.js") + plain.replace("import.meta.url", "location.href")


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inert_json(data: object) -> str:
    """JSON in which nothing ends the script element or begins a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
