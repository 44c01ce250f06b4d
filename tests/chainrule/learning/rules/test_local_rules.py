"""Rules whose signals stay within a layer: their formulas in NumPy, and what they learn."""

from collections.abc import Iterator

import numpy as np
import pytest
from tests.chainrule.learning.networks import Problem, Values

import chainrule as cr
from chainrule import learning, metrics, nn, optim

SPREAD = np.array([3.0, 2.0, 1.0, 0.3, 0.1])


def test_oja_finds_the_principal_components() -> None:
    draw = np.random.default_rng(0)
    axes = np.linalg.qr(draw.normal(size=(5, 5)))[0]
    rows = (draw.normal(size=(400, 5)) * SPREAD @ axes.T).astype("f4")
    x = cr.input("x", ("batch", 5))
    model = nn.Linear(5, 2, bias=False)
    y = model(x)
    loss = cr.mean(cr.square(x - y @ model.weight.T))
    step = optim.SGD(lr=0.01).minimize(loss, rule=learning.Oja(), model=model)
    program = cr.compile(cr.training(step, epochs=40, batch_size=20), target="numpy")
    weight = program.run({"x": rows}, progress=False).state["model/weight"]
    exact = np.linalg.eigh(rows.T @ rows)[1][:, ::-1][:, :2]
    assert np.allclose(np.abs(exact.T @ weight), np.eye(2), atol=0.08)


def test_hebb_is_the_product_of_what_is_read_and_given() -> None:
    problem = Problem()
    found = problem.signals(learning.Hebb(readout=True))
    x, weight = problem.data["x"], found["model/linear1/weight"]
    given = x @ weight + found["model/linear1/bias"]
    assert np.allclose(found["signal of model/linear1/weight"], -x.T @ (x @ weight) / 8, atol=1e-5)
    assert not np.any(found["signal of model/linear1/bias"])
    assert given.shape == (8, 6)


def test_a_local_loss_is_that_of_the_layers_own_readout() -> None:
    problem = Problem()
    found = problem.signals(learning.LocalLosses())
    x, y = problem.data["x"], problem.data["y"]
    hidden = np.tanh(x @ found["model/linear1/weight"] + found["model/linear1/bias"])
    readout = found["readout/model/linear1/weight"]
    odds = np.exp(hidden @ readout)
    odds /= odds.sum(axis=1, keepdims=True)
    odds[np.arange(8), y] -= 1
    error = odds / 8
    assert np.allclose(found["signal of readout/model/linear1/weight"], hidden.T @ error, atol=1e-6)
    own = error @ readout.T * (1 - hidden**2)
    assert np.allclose(found["signal of model/linear1/weight"], x.T @ own, atol=1e-6)


def test_targets_go_down_by_learned_inverses() -> None:
    problem = Problem()
    found = problem.signals(learning.TargetPropagation(rate=0.5, noise=0.0))
    x = problem.data["x"]
    first = np.tanh(x @ found["model/linear1/weight"] + found["model/linear1/bias"])
    second = np.tanh(first @ found["model/linear2/weight"] + found["model/linear2/bias"])
    odds = np.exp(second @ found["model/linear3/weight"] + found["model/linear3/bias"])
    odds /= odds.sum(axis=1, keepdims=True)
    odds[np.arange(8), problem.data["y"]] -= 1
    slope = odds / 8 @ found["model/linear3/weight"].T
    target = -0.5 * slope @ found["inverse/model/linear2/weight"]  # g(z) - g(h), without the bias
    own = -target * (1 - first**2)
    assert np.allclose(found["signal of model/linear1/weight"], x.T @ own, atol=1e-6)
    error = second @ found["inverse/model/linear2/weight"] - first
    wanted = 2 * second.T @ error / error.size
    assert np.allclose(found["signal of inverse/model/linear2/weight"], wanted, atol=1e-6)


def test_forward_forward_makes_right_labels_good_and_wrong_ones_bad() -> None:
    problem = Problem(nn.ReLU, 12, 24, 24, 3)
    rule = learning.ForwardForward(threshold=1.0)
    scores = rule.scores(problem.loss, problem.model)
    step = optim.Adam(lr=0.02).minimize(problem.loss, rule=rule, model=problem.model)
    accuracy = metrics.accuracy(scores, problem.y)
    training = cr.training(step, epochs=150, batch_size=8, metrics={"accuracy": accuracy})
    history = cr.compile(training).run(problem.data, progress=False).history["accuracy"]
    assert history[-1] > max(0.8, history[0])


def ways_forward(found: Values, data: Values) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each hidden layer's name, what it reads and what it gives, with right and wrong labels."""
    for labels in (data["y"], 1 - data["y"]):
        read = np.concatenate([np.eye(2)[labels], data["x"][:, 2:]], axis=1)
        for layer in ("model/linear1", "model/linear2"):
            given = np.maximum(read @ found[f"{layer}/weight"] + found[f"{layer}/bias"], 0)
            yield layer, read, given
            read = given / np.sqrt((given**2).mean(axis=1, keepdims=True) + 1e-8)


def test_forward_forward_is_the_loss_of_each_layer_alone() -> None:
    problem = Problem(nn.ReLU, 12, 6, 4, 2)  # of two classes, the wrong one is the other
    found = problem.signals(learning.ForwardForward(threshold=1.5, peer=0.0))
    wanted = {"model/linear1": np.zeros((12, 6)), "model/linear2": np.zeros((6, 4))}
    for sign, ways in ((-1, 0), (1, 2)):
        for layer, read, given in list(ways_forward(found, problem.data))[ways : ways + 2]:
            goodness = (given**2).mean(axis=1, keepdims=True)
            slope = sign / (1 + np.exp(-sign * (goodness - 1.5))) / len(read)
            wanted[layer] += read.T @ (slope * 2 * given / given.shape[1])
    for layer, signal in wanted.items():
        assert np.allclose(found[f"signal of {layer}/weight"], signal, atol=1e-5)


@pytest.mark.parametrize("negatives", ["own", "shuffle"])
def test_forward_forward_makes_bad_data_of_its_own(negatives: str) -> None:
    problem = Problem(nn.ReLU, 12, 6, 4, 3)
    rule = learning.ForwardForward(threshold=1.0, negatives=negatives)
    program = cr.compile(cr.training(problem.step(rule), epochs=30, batch_size=4), target="numpy")
    found = program.run(problem.data, progress=False)
    first = program.initial_state(seed=0)
    assert np.isfinite(found.history["loss"]).all()
    assert not np.array_equal(first["model/linear1/weight"], found.state["model/linear1/weight"])
