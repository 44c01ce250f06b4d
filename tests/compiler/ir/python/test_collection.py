"""Garbage in cycles is looked for again after a compile, as it was before."""

from __future__ import annotations

import gc

import pytest

import chainrule as cr
from chainc import driver
from chainc.ir import Graph
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
