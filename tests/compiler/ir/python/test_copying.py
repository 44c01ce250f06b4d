"""Copies and pickles of nodes: the same meaning, slots of their own, and no recursion."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainc.ir.python.copying import ancestry
from chainrule import losses, nn, optim

HERE = r"(.|\n)*where: .*test_copying\.py:\d+(.|\n)*try: pickle the model and the state"
X, Y = cr.input("x", ("batch", 2)), cr.input("y", ("batch", 1))
ROWS = {"x": np.arange(8, dtype=np.float32).reshape(4, 2), "y": np.ones((4, 1), np.float32)}


def deep(count: int) -> cr.Node:
    node: cr.Node = cr.parameter("w", (), 1.0)
    for _ in range(count // 2):
        node = node * 0.999 + 0.001
    return node


def test_a_graph_of_ten_thousand_nodes_is_copied_and_pickled() -> None:
    node = deep(5_100)
    (gradient,) = cr.grad(node, [node.inputs[0].inputs[0]])
    count, text = len(ancestry([gradient])), cr.Graph([gradient]).text()
    assert count > 10_000
    for made in (copy.deepcopy(gradient), pickle.loads(pickle.dumps(gradient))):
        assert made is not gradient
        assert len(ancestry([made])) == count
        assert cr.Graph([made]).text() == text


def test_what_holds_no_state_is_its_own_copy() -> None:
    node = cr.tanh(X) * 2.0
    assert copy.deepcopy(node) is node
    assert copy.copy(node) is node
    assert copy.deepcopy(cr.step_counter()) is cr.step_counter()


def test_a_copied_gradient_speaks_of_the_copied_nodes() -> None:
    w = cr.parameter("w", (), 2.0)
    y = cr.sin(w * 3.0)
    pair = (y, cr.grad(y, w))
    for forward, gradient in (copy.deepcopy(pair), pickle.loads(pickle.dumps(pair[::-1]))[::-1]):
        derivative = gradient.origin.derivative
        assert derivative is not None
        assert derivative.forward is not pair[1].origin.derivative.forward  # type: ignore[union-attr]
        (slot,) = {node.op for node in ancestry([forward, gradient]) if node.op.name == "state"}
        assert slot is not w.op
        run = cr.compile([forward, gradient])
        results = run.bind(run.initial_state())()
        np.testing.assert_allclose(results, [np.sin(6), 3 * np.cos(6)], rtol=1e-6)


def test_a_copied_step_trains_on_its_own() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1), name="model")
    step = optim.Adam(lr=0.1).minimize(losses.squared_error(model(X), Y))
    other = copy.deepcopy(step)
    assert not set(step.parameters) & set(other.parameters)
    results = [
        cr.compile(cr.training(each, epochs=2, batch_size=2)).run(ROWS).state
        for each in (step, other)
    ]
    assert results[0] == results[1]


def test_compiled_things_are_copied_with_their_state_or_refuse() -> None:
    w = cr.parameter("w", (), 1.0)
    run = cr.compile(cr.Graph([w * 2.0], {w: w + 1.0}))
    run = run.bind(run.initial_state())
    for made in (copy.copy(run), copy.deepcopy(run)):
        assert made()[0] == 2
        assert made()[0] == 4
    assert run()[0] == 2
    loss = losses.squared_error(nn.Linear(2, 1, name="a")(X), Y)
    program = cr.compile(cr.training(optim.SGD(lr=0.1).minimize(loss), epochs=1, batch_size=2))
    assert copy.deepcopy(program).run(ROWS).state == program.run(ROWS).state
    for thing, name in ((run, "Function"), (program, "TrainingProgram")):
        with pytest.raises(cr.GraphError, match=f"a compiled {name} is code{HERE}"):
            pickle.dumps(thing)
