"""Sums of rows that lie apart: several vectors of each row side by side, and the same bits."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc.backends.llvm.processors.native import host
from chainc.ir import Node
from chainc.ir.types import Array, float32
from chainc.schedules.reduction import operand

SHAPES = [(40, 64), (40, 48), (5, 9, 32), (3000, 32)]


def scaled(x: Node) -> Node:
    return cr.sum(x * 3, axis=0)


def several(x: Node) -> Node:
    return cr.sum(x, axis=0) * cr.max(x, axis=0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("fold", [lambda x: cr.sum(x, axis=0), scaled, several, cr.var])
def test_no_bit_depends_on_how_many_lie_side_by_side(
    shape: tuple[int, ...], fold: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(fold)
    y, x = fold(cr.input("x", shape)), np.random.default_rng(0).normal(size=shape)

    def run(values: int) -> Array:
        monkeypatch.setattr(operand, "MOST_VALUES", values)
        return np.asarray(cr.compile(y)(x=x.astype(np.float32)))

    assert np.array_equal(run(8), run(0))


@pytest.mark.parametrize(("vectors", "at_once"), [(32, 4), (6, 2), (1, 1)])
def test_lines_of_the_cache_are_read_whole(vectors: int, at_once: int) -> None:
    lanes = host().machine.lanes(float32)
    loops = cr.compile(cr.sum(cr.input("x", (40, vectors * lanes)), axis=0)).loops
    assert f"f32x{at_once * lanes} = load x" in loops


def test_few_operations_on_what_is_folded_leave_room_for_several() -> None:
    """A sum of squares of differences is of as many vectors as registers hold twice."""
    machine = host().machine
    x = cr.input("x", (40, 32 * machine.lanes(float32)))
    (loops,) = [
        nest for nest in cr.compile(cr.var(x, 0)).loops.split("\n\n") if "difference" in nest
    ]
    assert f"f32x{machine.registers // 8 * machine.lanes(float32)} = load x" in loops
