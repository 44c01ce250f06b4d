"""Calls that a newcomer tries: each works where its meaning is plain, or says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainc import ir
from chainrule import losses, metrics, nn, optim

X, Y = np.ones((4, 3), np.float32), np.zeros(4, np.int32)
DATA = {"x": X, "y": Y}
x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch",), dtype="int32")
model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
logits = model(x)
loss = losses.cross_entropy(logits, y)
step = optim.SGD(lr=0.1).minimize(loss)
share = metrics.accuracy(logits, y)

training: Callable[..., Any] = cr.training  # what follows is no call that its types allow
compile: Callable[..., Any] = cr.compile


@pytest.fixture(scope="module")
def program() -> Any:
    return compile(training(step, epochs=1, batch_size=2))


@pytest.fixture(scope="module")
def result(program: Any) -> Any:
    return program.run(DATA)


def says(call: Callable[[], object], *parts: str) -> None:
    with pytest.raises(cr.ChainruleError) as caught:
        call()
    text = str(caught.value)
    for part in (*parts, "where: ", "test_first_calls.py", "try: "):
        assert part in text


def test_the_only_input_is_given_by_position(result: Any) -> None:
    predict = compile(logits).bind(result.state)
    np.testing.assert_array_equal(predict(X), predict(x=X))
    np.testing.assert_array_equal(predict(X.tolist()), predict(x=X))


def test_values_by_position_are_in_the_order_of_declaration() -> None:
    both = compile(cr.astype(y, "float32") - cr.sum(x, axis=1))  # the graph reads y first
    for given in (both(X, Y), both([X, Y]), both((X.tolist(), Y))):
        np.testing.assert_array_equal(given, both(x=X, y=Y))


def test_values_without_a_place_need_names() -> None:
    names = '{"x": ..., "y": ...}'
    both = compile(cr.sum(x, axis=1) + cr.astype(y, "float32"))
    says(lambda: both(X), "which of 2 inputs a value is for is not said", names)
    says(lambda: both(X, Y, Y), "there are 3 values for 2 inputs", names)
    says(lambda: both([X]), "there is 1 value for 2 inputs", names)
    says(lambda: compile(cr.sum(x))(X, Y), "there are 2 values for 1 input", '{"x": ...}')
    a, b = (cr.input(name, (3,)) for name in "ab")
    says(lambda: compile(a - b)([1, 2, 3], [4, 5, 6]), "not said by its place", '{"a": ..., "b"')


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_data_is_given_in_the_order_of_declaration(target: str) -> None:
    source = cr.input("source", ("batch", 1))
    wanted = cr.input("wanted", ("batch", 1))
    w = cr.parameter("w", (), 1.0)
    loss = cr.mean(cr.square(wanted - w * source))  # the graph reads what is wanted first
    program = compile(
        training(optim.SGD(lr=0.1).minimize(loss), epochs=2, batch_size=4), target=target
    )
    a, b = X[:, :1], np.arange(4, dtype=np.float32)[:, None]
    named, by_place = {"source": a, "wanted": b}, [a, b]
    result = program.run(named)
    assert program.run(by_place, validation=(a, b)).state == result.state
    assert program.evaluate(by_place, result) == program.evaluate(named, result)
    assert program.evaluate([b, a], result) != program.evaluate(named, result)


def test_data_without_a_place_needs_names(program: Any) -> None:
    says(lambda: program.run(X), "which of 2 inputs a value is for is not said", '"x": ...')
    says(lambda: program.run(DATA, validation=X), "is not said", '"x": ...')
    says(lambda: program.run([X, Y, Y]), "there are 3 values for 2 inputs", '"x": ...')


def test_data_is_one_argument(program: Any) -> None:
    says(lambda: program.run(X, Y), "run: 2 values by position", "run([x, y])")
    says(lambda: program.run(DATA, DATA), "run: 2 values by position", "validation=")


def test_an_evaluation_is_of_a_state(program: Any) -> None:
    says(lambda: program.evaluate(DATA), "evaluate: there is no state", "result.state")
    says(lambda: program.evaluate(DATA, Y), "a ndarray is no state", "result.state")


def test_epochs_and_the_size_of_a_batch_are_asked_for() -> None:
    says(lambda: training(step), "epochs must be a whole number", "epochs=10")
    says(lambda: training(step, epochs=1), "batch_size must be a whole number", "batch_size=32")


def test_a_result_stands_for_its_state(program: Any, result: Any) -> None:
    predict = compile(logits)
    np.testing.assert_array_equal(predict.bind(result)(X), predict.bind(result.state)(X))
    assert program.run(DATA, state=result).state == program.run(DATA, state=result.state).state
    assert program.evaluate(DATA, result) == program.evaluate(DATA, result.state)


def test_what_is_no_state_is_refused() -> None:
    predict = compile(logits)
    says(lambda: predict.bind(None), "a NoneType is no state", "result.state")
    says(lambda: predict.bind(model), "a Sequential is no state")


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (loss, "a loss is no step"),
        (optim.SGD(lr=0.1), "a SGD is no step"),
        (model, "a Sequential is no step"),
    ],
)
def test_a_training_is_of_a_step(what: object, told: str) -> None:
    says(lambda: training(what, epochs=1, batch_size=2), told, "minimize(loss)")


def test_metrics_of_a_list_are_called_as_their_variables() -> None:
    def names(given: object) -> object:
        return training(step, epochs=1, batch_size=2, metrics=given).names

    largest = cr.max(logits)
    declared = training(step, epochs=1, batch_size=2, metrics=[share, largest])
    assert declared.names == ("loss", "share", "largest")
    assert names([metrics.accuracy(logits, y)]) == ("loss", "accuracy")
    says(lambda: names([cr.min(logits), cr.min(logits)]), "two metrics are called 'min'")


@pytest.mark.parametrize("given", [["accuracy"], "accuracy", {"a": metrics.accuracy}])
def test_metrics_are_nodes(given: object) -> None:
    def declared() -> object:
        return training(step, epochs=1, batch_size=2, metrics=given)

    says(declared, "is no metric", "metrics.accuracy(logits, labels)")


@pytest.mark.parametrize(
    ("what", "hint"),
    [
        (says, "call it first"),
        (model, "call it first"),
        (nn.Linear, "call it first"),
        (optim.SGD(lr=0.1), "cr.training(optimizer.minimize(loss)"),
        (None, "give a node"),
        (3, "give a node"),
        (X, "give a node"),
    ],
)
def test_what_is_compiled_is_a_declaration(what: object, hint: str) -> None:
    says(lambda: compile(what), "is nothing that can be compiled", hint)


def nothing(graph: ir.Graph) -> ir.Graph:
    """Nothing at all."""
    return graph


def test_passes_are_given_by_name_or_as_functions() -> None:
    program = compile(loss, passes=["cse", nothing])
    assert [stage.name for stage in program.stages] == ["declared", "cse", "nothing"]
    assert program.stages[-1].meaning == "Nothing at all."
    assert [stage.name for stage in compile(loss, passes="fold").stages] == ["declared", "fold"]
    says(lambda: compile(loss, passes=["csee"]), "'csee' is no pass", "canonicalize")
    says(lambda: compile(loss, passes=[3]), "3 is no pass")
