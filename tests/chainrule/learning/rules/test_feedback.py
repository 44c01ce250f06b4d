"""Feedback alignment, direct and through the layers, against the formulas in NumPy."""

import numpy as np
import pytest
from tests.chainrule.learning.networks import Problem, Values, cosine

import chainrule as cr
from chainrule import learning, losses, nn, optim


def way_forward(values: Values, data: Values) -> tuple[list[np.ndarray], np.ndarray]:
    """What each layer reads, and the derivative of the loss for the output."""
    read = [data["x"]]
    for layer in (1, 2):
        z = read[-1] @ values[f"model/linear{layer}/weight"] + values[f"model/linear{layer}/bias"]
        read.append(np.tanh(z))
    logits = read[-1] @ values["model/linear3/weight"] + values["model/linear3/bias"]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    odds[np.arange(len(odds)), data["y"]] -= 1
    return read, odds / len(odds)


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_feedback_alignment_reads_random_matrices_on_the_way_back(target: str) -> None:
    problem = Problem()
    found = problem.signals(learning.FeedbackAlignment(), target)
    read, error = way_forward(found, problem.data)
    for layer in (3, 2, 1):
        signal = found[f"signal of model/linear{layer}/weight"]
        assert np.allclose(signal, read[layer - 1].T @ error, atol=1e-6)
        assert np.allclose(found[f"signal of model/linear{layer}/bias"], error.sum(0), atol=1e-6)
        if layer > 1:
            matrix = found[f"feedback/model/linear{layer}/weight"]
            assert not np.array_equal(matrix, found[f"model/linear{layer}/weight"])
            error = error @ matrix.T * (1 - read[layer - 1] ** 2)


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_direct_feedback_alignment_projects_the_error_of_the_output(target: str) -> None:
    problem = Problem()
    found = problem.signals(learning.DirectFeedbackAlignment(), target)
    read, error = way_forward(found, problem.data)
    assert np.allclose(found["signal of model/linear3/weight"], read[2].T @ error, atol=1e-6)
    for layer in (1, 2):
        matrix = found[f"feedback/model/linear{layer}/weight"]
        own = error @ matrix * (1 - read[layer] ** 2)
        weight = found[f"signal of model/linear{layer}/weight"]
        assert np.allclose(weight, read[layer - 1].T @ own, atol=1e-6)
        assert np.allclose(found[f"signal of model/linear{layer}/bias"], own.sum(0), atol=1e-6)


def test_equal_feedback_is_backpropagation() -> None:
    problem = Problem()
    step = problem.step(learning.FeedbackAlignment())
    run = cr.compile([*step.gradients, *cr.grad(problem.loss, problem.parameters)], target="numpy")
    values = dict(run.initial_state(seed=0))
    for name in values:
        if name.startswith("feedback/"):
            values[name] = values[name.removeprefix("feedback/")]
    found = run.bind(cr.State(values))(**problem.data)
    count = len(problem.parameters)
    for signal, exact in zip(found[:count], found[count:], strict=True):
        assert np.allclose(signal, exact, atol=1e-7)


@pytest.mark.parametrize(
    "rule", [learning.FeedbackAlignment(), learning.DirectFeedbackAlignment()], ids=lambda r: r.name
)
def test_the_signals_come_to_agree_with_the_gradient(rule: learning.Rule) -> None:
    problem = Problem()
    step = problem.step(rule)
    run = cr.compile([*step.gradients, *cr.grad(problem.loss, problem.parameters)], target="numpy")
    trained = cr.compile(cr.training(step, epochs=300, batch_size=4), target="numpy").run(
        problem.data, progress=False
    )
    found = run.bind(trained.state)(**problem.data)
    count, second = len(problem.parameters), 2  # the weight of the second layer
    assert problem.parameters[second].op.label == "model/linear2/weight"
    assert cosine(found[second], found[second + count]) > 0.3


@pytest.mark.parametrize(
    "rule", [learning.FeedbackAlignment(), learning.DirectFeedbackAlignment()], ids=lambda r: r.name
)
def test_images_and_normalised_layers_are_trained(rule: learning.Rule) -> None:
    x, y = cr.input("x", ("batch", 1, 6, 6)), cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(27, 2),
    )
    loss = losses.cross_entropy(model(x), y) + 0.001 * cr.sum(model.layers[0].weight ** 2)
    step = optim.Adam(lr=0.02).minimize(loss, rule=rule, model=model)
    draw = np.random.default_rng(0)
    labels = np.arange(32, dtype=np.int32) % 2
    images = draw.normal(size=(32, 1, 6, 6)).astype("f4")
    images[labels == 1, :, :3] += 1.5
    program = cr.compile(cr.training(step, epochs=15, batch_size=8), target="numpy")
    losses_of = program.run({"x": images, "y": labels}, progress=False).history["loss"]
    assert losses_of[-1] < 0.5 * losses_of[0]


def test_a_penalty_counts_beside_the_projected_error() -> None:
    problem = Problem()
    plain = problem.signals(learning.DirectFeedbackAlignment())
    weight = problem.parameters[0]
    problem.loss = problem.loss + 0.5 * cr.sum(weight**2)
    added = problem.signals(learning.DirectFeedbackAlignment())
    name = "signal of model/linear1/weight"
    assert np.allclose(added[name] - plain[name], added["model/linear1/weight"], atol=1e-6)
