"""Every misuse is refused with what, where and what to try, and nothing has changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import losses, nn, optim

HERE = Path(__file__).name
TARGETS = pytest.mark.parametrize("target", ["llvm", "numpy"])


def classifier(target: str = "llvm") -> tuple[cr.TrainingProgram, cr.State]:
    x = cr.input("x", ("batch", 4))
    y = cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(nn.Linear(4, 3), name="model")
    step = optim.SGD(lr=0.1).minimize(losses.cross_entropy(model(x), y))
    program = cr.compile(cr.training(step, epochs=1, batch_size=4), target=target)
    return program, program.initial_state()


def rows(count: int = 8) -> dict[str, object]:
    return {"x": np.ones((count, 4), np.float32), "y": np.zeros(count, np.int32)}


def refused(call: Callable[[], object], what: str, hint: str = "") -> str:
    """The message has its three parts, names this file, and says `what` and `hint`."""
    with pytest.raises(cr.ChainruleError) as caught:
        call()
    message = str(caught.value)
    assert re.search(r"\n  where: .+\n(.*\n)*?  try: .+", message), message
    assert re.search(what, message.partition("\n  where:")[0]), message
    assert re.search(hint, message.partition("\n  try:")[2]), message
    assert HERE in message, message
    return message


@TARGETS
@pytest.mark.parametrize(
    ("change", "what", "hint"),
    [
        ({"x": np.ones(8, np.float32)}, r"'x'.*\[batch,4\].*\[8\]", r"2 axes"),
        ({"x": np.ones((8, 5), np.float32)}, r"'x'.*\[batch,4\].*5", r"4"),
        ({"x": np.full((8, 4), 1e300)}, r"x f32\[batch,4\].*1e\+300.*float64", r"astype"),
        ({"y": np.zeros(8, np.float32)}, r"y i32\[batch\].*float32", r"astype\(numpy.int32\)"),
        ({"y": np.zeros(7, np.int32)}, r"batch.*(7|8).*(7|8)", r""),
        ({"x": np.ones((0, 4), np.float32), "y": np.zeros(0, np.int32)}, r"empty", r"one row"),
        ({"y": np.full(8, 3, np.int32)}, r"'y'.*index 3.*size 3", r"0 to 2"),
        ({"y": np.full(8, -1, np.int32)}, r"'y'.*index -1.*size 3", r"0 to 2"),
        ({"x": np.ma.masked_array(np.ones((8, 4), np.float32))}, r"masked", r"filled"),
        ({"x": np.full((8, 4), None)}, r"object", r"astype"),
        ({"x": [["a"] * 4] * 8}, r"<U1", r"astype"),
        ({"z": 1.0}, r"no input 'z'", r"'x', 'y'"),
    ],
)  # fmt: skip
def test_data_that_does_not_fit(
    change: dict[str, object], what: str, hint: str, target: str
) -> None:
    program, state = classifier(target)
    before = {name: np.array(value) for name, value in state.items()}
    refused(lambda: program.run({**rows(), **change}, state=state), what, hint)
    refused(lambda: program.run(rows(), validation={**rows(), **change}, state=state), what, hint)
    for name, value in before.items():
        np.testing.assert_array_equal(state[name], value)


@TARGETS
def test_a_missing_input(target: str) -> None:
    program, _ = classifier(target)
    refused(lambda: program.run({"x": rows()["x"]}), r"no value for.* y i32\[batch\]", r"y=")


@TARGETS
def test_a_data_set_smaller_than_a_batch(target: str) -> None:
    program, _ = classifier(target)
    refused(lambda: program.run(rows(3)), r"3 rows, fewer than one batch of 4", r"batch_size=3")


@TARGETS
@pytest.mark.parametrize("lr", [0.0, -0.1, float("nan"), float("inf")])
def test_a_learning_rate_that_is_not_positive(lr: float, target: str) -> None:
    program, _ = classifier(target)
    refused(lambda: program.run(rows(), lr=lr), r"lr must be", r"positive")
    refused(lambda: optim.SGD(lr=lr), r"lr must be", r"lr=0.1")


@TARGETS
def test_an_unknown_hyperparameter(target: str) -> None:
    program, _ = classifier(target)
    refused(lambda: program.run(rows(), momentum=0.9), r"no hyperparameter 'momentum'", r"lr")


@TARGETS
def test_nan_in_the_data_is_warned_of(target: str) -> None:
    program, _ = classifier(target)
    data = rows()
    data["x"] = np.full((8, 4), np.nan, np.float32)
    with pytest.warns(RuntimeWarning, match="input 'x' holds NaN") as caught:
        program.run(data)
    assert caught[0].filename == __file__


def misaligned(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The same numbers, each a byte after a multiple of its size."""
    space = np.empty(x.nbytes + 1, np.uint8)
    moved = space[1:].view(np.float32).reshape(x.shape)
    moved[...] = x
    return moved


