"""Garbage in cycles is looked for again after a compile, as it was before."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

import chainrule as cr
from chainc import driver
from chainc.ir import Graph
from chainc.ir.python import collection
from chainc.ir.python.collection import without_collection
from chainc.passes import Pass


def test_it_is_off_inside_and_on_again() -> None:
    assert gc.isenabled()
    with without_collection():
        assert not gc.isenabled()
        with without_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_who_has_turned_it_off_finds_it_so() -> None:
    gc.disable()
    try:
        with without_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def searches(count: int) -> tuple[int, int, int]:
    """How often Python looks through young, middle-aged and all objects after so many are made."""
    gc.collect()
    found: list[int] = []

    def noted(phase: str, told: dict[str, int]) -> None:
        if phase == "start":
            found.append(told["generation"])

    with without_collection():
        kept = [[number] for number in range(count)]
        gc.callbacks.append(noted)
    kept.append([count])
    gc.callbacks.remove(noted)
    return found.count(0), found.count(1), found.count(2)


@pytest.fixture
def thawed() -> Iterator[None]:
    """The tests freeze what pytest has collected."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("thawed")
def test_what_was_made_is_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "_unseen", [0])
    assert searches(collection.FEW + 100) == (0, 0, 0)
    assert sum(searches(collection.FEW // 2)) == 1  # as Python does it
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("thawed")
def test_after_many_objects_all_are_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "_unseen", [0])
    monkeypatch.setattr(collection, "FEW", 100)
    monkeypatch.setattr(collection, "MOST", 2000)
    assert searches(1500) == (0, 0, 0)
    with without_collection():
        late = weakref.ref(Cycle())
        kept = [[number] for number in range(1500)]
    assert late() is None
    assert kept


def test_what_the_user_has_frozen_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "FEW", 100)
    gc.freeze()
    before = gc.get_freeze_count()
    with without_collection():
        kept = [[number] for number in range(200)]
    assert gc.get_freeze_count() >= before > 0
    assert kept


@pytest.mark.parametrize("fails", [False, True])
def test_a_compile_is_without_it_and_gives_it_back(fails: bool) -> None:
    found: list[bool] = []

    def noted(graph: Graph) -> Graph:
        found.append(gc.isenabled())
        if fails:
            raise RuntimeError("a pass that fails")
        return graph

    graph = Graph((cr.input("x", (2,)) + 1,))
    try:
        driver.compile_function(graph, [Pass("noted", noted)], driver.TARGETS["numpy"])
        assert not fails
    except RuntimeError:
        assert fails
    assert found == [False]
    assert gc.isenabled()
