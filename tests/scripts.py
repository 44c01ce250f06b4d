"""Scripts of exported programs, run in a browser by what a test adds to them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tests.browser import OpenPage

PAGE = """\
<!DOCTYPE html><meta charset="utf-8"><pre></pre><script type="module">
{script}
const wasm = {modules}.map((text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0)));
const show = async () => {{ {use} }};
show().then((found) => {{ document.querySelector("pre").textContent = JSON.stringify(found); }});
</script>
"""


def computed_by_script(open_page: OpenPage, folder: Path, name: str, use: str) -> object:
    """What a script finds with the exported one before it."""
    files = (f"{name}.wasm", f"{name}.fused.wasm")
    modules = [base64.b64encode((folder / file).read_bytes()).decode() for file in files]
    script = (folder / f"{name}.js").read_text()
    text = PAGE.format(script=script, modules=json.dumps(modules), use=use)
    (folder / "test.html").write_text(text)
    page = open_page(folder / "test.html")
    page.wait_for_function("document.querySelector('pre').textContent")
    return json.loads(page.inner_text("pre"))
