"""Where elements lie: every address of a view against NumPy, on storage with a number in each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.native import positions

from chainc.ir.movements import Broadcast, Flip, Movement, Permute, Reshape, Slice
from chainc.ir.types import Dim, Shape, TensorType, float32, multiply, named
from chainc.loops.values import Affine, Index, Parameter, Rows, affine
from chainc.lowering.views import Buffer, Panels, View
from chainc.schedules.layout.access import (
    Access,
    Capacity,
    PanelPosition,
    UnboundError,
    access,
    bound_of,
    storage_size,
)

BATCH, TIME = named("batch"), named("time")
Integers = npt.NDArray[np.int64]


def buffer(*shape: Dim, panels: Panels | None = None) -> Buffer:
    return Buffer("b", TensorType(shape, float32), panels=panels)


def whole(of: Buffer) -> View:
    return View(of, of.type)


def found(view: View, rows: int = 1) -> Access:
    return access(view, Parameter("b", float32), Capacity({"batch": rows}))


def addresses(of: Access, shape: tuple[int, ...]) -> Integers:
    """The position of every element, from a point with a number along each axis."""
    result = np.empty(shape, np.int64)
    for index in np.ndindex(*shape):
        point = tuple(_place(of, axis, i) for axis, i in enumerate(index))
        position = of.address(point).position
        assert not position.terms
        result[index] = position.constant
    return result


def _place(of: Access, axis: int, i: int) -> Affine | PanelPosition:
    """Along panels a position is split, every other time."""
    if of.splits(axis) and i % 2:
        return PanelPosition(affine(i // of.lanes), affine(i % of.lanes), of.lanes)
    return affine(i)


def stored(of: Buffer, rows: int = 1) -> Integers:
    """Where each element of a buffer lies, by the formula in the docstring of `Panels`."""
    return positions(of, Capacity({"batch": rows}).shape(of.type.shape), rows)


LAYOUTS = pytest.mark.parametrize(
    "panels",
    [None, *(Panels(axis, 4, gap) for axis in range(3) for gap in (0, 1)), Panels(0, 4, 1, (2, 1))],
    ids=str,
)


@LAYOUTS
def test_whole_buffers(panels: Panels | None) -> None:
    of = buffer(3, 5, 6, panels=panels)
    np.testing.assert_array_equal(addresses(found(whole(of)), (3, 5, 6)), stored(of))
    largest = int(stored(of).max())
    assert largest < storage_size(of, Capacity({})) <= 2 * (largest + 8)


@LAYOUTS
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_permutations(panels: Panels | None, axes: tuple[int, ...]) -> None:
    of = buffer(3, 5, 6, panels=panels)
    shape = tuple(of.type.shape[axis] for axis in axes)
    moved = found(whole(of).moved(Permute(shape, axes=axes)))
    wanted = stored(of).transpose(axes)
    np.testing.assert_array_equal(addresses(moved, wanted.shape), wanted)


@LAYOUTS
def test_broadcasts(panels: Panels | None) -> None:
    of = buffer(3, 1, 6, panels=panels)
    moved = found(whole(of).moved(Broadcast((2, 3, 5, 6))))
    wanted = np.broadcast_to(stored(of), (2, 3, 5, 6))
    np.testing.assert_array_equal(addresses(moved, (2, 3, 5, 6)), wanted)


def test_a_broadcast_axis_of_panels_is_no_panel_any_more() -> None:
    of = buffer(3, 1, panels=Panels(1, 4))
    moved = found(whole(of).moved(Broadcast((3, 7))))
    assert moved.panels is None
    np.testing.assert_array_equal(addresses(moved, (3, 7)), np.broadcast_to(stored(of), (3, 7)))


@LAYOUTS
def test_slices_of_other_axes(panels: Panels | None) -> None:
    of = buffer(9, 8, 7, panels=panels)
    axis = 0 if panels is None or panels.axis else 1
    starts, stops, steps = [0, 0, 0], [9, 8, 7], [1, 1, 1]
    starts[axis], stops[axis], steps[axis] = 1, 7, 3
    cut = tuple(map(slice, starts, stops, steps))
    wanted = stored(of)[cut]
    movement = Slice(wanted.shape, tuple(starts), tuple(stops), tuple(steps))
    np.testing.assert_array_equal(addresses(found(whole(of).moved(movement)), wanted.shape), wanted)


@LAYOUTS
def test_flips_of_other_axes(panels: Panels | None) -> None:
    of = buffer(3, 5, 6, panels=panels)
    axes = tuple(axis for axis in range(3) if panels is None or axis != panels.axis)
    moved = found(whole(of).moved(Flip(of.type.shape, axes=axes)))
    wanted = np.flip(stored(of), axes)
    np.testing.assert_array_equal(addresses(moved, wanted.shape), wanted)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((6, 4), (24,)),
        ((24,), (2, 3, 4)),
        ((2, 3, 4), (6, 4)),
        ((2, 3, 4), (2, 12)),
        ((2, 1, 3), (1, 2, 3, 1)),
        ((1, 1), ()),
        ((), (1, 1, 1)),
        ((4, 6, 5), (2, 2, 3, 2, 5)),
    ],
)
def test_reshapes(old: tuple[int, ...], new: tuple[int, ...]) -> None:
    moved = found(whole(buffer(*old)).moved(Reshape(new)))
    wanted = stored(buffer(*old)).reshape(new)
    np.testing.assert_array_equal(addresses(moved, new), wanted)


def test_a_reshape_may_put_axes_of_one_beside_panels() -> None:
    of = buffer(3, 6, panels=Panels(1, 4))
    moved = found(whole(of).moved(Reshape((3, 1, 6, 1))))
    assert moved.panels == 2
    np.testing.assert_array_equal(addresses(moved, (3, 1, 6, 1)), stored(of)[:, None, :, None])


def test_an_empty_reshape_has_no_addresses() -> None:
    moved = found(whole(buffer(0, 3)).moved(Reshape((3, 0, 2))))
    assert moved.strides == (0, 0, 0)


Step = Callable[[st.DataObject, View, Integers], tuple[View, Integers]]


def _permute(data: st.DataObject, view: View, at: Integers) -> tuple[View, Integers]:
    axes = tuple(data.draw(st.permutations(range(at.ndim))))
    moved = at.transpose(axes)
    return view.moved(Permute(moved.shape, axes=axes)), moved


def _cut(data: st.DataObject, view: View, at: Integers) -> tuple[View, Integers]:
    starts = tuple(data.draw(st.integers(0, n - 1)) for n in at.shape)
    steps = tuple(data.draw(st.integers(1, 3)) for _ in at.shape)
    moved = at[tuple(slice(a, None, s) for a, s in zip(starts, steps, strict=True))]
    return view.moved(Slice(moved.shape, starts, at.shape, steps)), moved


def _flip(data: st.DataObject, view: View, at: Integers) -> tuple[View, Integers]:
    axes = tuple(data.draw(st.sets(st.integers(0, at.ndim - 1))))
    return view.moved(Flip(at.shape, axes=axes)), np.flip(at, axes)


def _widen(data: st.DataObject, view: View, at: Integers) -> tuple[View, Integers]:
    shape = (2, *(3 if n == 1 and data.draw(st.booleans()) else n for n in at.shape))
    return view.moved(Broadcast(shape)), np.broadcast_to(at, shape)


@given(st.data())
def test_chains_of_movements(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=2, max_size=3)))
    view, at = whole(buffer(*shape)), stored(buffer(*shape))
    for _ in range(data.draw(st.integers(1, 4))):
        step: Step = data.draw(st.sampled_from([_permute, _cut, _flip, _widen]))
        view, at = step(data, view, at)
    np.testing.assert_array_equal(addresses(found(view), at.shape), at)


# rows that are known at run time only


@pytest.mark.parametrize("panels", [None, Panels(1, 4), Panels(0, 4)])
def test_strides_follow_from_the_capacity(panels: Panels | None) -> None:
    of = buffer(BATCH, 6, panels=panels)
    at = addresses(found(whole(of), rows=10), (10, 6))
    np.testing.assert_array_equal(at, stored(of, rows=10))


def test_rows_may_be_split_off_and_joined_again() -> None:
    of = buffer(multiply(BATCH, 6))
    split = whole(of).moved(Reshape((BATCH, 2, 3)))
    assert found(split, rows=5).strides == (6, 3, 1)
    joined = split.moved(Reshape((multiply(BATCH, 2), 3)))
    assert found(joined, rows=5).strides == (3, 1)
    wanted = np.arange(30).reshape(5, 2, 3)
    np.testing.assert_array_equal(addresses(found(split, rows=5), (5, 2, 3)), wanted)


def test_positions_along_rows_are_variables() -> None:
    row = Index("row")
    at = found(whole(buffer(BATCH, 6)), rows=9).address((affine(row), affine(4)), vector_axis=1)
    assert at.position == Affine(4, ((row, 6),))
    assert at.stride == 1


@pytest.mark.parametrize(
    "movement",
    [
        Flip((BATCH, 6), axes=(0,)),
        Reshape((6, BATCH)),
    ],
    ids=["flip", "reshape"],
)
def test_what_needs_the_number_of_rows_is_refused(movement: Movement) -> None:
    of = whole(buffer(BATCH, 6))
    with pytest.raises(UnboundError, match="batch"):
        found(of.moved(movement), rows=3)


@pytest.mark.parametrize("role", ["input", "output"])
def test_an_array_of_the_caller_has_no_room_for_more_rows_than_there_are(role: str) -> None:
    inside = replace(buffer(2, BATCH), role=role)
    with pytest.raises(UnboundError, match="strides of b"):
        found(whole(inside), rows=4)
    leading = replace(buffer(BATCH, 2), role=role)
    assert found(whole(leading), rows=4).strides == (2, 1)


def test_two_named_sizes_have_no_bound() -> None:
    with pytest.raises(UnboundError, match=r"batch\*time"):
        bound_of(multiply(BATCH, TIME))


def test_bounds_are_rounded_up() -> None:
    assert bound_of(13, 4) == 16
    assert bound_of(16, 4) == 16
    assert bound_of(multiply(BATCH, 3), 4) == Rows(3, 4)
    assert str(bound_of(multiply(BATCH, 3), 4)) == "ceil(3*rows, 4)"


@pytest.mark.parametrize(
    "movement",
    [
        Slice((3, 4), (0, 1), (3, 5), (1, 1)),
        Flip((3, 6), axes=(1,)),
        Reshape((18,)),
        Reshape((3, 2, 3)),
    ],
    ids=["slice", "flip", "joined", "split"],
)
def test_panels_cannot_be_taken_apart(movement: Movement) -> None:
    with pytest.raises(ValueError, match=r"panels|side by side"):
        found(whole(buffer(3, 6, panels=Panels(1, 4))).moved(movement))


def test_a_position_along_panels_must_be_split_like_them() -> None:
    of = found(whole(buffer(3, 6, panels=Panels(1, 4))))
    with pytest.raises(ValueError, match="must be split"):
        of.address((Affine(), affine(Index("i"))))
    with pytest.raises(ValueError, match="panels of 8, not of 4"):
        of.address((Affine(), PanelPosition(affine(Index("i")), Affine(), 8)))


def test_a_split_position_of_an_axis_without_panels_is_put_together() -> None:
    of = found(whole(buffer(3, 6)))
    panel = Index("panel")
    at = of.address((Affine(), PanelPosition(affine(panel), affine(2), 4)))
    assert at.position == Affine(2, ((panel, 4),))


def test_lanes_along_another_axis_have_its_stride() -> None:
    of = found(whole(buffer(3, 6)))
    assert of.address((Affine(), Affine()), vector_axis=0).stride == 6
    row = replace(of, shape=(1, 6)).broadcast((3, 6))
    assert row.address((Affine(), Affine()), vector_axis=0).stride == 0


def test_shapes_that_fit() -> None:
    shape: Shape = (BATCH, 4)
    assert Capacity({"batch": 7}).shape(shape) == (7, 4)
    assert Capacity({"batch": 7}).dim(multiply(BATCH, 3)) == 21