READABLE = pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        misaligned,
        lambda x: x[::-1].copy()[::-1],
        lambda x: np.broadcast_to(x[None], (1, *x.shape))[0],
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x.astype(">f4"),
        lambda x: x.astype(np.float16),
        lambda x: x.astype(np.float64),
        lambda x: x.astype(object),
        lambda x: x.tolist(),
    ],
    ids=[
        "transposed order",
        "misaligned",
        "backwards",
        "read-only",
        "strided",
        "big-endian",
        "half precision",
        "double precision",
        "objects",
        "lists",
    ],
)


@TARGETS
@READABLE
def test_arrays_that_can_be_read_are_read_right(
    convert: Callable[..., object], target: str
) -> None:
    x = np.arange(32, dtype=np.float32).reshape(8, 4) / 32
    program, state = classifier(target)
    y = np.arange(8, dtype=np.int32) % 3
    expected = program.run({"x": x, "y": y}, state=state).state
    x.flags.writeable = False
    got = program.run({"x": convert(x), "y": y}, state=state).state
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name])


@TARGETS
@READABLE
def test_a_function_reads_them_right_too(convert: Callable[..., object], target: str) -> None:
    x = cr.input("x", ("batch", 4))
    run = cr.compile(cr.tanh(x) * 2.0, target=target)
    array = np.arange(32, dtype=np.float32).reshape(8, 4) / 32
    expected = run(x=array)
    np.testing.assert_array_equal(run(x=convert(array)), expected)
    np.testing.assert_allclose(expected, np.tanh(array) * 2, rtol=1e-6)


@TARGETS
@pytest.mark.parametrize(
    ("change", "what", "hint"),
    [
        ({"x": np.ones(4, np.float32)}, r"'x'.*\[batch,4\].*\[4\]", r"2 axes"),
        ({"x": np.ones((2, 5), np.float32)}, r"'x'.*\[batch,4\].*5", r"4"),
        ({"x": np.full((2, 4), 1e300)}, r"x f32\[batch,4\].*1e\+300.*float64", r"astype"),
        ({"x": np.ones((3, 4), np.float32)}, r"disagree.*'batch'.*[23].*[23]", r"agree"),
        ({"x": np.ones((0, 4), np.float32), "y": np.zeros(0, np.int32)}, r"empty", r"one row"),
        ({"y": np.array([0, 9], np.int32)}, r"'y'.*index 9.*size 9", r"0 to 8"),
        ({"y": np.array([0, -1], np.int32)}, r"'y'.*index -1.*size 9", r"0 to 8"),
        ({"y": np.array([0, 1 << 40])}, r"y i32.*int64", r"astype\(numpy.int32\)"),
        ({"x": np.ma.masked_array(np.ones((2, 4), np.float32))}, r"masked", r"filled"),
        ({"x": np.full((2, 4), None)}, r"object", r"astype"),
        ({"x": np.ones((2, 4), complex)}, r"complex", r"astype"),
        ({"z": 1.0}, r"no input 'z'", r"'x', 'y'"),
    ],
)
def test_a_function_refuses_what_does_not_fit(
    change: dict[str, object], what: str, hint: str, target: str
) -> None:
    x, y = cr.input("x", ("batch", 4)), cr.input("y", ("batch",), dtype="int32")
    count = cr.parameter("count", (), 0.0)
    graph = cr.Graph([x + cr.take(np.ones((9, 1), np.float32), y, 0)], {count: count + 1.0})
    run = cr.compile(graph, target=target)
    run = run.bind(run.initial_state())
    good = {"x": np.ones((2, 4), np.float32), "y": np.zeros(2, np.int32)}
    run(good)
    refused(lambda: run({**good, **change}), what, hint)
    assert float(run.state["count"]) == 1
    run(good)
    assert float(run.state["count"]) == 2


