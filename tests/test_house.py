"""The house: imports go down its floors only, rooms are small, and tests mirror the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).parents[1]
TREES = {"chainc": ROOT / "compiler" / "chainc", "chainrule": ROOT / "src" / "chainrule"}
MIRRORS = {"compiler": TREES["chainc"], "chainrule": TREES["chainrule"]}

# The floor of each room of the compiler. A room reads lower floors and itself.
FLOORS = {
    "dataclass.py": 0,
    "ir": 1,
    "ops": 2,
    "loops": 2,
    "lowering": 3,
    "interpreters": 3,
    "rewriting": 3,
    "schedules": 4,
    "passes": 4,
    "autodiff.py": 4,
    "formulas": 4,
    "backends": 5,
    "drawing": 5,
    "driver.py": 6,
}

# Files that name each other, with the reason; none of the first reads the second while it loads.
MUTUAL = {
    ("chainc/ir/node.py", "chainc/ir/graph.py"): "an op can be made of a graph of others",
    ("chainc/ir/origin.py", "chainc/ir/node.py"): "a node has an origin, which speaks of nodes",
    ("chainc/ir/python/operators.py", "chainc/ir/node.py"): "operators of nodes give nodes",
    ("chainc/ir/python/copying.py", "chainc/ir/node.py"): "copies of nodes are nodes",
    ("chainc/ir/python/copying.py", "chainc/ir/origin.py"): "a node has an origin",
    ("chainrule/nn/module.py", "chainrule/nn/summary.py"): "a layer gives a summary of layers",
}

MOST_LINES = 400
MOST_THINGS = 13
MOST_TO_READ = 3_000  # lines of the reading core
REFUSED = re.compile(r"(^|_)(utils?|utilities|helpers?|misc|common|managers?)(_|$)")


# --- what reads what


def name_of(file: Path) -> str:
    """`chainc/ir/node.py` for that file, wherever the trees lie."""
    tree = next(tree for tree in TREES.values() if file.is_relative_to(tree))
    return file.relative_to(tree.parent).as_posix()


def file_of(module: str) -> Path | None:
    """Where a module of ours is written; None for one that is not ours."""
    package, *names = module.split(".")
    if package not in TREES:
        return None
    path = TREES[package].joinpath(*names)
    places = (path.with_suffix(".py"), path / "__init__.py")
    return next((place for place in places if place.is_file()), None)


def modules_read(source: str) -> Iterator[str]:
    """All that an import names, also inside functions and for types only: the longest names first.

    `from a import b` reads the module a.b, or the name b of the module a.
    """
    for found in ast.walk(ast.parse(source)):
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            whole = [f"{found.module}.{alias.name}" for alias in found.names]
            inner = [module for module in whole if file_of(module)]
            yield from inner or [f"{found.module}"]


@cache
def reads() -> networkx.DiGraph[str]:
    """Which file of the two trees reads which, but for those that name each other."""
    found: networkx.DiGraph[str] = networkx.DiGraph()
    for tree in TREES.values():
        for path in sorted(tree.rglob("*.py")):
            files = map(file_of, modules_read(path.read_text(encoding="utf-8")))
            found.add_edges_from((name_of(path), name_of(file)) for file in files if file)
    return found


def without_mutual(found: networkx.DiGraph[str]) -> networkx.DiGraph[str]:
    less = found.copy()
    less.remove_edges_from(MUTUAL)
    return less


def between_rooms(found: networkx.DiGraph[str]) -> networkx.DiGraph[str]:
    """The same between all folders, and the files beside them: what stands in one folder."""
    rooms: networkx.DiGraph[str] = networkx.DiGraph()
    for start, end in found.edges:
        a, b = start.split("/"), end.split("/")
        depth = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
        if depth is not None:
            rooms.add_edge("/".join(a[: depth + 1]), "/".join(b[: depth + 1]))
    return rooms


def circle(found: networkx.DiGraph[str]) -> list[str]:
    """The way around one circle; nothing where there is none."""
    try:
        return [start for start, _ in networkx.find_cycle(found)]
    except networkx.NetworkXNoCycle:
        return []


def misplaced(found: networkx.DiGraph[str]) -> list[str]:
    """Every import in the compiler that goes up, or to another room on the same floor."""
    return [
        f"{start} reads {end}"
        for start, end in sorted(found.edges)
        if all(name.startswith("chainc/") and name != "chainc/__init__.py" for name in (start, end))
        if not is_down(start.split("/")[1], end.split("/")[1])
    ]


def is_down(start: str, end: str) -> bool:
    return start == end or FLOORS[start] > FLOORS[end]


def graph(*edges: tuple[str, str]) -> networkx.DiGraph[str]:
    return networkx.DiGraph(edges)


# --- floors


def test_every_room_of_the_compiler_has_a_floor() -> None:
    rooms = {path.name for path in things_in(TREES["chainc"])}
    assert rooms == set(FLOORS)


def test_imports_go_down_the_floors() -> None:
    assert misplaced(reads()) == []


def test_an_import_that_goes_up_is_found() -> None:
    assert misplaced(graph(("chainc/ir/node.py", "chainc/ops/reduce.py"))) == [
        "chainc/ir/node.py reads chainc/ops/reduce.py"
    ]
    assert misplaced(graph(("chainc/ops/reduce.py", "chainc/loops/text.py"))) != []
    assert misplaced(graph(("chainc/ops/reduce.py", "chainc/ir/node.py"))) == []


def test_the_compiler_never_reads_the_front_end() -> None:
    up = [edge for edge in reads().edges if [name.split("/")[0] for name in edge] == list(TREES)]
    assert up == []


def test_imports_are_found_wherever_they_stand() -> None:
    source = (
        "import numpy, chainc.driver\n"
        "from chainc.ir import types, Node\n"
        "from chainc.ir import Node\n"
        "def later():\n    from chainrule.nn.summary import summarize\n"
    )
    assert list(modules_read(source)) == [
        "numpy",
        "chainc.driver",
        "chainc.ir.types",
        "chainc.ir",
        "chainrule.nn.summary",
    ]
    assert file_of("chainc.ir") == TREES["chainc"] / "ir" / "__init__.py"
    assert file_of("numpy") is None


# --- circles


def test_no_files_read_each_other() -> None:
    assert circle(without_mutual(reads())) == []


def test_no_rooms_read_each_other() -> None:
    assert circle(between_rooms(without_mutual(reads()))) == []


@pytest.mark.parametrize("edge", MUTUAL)
def test_files_that_name_each_other_still_do(edge: tuple[str, str]) -> None:
    found = reads()
    assert found.has_edge(*edge)
    assert networkx.has_path(found, *reversed(edge))


def test_a_circle_between_rooms_is_found() -> None:
    edges = [("a/x/1.py", "a/y/1.py"), ("a/y/2.py", "a/x/2.py")]
    assert circle(graph(*edges)) == []
    assert set(circle(between_rooms(graph(*edges)))) == {"a/x", "a/y"}


# --- size and names


def things_in(folder: Path) -> list[Path]:
    """The modules and folders of code in a folder."""
    return [
        path
        for path in sorted(folder.iterdir())
        if (path / "__init__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__")
    ]


def folders() -> list[Path]:
    """Every room of the two trees; what a tree itself holds are rooms, not things."""
    return sorted(file.parent for tree in TREES.values() for file in tree.rglob("*/__init__.py"))


def test_a_room_can_be_seen_at_a_glance() -> None:
    full = {
        name_of(folder): len(things_in(folder))
        for folder in folders()
        if len(things_in(folder)) > MOST_THINGS
    }
    assert full == {}


def test_no_file_is_long() -> None:
    files = [file for tree in (*TREES.values(), ROOT / "tests") for file in tree.rglob("*.py")]
    long = {str(file): count for file in files if (count := lines_of(file)) > MOST_LINES}
    assert long == {}


def lines_of(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def test_names_say_what_is_inside() -> None:
    files = [file for tree in (*TREES.values(), ROOT / "tests") for file in tree.rglob("*")]
    assert [str(file) for file in files if REFUSED.search(file.stem)] == []
    assert REFUSED.search("string_utils")
    assert REFUSED.search("helpers")
    assert not REFUSED.search("commonmark")


@pytest.mark.parametrize("name", MIRRORS)
def test_tests_stand_where_the_code_does(name: str) -> None:
    tests, tree = ROOT / "tests" / name, MIRRORS[name]
    rooms = {file.parent.relative_to(tests) for file in tests.rglob("test_*.py")}
    assert [str(room) for room in sorted(rooms) if not (tree / room).is_dir()] == []


# --- the reading core


def reading_core() -> list[Path]:
    """The files in the table under its heading in the anatomy."""
    anatomy = (ROOT / "docs" / "anatomy.md").read_text(encoding="utf-8")
    section = anatomy.partition("\n## The reading core\n")[2].partition("\n## ")[0]
    return [TREES["chainc"] / name for name in re.findall(r"^\| `([^`]+)`", section, re.M)]


def test_the_reading_core_is_an_afternoon() -> None:
    core = reading_core()
    assert len(core) > MOST_THINGS
    assert [str(file) for file in core if not file.is_file()] == []
    assert len(set(core)) == len(core)
    assert sum(map(lines_of, core)) <= MOST_TO_READ
