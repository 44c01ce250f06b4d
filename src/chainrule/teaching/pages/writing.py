"""Pages as files: what can be refused is refused before any work is done for it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from chainc.ir.errors import ExportError
from chainrule.writing.atomic import write_atomically

if TYPE_CHECKING:
    AnyPath = Path
else:
    AnyPath = type(Path())  # before Python 3.12 only the system's own kind can be subclassed


class PageFile(AnyPath):
    """The path of a page that was written; a notebook shows the page itself."""

    def _repr_html_(self) -> str:
        """The page in a frame of its own, where its policy holds and nothing outside is reached."""
        try:
            content = self.read_text(encoding="utf-8")
        except OSError:
            return f"<code>{escape(str(self))}</code>"
        return (
            f'<iframe srcdoc="{escape(content)}" title="{escape(self.name)}" '
            'sandbox="allow-scripts" '
            'style="width: 100%; height: 720px; border: 1px solid #888"></iframe>'
        )


def check_target(function: str, target: Path) -> None:
    """Refuse a path where no page can be written.

    Raises:
        ExportError: it is a folder, in none that exists, or no name for a page; `function: ...`.
    """
    if target.is_dir():
        raise ExportError(
            f"{function}: cannot write {target}: it is a folder",
            hint=f'name a file in it, such as path="{function}.html"',
        )
    if not target.parent.is_dir():
        raise ExportError(
            f"{function}: cannot write {target}: there is no folder {target.parent}",
            hint="make the folder first, or give a path in one that exists",
        )
    if target.suffix.lower() not in (".html", ".htm"):
        raise ExportError(
            f"{function}: cannot write {target}: it is no name for a page",
            hint="choose a name that ends in .html",
        )


def write_page(function: str, target: Path, html: str) -> PageFile:
    """Write the file whole or not at all, and give its path.

    Raises:
        ExportError: it cannot be written.
    """
    try:
        write_atomically(target, html.encode("utf-8", "replace"), durable=False)
    except OSError as error:
        raise ExportError(
            f"{function}: cannot write {target}: {error.strerror or error}",
            hint="choose a folder that is yours to write, on a disk that has room",
        ) from error
    return PageFile(target)
