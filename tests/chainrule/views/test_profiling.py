"""`program.profile`: every kernel of a step or a call, with the lines of the program that it is."""

from __future__ import annotations

import inspect
from functools import cache

import numpy as np
import pytest

import chainrule as cr
from chainc.ir.types import Array
from chainrule import losses, nn, optim
from chainrule.compiled.training import TrainingProgram
from chainrule.views.profile import Profile

TARGETS = ("llvm", "numpy")
HERE = "test_profiling.py"
ROWS, BATCH = 75, 32  # the last batch is smaller, and is not timed


def line() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


@cache
def declared(*, watch: bool = False) -> tuple[cr.Training, dict[str, int]]:
    """20-40-3, and the lines of what is declared."""
    x, y = cr.input("x", ("batch", 20)), cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 3), name="model")
    logits, forward = model(x), line()
    loss, of_loss = losses.cross_entropy(logits, y), line()
    step, of_step = optim.SGD(lr=0.1, momentum=0.9).minimize(loss), line()
    training = cr.training(step, epochs=1, batch_size=BATCH, watch=watch)
    return training, {"forward": forward, "loss": of_loss, "step": of_step}


@cache
def program(target: str) -> TrainingProgram:
    return cr.compile(declared()[0], target=target)


@cache
def rows() -> dict[str, Array]:
    random = np.random.default_rng(0)
    x = random.standard_normal((ROWS, 20)).astype(np.float32)
    return {"x": x, "y": random.integers(0, 3, ROWS).astype(np.int32)}


@cache
def profile(target: str) -> Profile:
    return program(target).profile(rows(), steps=12)


def lines_of(found: Profile) -> set[int]:
    return {place.line for kernel in found.kernels for place in kernel.locations}


@pytest.mark.parametrize("target", TARGETS)
def test_shares_add_up_and_times_are_those_of_all_kernels(target: str) -> None:
    found = profile(target)
    assert found.runs == 12
    assert sum(kernel.share for kernel in found.kernels) == pytest.approx(1)
    assert sum(kernel.seconds for kernel in found.kernels) == pytest.approx(found.seconds)
    assert found.seconds > 0
    assert found.whole > 0
    assert all(kernel.calls == 1 for kernel in found.kernels)


@pytest.mark.parametrize("target", TARGETS)
def test_the_lines_are_those_of_the_declaration(target: str) -> None:
    _, lines = declared()
    found = profile(target)
    assert lines_of(found) == set(lines.values())
    (product,) = [each for each in found.kernels if each.what.startswith("model/linear1: contract")]
    assert product.locations[0].line == lines["forward"]
    assert product.line == f"{HERE}:{lines['forward']}"
    backward = [k for k in found.kernels if "backward of model/linear1: contract" in k.what]
    assert [kernel.role for kernel in backward] == ["backward"]


def test_every_kernel_of_the_machine_code_is_there_once_in_order() -> None:
    compiled = program("llvm")
    text = compiled.loops
    step = text[text.index("\nstep(") :].split("\n\n")[0]
    called = [part.split("(")[0].strip() for part in step.splitlines()[2:] if "threads)" in part]
    names = [kernel.name for kernel in profile("llvm").kernels]
    assert names == ["batch", *called]
    assert len(names) > 10


def test_every_kernel_of_the_numpy_source_is_there_in_order() -> None:
    lines = program("numpy").provenance().lines
    texts = [each.text.strip() for each in lines]
    step = lines[texts.index("def step(x, y, lr, momentum):") : texts.index("return step")]
    written = [node for each in step for node in each.nodes]
    timed = [c.node for kernel in profile("numpy").kernels for c in kernel.computes]
    assert list(dict.fromkeys(timed)) == list(dict.fromkeys(written))
    assert len(timed) > 30


@pytest.mark.parametrize("target", TARGETS)
def test_what_a_kernel_computes_is_said_in_the_words_of_a_graph(target: str) -> None:
    told = [kernel.what for kernel in profile(target).kernels]
    assert told[0] == "rows of the data become a batch"
    assert all(told)
    assert not any("fused" in what for what in told)  # a copy for a fused node, too


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_of_the_users_changes(target: str) -> None:
    compiled, data = program(target), {key: array.copy() for key, array in rows().items()}
    state = compiled.run(data, progress=False).state
    before = {name: np.array(value) for name, value in state.items()}
    compiled.profile(data, state=state, steps=3, lr=0.5)
    for name, value in before.items():
        np.testing.assert_array_equal(state[name], value)
    for key, array in rows().items():
        np.testing.assert_array_equal(data[key], array)
    again = compiled.run(data, progress=False).state
    for name, value in before.items():
        np.testing.assert_array_equal(again[name], value)


@pytest.mark.parametrize("target", TARGETS)
def test_a_number_of_steps_need_not_be_given(target: str) -> None:
    found = program(target).profile(rows())
    assert 5 <= found.runs <= 1000
    assert [kernel.name for kernel in found.kernels] == [k.name for k in profile(target).kernels]


@pytest.mark.parametrize("target", TARGETS)
def test_rows_in_the_order_given(target: str) -> None:
    x = cr.input("x", ("batch", 4))
    step = optim.SGD(lr=0.1).minimize(losses.squared_error(nn.Linear(4, 2)(x), x[:, :2]))
    training = cr.training(step, epochs=1, batch_size=8, shuffle=False)
    found = cr.compile(training, target=target).profile({"x": np.ones((20, 4))}, steps=30)
    assert found.kernels[0].name == "batch"
    assert found.runs == 30


def test_bytes_become_a_batch_too() -> None:
    data = {**rows(), "x": np.ones((ROWS, 20), np.uint8)}
    assert program("llvm").profile(data, steps=2).kernels[0].name == "batch"


