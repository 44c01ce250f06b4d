"""The programs of a document: its ```python fences, run in order and in one namespace.

A fence with a mark, such as `excerpt`, is no program. What the programs of a page save into the
working folder, the page shows from the folder of its own name: `lectures/losses.md` saves
`penalties.svg` and shows `../pictures/losses/penalties.svg`.

python -m docs.programs PAGE...         runs pages and writes their pictures to docs/pictures/
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PICTURES = Path(__file__).parent / "pictures"
FENCE = re.compile(r"^```(?P<language>\w*) ?(?P<mark>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
SHOWN = re.compile(r'(?:\]\(|(?:src|href)=")(?:\.\./)*pictures/(?P<folder>\w+)/(?P<file>[\w.]+)')


@dataclass(frozen=True)
class Fence:
    """A block of a document; `line` is the number of its first line there."""

    language: str
    mark: str
    text: str
    line: int

    @property
    def is_program(self) -> bool:
        return self.language == "python" and not self.mark


def fences(document: str) -> Iterator[Fence]:
    for found in FENCE.finditer(document):
        line = document.count("\n", 0, found.start("text")) + 1
        yield Fence(found["language"], found["mark"], found["text"], line)


def outputs(document: str, name: str) -> list[str]:
    """For every fence, what the last program up to it has printed."""
    namespace: dict[str, object] = {"__name__": name.removesuffix(".md")}
    printed, latest = [], ""
    for fence in fences(document):
        if fence.is_program:
            latest = _run(fence, name, namespace)
        printed.append(latest)
    return printed


def _run(fence: Fence, name: str, namespace: dict[str, object]) -> str:
    """What the fence prints; its nodes come from lines of the document."""
    code = compile("\n" * (fence.line - 1) + fence.text, name, "exec", dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(code, namespace)
    return output.getvalue()


def shown(page: Path) -> list[str]:
    """The files that a page shows of those that its programs save."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return sorted({found["file"] for found in SHOWN.finditer(text) if found["folder"] == page.stem})


def keep_pictures(page: Path, folder: Path) -> None:
    """Copy what a page shows of the files that its programs left in `folder`."""
    target = PICTURES / page.stem
    shutil.rmtree(target, ignore_errors=True)
    for file in shown(page):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / file, target / file)


def make(page: Path) -> None:
    """Run a page, and keep the pictures that it shows."""
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.chdir(folder):
            outputs(page.read_text(encoding="utf-8"), page.name)
        keep_pictures(page, Path(folder))


if __name__ == "__main__":
    for path in sys.argv[1:]:
        make(Path(path).resolve())