@TARGETS
@pytest.mark.parametrize("wrong", [-(2**31), -1, 5, 2**31 - 1])
def test_an_index_computed_in_the_graph_is_checked_where_it_is_used(
    wrong: int, target: str
) -> None:
    w = cr.parameter("w", (5, 3), 1.0)
    n = cr.input("n", ("batch",), dtype="int32")
    fine = cr.take(w, n * 0, 0)
    taken = cr.take(w, n + 0, 0)
    codes = cr.one_hot(n * 1, 5)
    for graph, line in (([fine, taken], taken), ([fine, codes], codes)):
        run = cr.compile(graph, target=target)
        run = run.bind(run.initial_state())
        numbers = np.array([0, wrong, 4], np.int32)
        message = refused(partial(run, n=numbers), r"out of range.*size 5", r"0 to 4")
        assert str(line.origin.location) in message
        results = run(n=np.array([0, 1, 4], np.int32))
        np.testing.assert_array_equal(results[0], np.ones((3, 3)))


@TARGETS
def test_a_computed_index_that_is_wrong_ends_a_training(target: str) -> None:
    w = cr.parameter("w", (5,), 1.0)
    y = cr.input("y", ("batch",), dtype="int32")
    doubled = cr.take(w, y + 0, 0)
    wrong = cr.take(w, y * 2, 0)
    for size in (4, 3):  # whole batches alone, and a last smaller one
        step = optim.SGD(lr=0.1).minimize(cr.mean(doubled * wrong))
        declared = cr.training(step, epochs=2, batch_size=size, shuffle=False)
        program = cr.compile(declared, target=target)
        start = program.initial_state()
        y_values = np.array([0, 1, 2, 0, 1, 2, 1, 4], np.int32)
        run = partial(program.run, {"y": y_values}, state=start)
        message = refused(run, r"out of range.*size 5", r"0 to 4")
        assert str(wrong.origin.location) in message
        np.testing.assert_array_equal(start["w"], np.ones(5))
        assert int(program.run({"y": y_values[:7]}, state=start).state["step"]) > 0


def test_a_shape_mismatch_names_the_layer_both_shapes_and_both_lines() -> None:
    x = cr.input("x", ("batch", 63))
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), name="model")
    message = refused(lambda: model(x), r"model/linear1.*\[batch,63\].*\[64,32\]", r"64")
    assert len(re.findall(rf"{HERE}:\d+", message)) >= 3  # the call and both declarations


def test_element_types_that_do_not_mix() -> None:
    x, n = cr.input("x", (3,)), cr.input("n", (3,), dtype="int32")
    refused(lambda: x + n, r"f32.*i32", r"cr.astype")
    refused(lambda: n * 0.5, r"0.5.*i32", r"cr.astype")


def test_a_gradient_of_what_does_not_depend_on_it() -> None:
    x, z = cr.input("x", (3,)), cr.input("z", (3,))
    refused(lambda: cr.grad(cr.sum(x), z), r"does not depend on z.*no path", r"allow_unused")
    refused(lambda: cr.grad(x, x), r"scalar", r"cr.mean")
    rounded = cr.sum(cr.floor(x) * 1.0)
    refused(lambda: cr.grad(rounded, x), r"stops at floor", r"allow_unused")


def test_a_function_with_state_asks_for_it() -> None:
    x = cr.input("x", ("batch", 2))
    predict = cr.compile(nn.Linear(2, 2, name="layer")(x))
    refused(lambda: predict(x=np.ones((1, 2), np.float32)), r"'layer/weight'", r"bind")
    refused(lambda: predict.bind(cr.State({})), r"no value for layer/weight", r"")
    wrong = cr.State({"layer/weight": np.ones((3, 2), np.float32),
                      "layer/bias": np.ones(2, np.float32)})  # fmt: skip
    refused(lambda: predict.bind(wrong), r"layer/weight.*float32\[3, 2\]", r"f32\[2,2\]")


