"""What the documents say is done: their Python, what it prints, their links and their pictures.

The ```python fences of a document run in order, in one namespace, in an empty folder. What a fence
prints stands in the ```text fence after it; of a long output, consecutive lines stand in a fence
marked `excerpt`. A fence marked with what its text needs, such as `avx512`, is compared where that
is there. The files that a page shows from the folder of its name under docs/pictures are those that
its programs save. `pytest --update-golden` writes the ```text fences and the pictures anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from docs import make_pictures, programs
from docs.pages import PAGES
from docs.programs import FENCE, PICTURES, fences
from tests.legibility import problems

from chainc.backends.llvm.processors.native import host
from chainc.ir import REGISTRY
from chainc.schedules.layout.machine import AVX512

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "examples", "src", "compiler", "tests")
RUN = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Their programs train for seven seconds and more: each night, not each day.
LONG = ("deep_convolutional", "holding_back", "normalisation", "optimizers", "overfitting")
SHOWN = [
    pytest.param(path, id=path.name, marks=[pytest.mark.nightly] if path.stem in LONG else [])
    for path in RUN
]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md")),
]

DRAWN = sorted((ROOT / "docs").rglob("*.svg"))

# What a text can need, by the mark of its fence.
NEEDS: Mapping[str, Callable[[], bool]] = {
    "avx512": lambda: host().machine == AVX512,
    "linker": lambda: shutil.which("cc") is not None,
}
NUMBER = re.compile(r"\d")
SHOWS = re.compile(r"assert |\.save\(")
LINK = re.compile(r'\]\((?P<target>[^)\s]+)\)|(?:src|href)="(?P<attribute>[^"]+)"')
MACHINE = re.compile(r"/(?:work|tmp|home|root|usr|opt|mnt|Users)/|[A-Z]:\\|\.\./shared|file://")


def is_stated(language: str, mark: str) -> bool:
    """Does the fence hold all that a program prints here?"""
    return language == "text" and (not mark or (mark in NEEDS and NEEDS[mark]()))


@pytest.fixture
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder, and no op of a document's own in the registry afterwards."""
    known = dict(REGISTRY)
    monkeypatch.chdir(tmp_path)
    yield
    REGISTRY.clear()
    REGISTRY.update(known)


@pytest.mark.usefixtures("_own_surroundings")
@pytest.mark.parametrize("path", SHOWN)
def test_programs_print_what_the_document_says(path: Path, request: pytest.FixtureRequest) -> None:
    document = path.read_text(encoding="utf-8")
    printed = programs.outputs(document, path.name)
    if request.config.getoption("--update-golden"):
        document = with_outputs(document, printed)
        path.write_text(document, encoding="utf-8")
    unstated = silent = ""
    for fence, output in zip(fences(document), printed, strict=True):
        where = f"{path.name}:{fence.line}"
        if fence.is_program:
            assert not unstated, f"{where}: what the program before it prints is nowhere"
            silent = "" if output or SHOWS.search(fence.text) else where
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
    assert not silent, f"{silent}: nothing is shown of what the program declares"
    if request.config.getoption("--update-golden"):
        programs.keep_pictures(path, Path())
    check_pictures(path)


def check_pictures(page: Path) -> None:
    """What the page shows is what its programs have just saved here."""
    for file in programs.shown(page):
        kept = PICTURES / page.stem / file
        assert Path(file).exists(), f"{page.name} shows {file}, which no program of it saves"
        assert kept.exists(), f"{kept} is missing: run python -m docs.programs {page.name}"
        assert content(Path(file)) == content(kept), f"run python -m docs.programs {page.name}"


def content(path: Path) -> object:
    """What must stay the same in a picture or a page.

    Of a plot these are the words: what is trained differs in its last bits between processors, and
    so do the numbers at the axes.
    """
    if path.suffix != ".svg":
        return path.read_text(encoding="utf-8")
    words = texts(path)
    return {word for word in words if not NUMBER.search(word)} if is_plot(path) else words


def is_plot(path: Path) -> bool:
    return '<g id="figure_1">' in path.read_text(encoding="utf-8")


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
        if linked.name in PAGES:  # which the site gets when it is built
            assert linked.resolve().parent == ROOT / "docs", f"{path.name} links to {target}"
            continue
        assert linked.exists(), f"{path.name} links to {target}, which does not exist"
        assert not heading or heading in headings(linked), f"{path.name}: no heading {target}"


def headings(path: Path) -> set[str]:
    """The anchors that a reader of Markdown makes of the headings."""
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "path", [*DOCUMENTS, *sorted(PICTURES.rglob("*.svg"))], ids=lambda p: p.name
)
def test_no_document_names_a_place_on_a_machine(path: Path) -> None:
    found = MACHINE.search(path.read_text(encoding="utf-8"))
    assert found is None, f"{path.name}: {found}"


@pytest.fixture(scope="module")
def drawn_today(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures that the program draws today."""
    folder = tmp_path_factory.mktemp("drawn")
    make_pictures.make(folder)
    return folder


def test_pictures_are_those_that_the_program_draws_today(
    drawn_today: Path, request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--update-golden"):
        make_pictures.make(PICTURES)
    kept, drawn = (
        {path.name: texts(path) for path in folder.glob("*.svg")}
        for folder in (PICTURES, drawn_today)
    )
    assert kept == drawn, "run python -m docs.make_pictures, and look"


def texts(picture: Path) -> list[str]:
    """The words in it; where they stand may differ between versions of Graphviz."""
    elements = ET.parse(picture).getroot().iter("{http://www.w3.org/2000/svg}text")
    return sorted("".join(element.itertext()) for element in elements)


def test_pictures_are_the_same_in_another_process(drawn_today: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "docs.make_pictures", str(tmp_path)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "1"}, cwd=ROOT)
    for path in sorted(drawn_today.iterdir()):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_every_picture_is_shown_somewhere() -> None:
    shown = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    for picture in (path for path in PICTURES.rglob("*") if path.is_file()):
        name = picture.relative_to(PICTURES).as_posix()
        assert f"pictures/{name}" in shown, f"no document shows {name}"


@pytest.mark.parametrize("path", DRAWN, ids=lambda path: str(path.relative_to(ROOT / "docs")))
def test_no_label_of_a_picture_overlaps_another_or_is_cut(path: Path) -> None:
    assert problems(path.read_text("utf-8")) == []
