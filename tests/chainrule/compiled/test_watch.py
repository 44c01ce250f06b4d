"""`cr.training(..., watch=True)`: the first NaN or infinity is named, with its step and line."""

import inspect

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Node
from chainc.ir.errors import GraphError, NonFiniteError
from chainrule import init, losses, nn, optim
from chainrule.compiled.training import TrainingProgram
from chainrule.steps.loop import Training

ROWS, BATCH = 40, 8


def line() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def regression(loss: Node, *, lr: float = 0.1, watch: bool = True, epochs: int = 3) -> Training:
    step = optim.SGD(lr=lr).minimize(loss)
    return cr.training(step, epochs=epochs, batch_size=BATCH, shuffle=False, watch=watch)


@pytest.fixture
def rows() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(0).standard_normal((ROWS, 4)).astype(np.float32)


def model(x: Node) -> Node:
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    return net(x)


def run(program: TrainingProgram, x: object) -> None:
    program.run({"x": x}, progress=False)


def test_a_finite_run_gives_the_same_bits_as_without(rows: object) -> None:
    loss = cr.mean(cr.square(model(cr.input("x", ("batch", 4))) - 1.0))
    watched = cr.compile(regression(loss)).run({"x": rows}, progress=False)
    plain = cr.compile(regression(loss, watch=False)).run({"x": rows}, progress=False)
    for name, value in plain.state.items():
        found, wanted = (np.asarray(v, np.float64) for v in (watched.state[name], value))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_bad_input_is_named_with_its_step_and_line(
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> None:
    x = cr.input("x", ("batch", 4))
    declared = line() - 1
    program = cr.compile(regression(cr.mean(cr.square(model(x)))))
    rows[17, 2] = np.nan  # row 17 is in the third batch
    with (
        pytest.warns(RuntimeWarning, match="holds NaN"),
        pytest.raises(NonFiniteError, match="step 2: the input 'x' holds NaN or inf") as found,
    ):
        run(program, rows)
    assert found.value.where.endswith(f"test_watch.py:{declared}")
    assert "clean the data" in found.value.hint


def test_the_node_where_it_arose_is_named_with_its_line(rows: object) -> None:
    x = cr.input("x", ("batch", 4))
    total = cr.sum(model(x)) * 0.0 - 1.0
    loss = cr.log(total)
    declared = line() - 1
    with pytest.raises(NonFiniteError, match="step 0: 'loss' is the first to hold NaN") as found:
        run(cr.compile(regression(loss)), rows)
    assert found.value.where.endswith(f"test_watch.py:{declared}")
    assert "lower the learning rate" in found.value.hint


def test_an_update_that_overflows_is_named_as_the_slot(rows: object) -> None:
    x = cr.input("x", ("batch", 4))
    weight = cr.parameter("weight", (4,), init.normal())
    loss = cr.sum(x * weight)
    with pytest.raises(NonFiniteError, match="step 0: the new value of 'weight' is the first"):
        run(cr.compile(regression(loss, lr=1e38)), rows)


def test_a_bad_state_is_named(rows: object) -> None:
    x = cr.input("x", ("batch", 4))
    program = cr.compile(regression(cr.mean(losses.squared_error(model(x), x[:, :1]))))
    state = program.initial_state()
    name = next(key for key in state if key.endswith("linear2/bias"))
    spoiled = cr.State({**state, name: np.array([np.inf], np.float32)})
    with pytest.raises(NonFiniteError, match=f"step 0: the state '{name}' holds NaN or infinity"):
        program.run({"x": rows}, state=spoiled, progress=False)


def test_numpy_source_is_not_watched() -> None:
    loss = cr.mean(cr.square(model(cr.input("x", ("batch", 4)))))
    with pytest.raises(GraphError, match="watched cannot be compiled for 'numpy'"):
        cr.compile(regression(loss), target="numpy")
