"""What the documents say is done: their Python, what it prints, their links and their pictures.

The ```python fences of a document run in order, in one namespace, in an empty folder. What a fence
prints stands in the ```text fence after it; of a long output, consecutive lines stand in a fence
marked `excerpt`. A fence marked with what its text needs, such as `avx512`, is compared where that
is there. `pytest --update-golden` writes the ```text fences and the pictures anew.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from docs import make_pictures

from chainc.backends.llvm.jit import host
from chainc.ir import REGISTRY
from chainc.machine import AVX512

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
FOLDERS = ("docs", "examples", "src", "compiler", "tests")
RUN = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md")),
]

# What a text can need, by the mark of its fence.
NEEDS: Mapping[str, Callable[[], bool]] = {
    "avx512": lambda: host().machine == AVX512,
    "linker": lambda: shutil.which("cc") is not None,
}
FENCE = re.compile(r"^```(?P<language>\w*) ?(?P<mark>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
LINK = re.compile(r'\]\((?P<target>[^)\s]+)\)|(?:src|href)="(?P<attribute>[^"]+)"')
MACHINE = re.compile(r"/(?:work|tmp|home|root|usr|opt|mnt|Users)/|[A-Z]:\\|\.\./shared|file://")


@dataclass(frozen=True)
class Fence:
    """A block of a document; `line` is the number of its first line there."""

    language: str
    mark: str
    text: str
    line: int


def fences(document: str) -> Iterator[Fence]:
    for found in FENCE.finditer(document):
        line = document.count("\n", 0, found.start("text")) + 1
        yield Fence(found["language"], found["mark"], found["text"], line)


def is_program(fence: Fence) -> bool:
    return fence.language == "python" and not fence.mark


def is_stated(language: str, mark: str) -> bool:
    """Does the fence hold all that a program prints here?"""
    return language == "text" and (not mark or (mark in NEEDS and NEEDS[mark]()))


def run(fence: Fence, name: str, namespace: dict[str, object]) -> str:
    """What the fence prints; its nodes come from lines of the document."""
    code = compile("\n" * (fence.line - 1) + fence.text, name, "exec", dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(code, namespace)
    return output.getvalue()


def outputs(document: str, name: str) -> list[str]:
    """For every fence, what the last program up to it has printed."""
    namespace: dict[str, object] = {"__name__": name.removesuffix(".md")}
    printed, latest = [], ""
    for fence in fences(document):
        if is_program(fence):
            latest = run(fence, name, namespace)
        printed.append(latest)
    return printed


@pytest.fixture
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder, and no op of a document's own in the registry afterwards."""
    known = dict(REGISTRY)
    monkeypatch.chdir(tmp_path)
    yield
    REGISTRY.clear()
    REGISTRY.update(known)


@pytest.mark.usefixtures("_own_surroundings")
@pytest.mark.parametrize("path", RUN, ids=lambda path: path.name)
def test_programs_print_what_the_document_says(path: Path, request: pytest.FixtureRequest) -> None:
    document = path.read_text(encoding="utf-8")
    printed = outputs(document, path.name)
    if request.config.getoption("--update-golden"):
        document = with_outputs(document, printed)
        path.write_text(document, encoding="utf-8")
    unstated = ""
    for fence, output in zip(fences(document), printed, strict=True):
        where = f"{path.name}:{fence.line}"
        if is_program(fence):
            assert not unstated, f"{where}: what the program before it prints is nowhere"
            assert output or "assert " in fence.text, f"{where}: the program shows nothing"
            unstated = output
        elif fence.mark == "excerpt":
            assert textwrap.dedent(fence.text) in deeper(output, fence.text), (
                f"{where} is not there"
            )
            unstated = ""
        elif fence.language == "text":
            assert not fence.mark or fence.mark in NEEDS, where
            if is_stated(fence.language, fence.mark):
                assert fence.text.rstrip() == output.rstrip(), where
            unstated = ""
    assert not unstated, f"{path.name}: what the last program prints is nowhere"


def deeper(output: str, excerpt: str) -> str:
    """The output without the indentation that its lines of the excerpt share."""
    first = textwrap.dedent(excerpt).split("\n", 1)[0]
    found = re.search(rf"^( *){re.escape(first)}$", output, re.M)
    return re.sub(rf"^{found[1]}", "", output, flags=re.M) if found else output


def with_outputs(document: str, printed: list[str]) -> str:
    """The document with what its programs print in the ```text fences."""
    latest = iter(printed)

    def replaced(found: re.Match[str]) -> str:
        output = next(latest)
        head = found[0].split("\n", 1)[0]
        stated = is_stated(found["language"], found["mark"])
        return f"{head}\n{output.rstrip()}\n```" if stated else found[0]

    return FENCE.sub(replaced, document)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_of_documents_exist(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    targets = [found["target"] or found["attribute"] for found in LINK.finditer(text)]
    for target in targets:
        if re.match(r"https?:", target):
            continue
        file, _, heading = target.partition("#")
        linked = path.parent / file if file else path
        assert linked.exists(), f"{path.name} links to {target}, which does not exist"
        assert not heading or heading in headings(linked), f"{path.name}: no heading {target}"


def headings(path: Path) -> set[str]:
    """The anchors that a reader of Markdown makes of the headings."""
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", [*DOCUMENTS, *sorted(PICTURES.iterdir())], ids=lambda p: p.name)
def test_no_document_names_a_place_on_a_machine(path: Path) -> None:
    found = MACHINE.search(path.read_text(encoding="utf-8"))
    assert found is None, f"{path.name}: {found}"


def test_pictures_are_those_that_the_program_draws_today(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--update-golden"):
        make_pictures.make(PICTURES)
    make_pictures.make(tmp_path)
    assert texts(PICTURES) == texts(tmp_path), "run python -m docs.make_pictures, and look"


def texts(folder: Path) -> dict[str, list[str]]:
    """The words in every picture; where they stand may differ between versions of Graphviz."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        elements = ET.parse(path).getroot().iter("{http://www.w3.org/2000/svg}text")
        found[path.name] = sorted("".join(element.itertext()) for element in elements)
    return found


def test_pictures_are_the_same_in_another_process(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    make_pictures.make(here)
    command = [sys.executable, "-m", "docs.make_pictures", str(there)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "1"}, cwd=ROOT)
    for path in sorted(here.iterdir()):
        assert path.read_bytes() == (there / path.name).read_bytes(), path.name


def test_every_picture_is_shown_somewhere() -> None:
    shown = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    for picture in PICTURES.iterdir():
        assert f"pictures/{picture.name}" in shown, f"no document shows {picture.name}"
