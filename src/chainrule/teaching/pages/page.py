"""One self-contained HTML file of this package's styles and scripts."""

from __future__ import annotations

from importlib.resources import files

from chainc.backends.standalone.web.sealed import sealed_page
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
        computes: it runs WebAssembly, in a worker of the text that the data have under "worker".
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
        return sealed_page(
            self.title,
            self.body,
            style=style,
            script=script,
            data=self.data,
            computes=self.computes,
        )

    def _asset(self, name: str) -> str:
        return asset(self.package, name)


def asset(package: str, name: str) -> str:
    """The text of a file beside the modules of a package."""
    return (files(package) / name).read_text("utf-8")
