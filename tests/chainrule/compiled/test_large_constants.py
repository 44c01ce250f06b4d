"""Constants that are too large to be text of a module: handed over as arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.views.plan import Plan

Floats = npt.NDArray[np.float32]

RANDOM = np.random.default_rng(0)
TABLE = RANDOM.standard_normal((64, 480)).astype(np.float32)  # 120 KB
SMALL = RANDOM.standard_normal((8, 16)).astype(np.float32)
ROWS = RANDOM.standard_normal((40, 64)).astype(np.float32)


def product(table: Floats) -> cr.Node:
    x = cr.input("x", ("batch", len(table)))
    return cr.tanh(x @ cr.constant(table))


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_a_function_reads_them(rows: int) -> None:
    native, numpy = (cr.compile(product(TABLE), target=each) for each in ("llvm", "numpy"))
    x = ROWS[:rows]
    np.testing.assert_allclose(native(x=x), numpy(x=x), rtol=1e-5, atol=1e-5)
    exact = np.tanh(x.astype(np.float64) @ TABLE.astype(np.float64))
    np.testing.assert_allclose(native(x=x), exact, rtol=1e-5, atol=1e-5)


def test_the_text_is_as_short_as_without_them() -> None:
    function = cr.compile(product(TABLE))
    function(x=ROWS)
    assert len(function.source) < TABLE.nbytes
    assert "constant [" not in function.source
    small = cr.compile(product(SMALL))
    small(x=ROWS[:, :8])
    assert "constant [" in small.source  # these stay in the code


def plan_of(table: Floats) -> Plan:
    return cr.compile(product(table)).plan


def test_the_plan_says_where_they_lie() -> None:
    places = [
        [each.place for each in plan_of(table).allocations if each.role == "constant"]
        for table in (TABLE, SMALL)
    ]
    assert set(places[0]) == {"caller"}
    assert set(places[1]) == {"code"}


def test_equal_text_over_other_constants_is_no_equal_function() -> None:
    """Kept code is found by its text, which does not tell these two apart."""
    one, two = cr.compile(product(TABLE)), cr.compile(product(-TABLE))
    first, second = one(x=ROWS), two(x=ROWS)
    assert one.source == two.source
    np.testing.assert_array_equal(first, -second)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_reads_them(threads: int) -> None:
    """Both in its steps and in its evaluation, from the second run of a program on too."""
    scale = cr.parameter("scale", (480,), "ones")
    loss = cr.mean(cr.square(product(TABLE) * scale - 0.5))
    training = cr.training(optim.SGD(lr=0.1).minimize(loss), epochs=2, batch_size=8)
    native = cr.compile(training, threads=threads)
    numpy = cr.compile(training, target="numpy")
    results = [
        each.run({"x": ROWS}, validation={"x": ROWS[:10]}, progress=False)
        for each in (native, native, numpy)
    ]
    np.testing.assert_array_equal(results[0].state["scale"], results[1].state["scale"])
    for result in results:
        found, wanted = (each.state["scale"].astype(np.float64) for each in (result, results[2]))
        np.testing.assert_allclose(found, wanted, rtol=1e-4)
        np.testing.assert_allclose(result.history["val_loss"], results[2].history["val_loss"], 1e-4)
