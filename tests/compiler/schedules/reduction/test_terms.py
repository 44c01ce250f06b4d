"""Reductions that compute what they fold, and several of them in one nest, against NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from tests.compiler.schedules.reduction.reduced import BATCH, MACHINES, Wide, numbers, result_of
from tests.native import call, nest_of, packed, storage, unpacked

from chainc.ir.movements import Reshape
from chainc.ir.types import Array, Shape, TensorType, bool_, broadcast, float32
from chainc.lowering.grouping import Group, outside
from chainc.lowering.instructions import Argument, Instruction, Result
from chainc.lowering.kernels import Reduction
from chainc.lowering.views import Buffer, Panels, View
from chainc.schedules.layout.machine import AVX2, AVX512, Machine
from chainc.schedules.reduction.schedule import schedule_reduce

Given = dict[Buffer, Array]


@dataclass
class Statistics:
    """Σ x, Σ (x - m)² and Σ where(c, g · (x - m), 0), as a normalisation sums them up."""

    shape: Shape
    axes: tuple[int, ...]
    panels: Panels | None = None
    others: Panels | None = None  # of g and c
    capacity: int = 1
    role: str = "work"

    def __post_init__(self) -> None:
        whole = TensorType(self.shape, float32)
        self.x = Buffer("x", whole, self.role, panels=self.panels)
        role = "work" if self.others else self.role
        self.g = Buffer("g", whole, role, panels=self.others)
        self.c = Buffer("c", TensorType(self.shape, bool_), role, panels=self.others)
        kept = tuple(dim for axis, dim in enumerate(self.shape) if axis not in self.axes)
        self.m = Buffer("m", TensorType(kept, float32), self.role)
        spread = tuple(1 if axis in self.axes else d for axis, d in enumerate(self.shape))
        self.mean = View(self.m, self.m.type).moved(Reshape(spread))

    def reductions(self) -> list[Reduction]:
        x, g, c = (View(buffer, buffer.type) for buffer in (self.x, self.g, self.c))
        found = [
            ((x,), ()),
            ((x, self.mean), self._squares()),
            ((x, self.mean, g, c), self._kept()),
        ]
        outs = (result_of(self.x, self.axes) for _ in found)
        return [
            Reduction(out, operands, "add", self.axes, False, terms)
            for out, (operands, terms) in zip(outs, found, strict=True)
        ]

    def _squares(self) -> tuple[Instruction, ...]:
        whole, difference = self.x.type, self._difference()
        return difference, Instruction("multiply", (Result(0, whole),) * 2, whole)

    def _kept(self) -> tuple[Instruction, ...]:
        whole, choice = self.x.type, Argument(3, self.c.type)
        zero = Instruction("subtract", (Argument(2, whole),) * 2, whole)
        product = Instruction("multiply", (Result(0, whole), Argument(2, whole)), whole)
        chosen = Instruction("select", (choice, Result(1, whole), Result(2, whole)), whole)
        return self._difference(), product, zero, chosen

    def _difference(self) -> Instruction:
        whole = self.x.type
        assert broadcast(whole.shape, self.mean.type.shape) == whole.shape
        return Instruction("subtract", (Argument(0, whole), Argument(1, self.mean.type)), whole)

    def given(self, rows: int) -> Given:
        def sizes(shape: Shape) -> list[int]:
            return [dim if isinstance(dim, int) else rows for dim in shape]

        rng = np.random.default_rng(5)
        return {
            self.x: numbers(sizes(self.shape), float32, 0),
            self.g: numbers(sizes(self.shape), float32, 1),
            self.c: rng.random(sizes(self.shape)) < 0.5,
            self.m: numbers(sizes(self.m.type.shape), float32, 2),
        }

    def wanted(self, given: Given) -> list[tuple[Wide, Wide]]:
        """Each sum in a wider type, and that of absolute values, by which errors are measured."""
        wide = np.longdouble
        x, g = given[self.x].astype(wide), given[self.g].astype(wide)
        mean = np.expand_dims(given[self.m].astype(wide), self.axes)
        terms = (x, (x - mean) ** 2, np.where(given[self.c], g * (x - mean), 0))
        return [(t.sum(self.axes), np.abs(t).sum(self.axes)) for t in terms]

    def run(self, machine: Machine, chosen: list[int], rows: int, threads: int) -> list[Array]:
        members = tuple(self.reductions()[number] for number in chosen)
        kept = tuple((member.out, member.out) for member in members)
        group = Group(members[-1].out, outside(members), members, kept)
        nest, buffers = nest_of(group, schedule_reduce, machine, self.capacity)
        given = self.given(rows)
        arrays = {b: packed(b, given[b], self.capacity) for b in buffers if b in given}
        arrays |= {member.out: storage(member.out, self.capacity) for member in members}
        call(nest, [arrays[buffer] for buffer in buffers], machine, rows, threads)
        sizes = tuple(d if isinstance(d, int) else rows for d in members[0].out.type.shape)
        return [
            unpacked(m.out, arrays[m.out], sizes, self.capacity) if sizes else arrays[m.out][:1]
            for m in members
        ]

    def check(
        self, machine: Machine, chosen: list[int], rows: int = 1, threads: int = 1
    ) -> list[Array]:
        found = self.run(machine, chosen, rows, threads)
        wanted = self.wanted(self.given(rows))
        for number, sums in zip(chosen, found, strict=True):
            exact, size = wanted[number]
            error = np.abs(sums.astype(np.longdouble) - exact)
            assert (error <= 1e-5 * (size + 1e-3)).all()
        return found


@MACHINES
@pytest.mark.parametrize("chosen", [[1], [0, 1, 2]], ids=str)
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((37, 20), (0,)), ((9, 10), (1,)), ((77,), (0,))],
    ids=str,
)
def test_plain(
    machine: Machine, chosen: list[int], shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    Statistics(shape, axes).check(machine, chosen)


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)], ids=str)
def test_nothing_past_the_end_of_the_callers_arrays(axes: tuple[int, ...]) -> None:
    Statistics((13, 21), axes, role="input").check(AVX2, [0, 1])


@pytest.mark.parametrize("rows", [3, 8, 29])
def test_the_last_panel_beside_an_array_of_the_caller(rows: int) -> None:
    """What lies in panels may be read past its end, and the caller's array may not."""
    Statistics((rows, 2), (0,), others=Panels(0, 8), role="input").check(AVX2, [0, 1, 2])


@pytest.mark.parametrize("others", [Panels(1, 8, 1), None], ids=str)
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((6, 21, 5, 4), (0, 2, 3)), ((40, 20), (1,)), ((4, 12, 3), (0, 1, 2))],
    ids=str,
)
def test_panels(shape: tuple[int, ...], axes: tuple[int, ...], others: Panels | None) -> None:
    """Images as convolutions leave them; what else is read may lie in other ways."""
    Statistics(shape, axes, Panels(1, 8), others).check(AVX2, [0, 1, 2])


def test_panels_along_different_axes() -> None:
    Statistics((24, 20), (0,), Panels(1, 8), Panels(0, 8)).check(AVX2, [0, 1, 2])


@pytest.mark.parametrize("rows", [1, 64])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)], ids=str)
def test_rows_and_threads(rows: int, axes: tuple[int, ...]) -> None:
    statistics = Statistics((BATCH, 200), axes, Panels(1, 16), Panels(1, 16), capacity=64)
    alone = statistics.check(AVX512, [0, 1, 2], rows)
    together = statistics.check(AVX512, [0, 1, 2], rows, threads=2)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
