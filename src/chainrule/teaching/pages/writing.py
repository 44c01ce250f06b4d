"""Pages as files: what can be refused is refused before any work is done for it."""

from __future__ import annotations

from pathlib import Path

from chainc.ir.errors import ExportError
from chainrule.writing.atomic import write_atomically


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


def write_page(function: str, target: Path, html: str) -> None:
    """Write the file whole or not at all.

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
