"""One self-contained HTML file: its style, its script and its data inside, and nothing else let in.

The content-security policy allows exactly the style and the script written here, by their hashes:
no request leaves the page, no attribute runs, and a label that holds markup stays text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from importlib.resources import files

from chainc.dataclass import dataclass

BASE_STYLE = "base.css"
_HERE = __package__ or ""


@dataclass(frozen=True)
class Page:
    """What makes a page.

    Attributes:
        title: plain text.
        body: markup; every text in it that comes from outside has been escaped.
        styles: names of `.css` files; `base.css` comes first by itself.
        scripts: names of `.js` files, run in this order as one script.
        data: what the script reads as `JSON.parse(document.getElementById("data").textContent)`.
        package: beside whose modules those files lie.
        computes: it runs WebAssembly, in a worker that it makes of its own text.
    """

    title: str
    body: str
    styles: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    data: object = None
    package: str = _HERE
    computes: bool = False

    def html(self) -> str:
        """The whole file."""
        style = "\n".join((asset(_HERE, BASE_STYLE), *map(self._asset, self.styles)))
        script = "\n".join(map(self._asset, self.scripts))
        computing = " 'wasm-unsafe-eval'; worker-src blob:" if self.computes else ""
        policy = (
            f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}{computing}; "
            "img-src data:; base-uri 'none'; form-action 'none'"
        )
        title = escape(self.title)
        return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{self.body}
<script type="application/json" id="data">{_inert_json(self.data)}</script>
<script>{script}</script>
</body>
</html>
"""

    def _asset(self, name: str) -> str:
        return asset(self.package, name)


def asset(package: str, name: str) -> str:
    """The text of a file beside the modules of a package."""
    return (files(package) / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inert_json(data: object) -> str:
    """JSON in which nothing ends the script element or begins a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