def test_two_layers_with_one_name() -> None:
    x = cr.input("x", ("batch", 2))
    first, second = nn.Linear(2, 2, name="layer"), nn.Linear(2, 2, name="layer")
    message = refused(lambda: cr.compile(second(first(x))), r"'layer/", r"name")
    assert len(re.findall(rf"{HERE}:\d+", message)) >= 2


def test_what_cannot_be_compiled() -> None:
    x = cr.input("x", ("batch", 2))
    refused(lambda: cr.compile(x, target="fortran"), r"no target 'fortran'", r"'llvm', 'numpy'")
    refused(lambda: cr.compile([]), r"nothing that can be compiled", r"node")
    refused(lambda: cr.compile(x, time=3), r"no named size 'time'", r"batch")
    refused(lambda: cr.compile(x, batch=0), r"batch=0", r"1 or more")


def test_a_training_that_makes_no_sense() -> None:
    x = cr.input("x", ("batch", 2))
    step = optim.SGD(lr=0.1).minimize(losses.squared_error(nn.Linear(2, 2, name="a")(x), x))
    refused(lambda: cr.training(step, epochs=0, batch_size=1), r"epochs", r"one epoch")
    refused(lambda: cr.training(step, epochs=1, batch_size=0), r"batch_size", r"one row")
    refused(lambda: cr.training(step, epochs=1, batch_size=1, seed=-1), r"seed", r"seed")
    metric = {"loss": step.loss}
    refused(lambda: cr.training(step, epochs=1, batch_size=1, metrics=metric), r"taken", r"name")
    metric = {"error": x}
    refused(lambda: cr.training(step, epochs=1, batch_size=1, metrics=metric), r"no scalar", r"")
    z = cr.input("z", (4, 2))
    fixed = optim.SGD(lr=0.1).minimize(losses.squared_error(nn.Linear(2, 2, name="b")(z), z))
    loop = cr.training(fixed, epochs=1, batch_size=1)
    refused(lambda: cr.compile(loop), r"one named size", r'"batch"')


@TARGETS
@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_a_number_of_threads_that_is_none(threads: int, target: str) -> None:
    x = cr.input("x", ("batch", 2))
    step = optim.SGD(lr=0.1).minimize(losses.squared_error(nn.Linear(2, 2, name="a")(x), x))
    loop = cr.training(step, epochs=1, batch_size=1)
    refused(lambda: cr.compile(loop, target=target, threads=threads), r"threads", r"1 or more")


def test_threads_are_refused_where_there_is_no_loop() -> None:
    refused(lambda: cr.compile(cr.input("x"), threads=2), r"threads are for a training", r"bind")


@TARGETS
@pytest.mark.parametrize(
    ("name", "value"),
    [("step", -1), ("step", 2**63 - 1), ("seed", -1), ("seed", 0.5), ("seed", [1, 2])],
)
def test_a_state_that_no_run_can_have_left(name: str, value: object, target: str) -> None:
    program, state = classifier(target)
    wrong = cr.State({**state, name: np.asarray(value)})
    refused(lambda: program.run(rows(), state=wrong), rf"state's '{name}'", r"initial_state")
    refused(lambda: program.evaluate(rows(), wrong), rf"state's '{name}'", r"initial_state")


def test_a_seed_that_is_none() -> None:
    program, _ = classifier()
    refused(lambda: program.initial_state(-1), r"initial_state: seed must be", r"such as 0")


def test_a_step_that_does_not_count() -> None:
    x, w = cr.input("x", ("batch",)), cr.parameter("w", (), 1.0)
    loss = cr.mean(x * w)
    step = optim.Step(loss, {w: w - 0.1}, (w,), ())
    refused(lambda: cr.training(step, epochs=1, batch_size=1), r"step counter", r"\+ 1")


@TARGETS
def test_two_sizes_for_one_name(target: str) -> None:
    a, b = cr.input("a", ("n",)), cr.input("b", ("n",))
    run = cr.compile(a + b, target=target)
    refused(lambda: run(a=np.ones(2, np.float32), b=np.ones(3, np.float32)), r"n.*[23].*[23]", r"")


def test_a_node_is_no_number() -> None:
    x = cr.input("x", (3,))
    refused(lambda: bool(x < 1.0), r"no truth value", r"cr.where")
    refused(lambda: list(x), r"unpacked or looped", r"index")