def test_a_small_step_is_one_kernel_that_names_all_its_lines() -> None:
    x = cr.input("x", ("batch", 2))
    y, of_model = nn.Linear(2, 1)(x), line()
    loss, of_loss = losses.squared_error(y, cr.input("t", ("batch", 1))), line()
    training = cr.training(optim.SGD(lr=0.1).minimize(loss), epochs=1, batch_size=4)
    data = {"x": np.ones((8, 2)), "t": np.ones((8, 1))}
    found = cr.compile(training).profile(data, steps=4)
    gathering, step = found.kernels
    assert gathering.role == "batch" != step.role
    assert found.kernels[1].work is not None
    assert found.kernels[1].work.flops > 0
    assert lines_of(found) > {of_model, of_loss}


def test_what_looks_for_nan_is_timed_too() -> None:
    training, _ = declared(watch=True)
    found = cr.compile(training).profile(rows(), steps=2)
    watching = {kernel.name for kernel in found.kernels if kernel.role == "watch"}
    assert watching >= {"watch_x", "watch_relu1", "watch_linear1/weight"}
    others = [kernel.name for kernel in found.kernels if kernel.role != "watch"]
    assert others == [kernel.name for kernel in profile("llvm").kernels]


# functions


@pytest.mark.parametrize("target", TARGETS)
def test_a_function_is_called_as_always(target: str) -> None:
    x = cr.input("x", ("batch", 20))
    y, declared_at = cr.softmax(nn.Linear(20, 3)(x)), line()
    function = cr.compile(y, target=target)
    bound = function.bind(function.initial_state())
    data = rows()["x"]
    for found in (bound.profile(x=data, runs=3), bound.profile({"x": data}, runs=3),
                  bound.profile(data, runs=3)):  # fmt: skip
        assert found.runs == 3
        assert lines_of(found) == {declared_at}
        assert {kernel.role for kernel in found.kernels} == {"forward"}
        assert sum(kernel.share for kernel in found.kernels) == pytest.approx(1)


def test_blocks_of_rows_are_calls_of_their_own() -> None:
    x = cr.input("x", ("batch", 4))
    found = cr.compile(cr.tanh(x)).profile(np.ones((1000, 4)), runs=3)
    assert [kernel.calls for kernel in found.kernels] == [4]
    assert "each called 4 times" in str(found)


@pytest.mark.parametrize("target", TARGETS)
def test_the_state_of_a_function_with_updates_stays(target: str) -> None:
    x = cr.input("x", ("batch", 4))
    step = optim.SGD(lr=0.1).minimize(losses.squared_error(nn.Linear(4, 2)(x), x[:, :2]))
    function = cr.compile(step, target=target)
    bound = function.bind(function.initial_state())
    before = bound.state
    found = bound.profile(x=np.ones((8, 4)), runs=5)
    assert {kernel.role for kernel in found.kernels} >= {"forward", "backward"}
    for name, value in bound.state.items():
        np.testing.assert_array_equal(value, before[name])


# what is refused: by the checks of a run and of a call


@pytest.mark.parametrize("target", TARGETS)
def test_data_is_checked_as_for_a_run(target: str) -> None:
    data = rows()
    for given, told in (
        ({"x": data["x"]}, "no value for the input y"),
        ({**data, "z": data["x"]}, "'z'"),
        ({**data, "y": data["y"] + 7}, "range"),
        ({key: array[:5] for key, array in data.items()}, "fewer than one batch"),
    ):
        with pytest.raises(cr.InputError, match=told) as caught:
            program(target).profile(given)
        with pytest.raises(cr.InputError) as of_run:
            program(target).run(given, progress=False)
        assert caught.value.what == of_run.value.what
        assert HERE in str(caught.value)
        assert caught.value.hint


def test_data_is_given_at_once_and_may_be_a_list() -> None:
    x, y = rows().values()
    assert program("llvm").profile([x, y], steps=1).runs == 1
    with pytest.raises(cr.InputError, match="profile: 2 values by position") as caught:
        program("llvm").profile(x, y)
    assert "profile([x, y])" in caught.value.hint


@pytest.mark.parametrize("steps", [0, -1, 2.5, True, "3"])
def test_a_number_of_steps_is_checked(steps: object) -> None:
    given: dict[str, object] = {"steps": steps}
    with pytest.raises(cr.InputError, match="profile: steps must be a whole number") as caught:
        program("llvm").profile(rows(), **given)  # type: ignore[arg-type]
    assert "leave steps out" in str(caught.value)


def test_a_function_that_is_not_bound_says_so() -> None:
    function = cr.compile(nn.Linear(20, 3)(cr.input("x", ("batch", 20))))
    with pytest.raises(cr.StateError, match="needs values for 2 state slots"):
        function.profile(x=rows()["x"])


def test_kernels_in_a_loop_are_called_in_each_step() -> None:
    x, w = cr.input("x", (5, 4, 8)), cr.input("w", (8, 8))

    def step(h: cr.Node, given: cr.Node) -> tuple[cr.Node, cr.Node]:
        after = cr.tanh(given + h @ w)
        return after, after

    last, _ = cr.scan(step, carry=cr.constant(np.zeros((4, 8), np.float32)), xs=x)
    given = {"x": np.ones((5, 4, 8), np.float32), "w": np.ones((8, 8), np.float32)}
    found = cr.compile(last).profile(given, runs=3)
    (product,) = (each for each in found.kernels if each.work is not None and each.work.flops)
    assert product.calls == 5
    assert product.work is not None
    assert product.work.flops == 5 * 2 * 4 * 8 * 8
    assert "called" not in str(found)
