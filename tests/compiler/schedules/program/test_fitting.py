"""Where buffers lie: together wherever they are needed together, and with few gaps."""

from __future__ import annotations

import numpy as np
import pytest

from chainc.ir.types import TensorType, float32
from chainc.lowering.kernels import Copy, Fill, Kernel
from chainc.lowering.memory import lifetimes, plan
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, View
from chainc.schedules.program.fitting import fitted

LINE = 16  # elements


def buffer(name: str, lines: int) -> Buffer:
    return Buffer(name, TensorType((lines * LINE,), float32))


def nbytes(of: Buffer) -> int:
    return int(of.type.nbytes)  # type: ignore[arg-type]


def program(*body: Kernel) -> Program:
    return Program((), (), (), body, (), (), ())


def read(of: Buffer) -> Kernel:
    """By what is kept elsewhere."""
    return Copy(Buffer(f"{of.name}'s", of.type, "output"), (View(of, of.type),))


def test_a_small_one_that_stays_is_put_where_it_parts_nothing() -> None:
    first, kept, large = buffer("first", 2), buffer("kept", 1), buffer("large", 3)
    body = (Fill(first, ()), Fill(kept, ()), read(first), Fill(large, ()), read(large), read(kept))
    found = program(*body)
    assert plan(found, nbytes).sizes == {(): 6 * 64}  # kept behind first, and large behind kept
    assert fitted(found, nbytes).sizes == {(): 4 * 64}


def test_what_leaves_few_gaps_stays_as_it_is() -> None:
    one, other = buffer("one", 3), buffer("other", 3)
    found = program(Fill(one, ()), read(one), Fill(other, ()), read(other))
    assert fitted(found, nbytes) == plan(found, nbytes)


@pytest.mark.parametrize("seed", range(20))
def test_no_two_meet(seed: int) -> None:
    rng = np.random.default_rng(seed)
    there: list[Buffer] = []
    body: list[Kernel] = []
    for number in range(40):
        there.append(buffer(f"b{number}", int(rng.integers(1, 30))))
        body.append(Fill(there[-1], ()))
        while there and rng.random() < 0.5:
            body.append(read(there.pop(int(rng.integers(len(there))))))
    found = program(*body)
    arena, spans = fitted(found, nbytes), lifetimes(found)
    assert arena.sizes[()] <= plan(found, nbytes).sizes[()]
    for one, at in arena.offsets.items():
        assert at % 64 == 0
        assert at + nbytes(one) <= arena.sizes[()]
        for other, place in arena.offsets.items():
            apart = at + nbytes(one) <= place or place + nbytes(other) <= at
            after = spans[one].end < spans[other].start or spans[other].end < spans[one].start
            assert one is other or apart or after
