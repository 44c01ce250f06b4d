"""How a model is read as blocks, and what is refused."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.chainrule.learning.networks import Problem

import chainrule as cr
from chainrule import learning, losses, nn, optim
from chainrule.learning.network import Network, network_of


class Residual(nn.Module):
    """x + inner(x), where the inner layers have weights."""

    def __init__(self, *inner: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Sequential(*inner)

    def forward(self, x: cr.Node) -> cr.Node:
        return x + self.inner(x)


def read(loss: cr.Node, model: nn.Module, *, chain: bool = False) -> Network:
    objective = learning.Objective(loss, tuple(model.parameters()), model)
    return network_of("Rule", objective, chain=chain)


def loss_of(output: cr.Node) -> cr.Node:
    return losses.cross_entropy(output, cr.input("y", ("batch",), dtype="int32"))


def test_a_block_ends_where_the_next_weights_read() -> None:
    problem = Problem()
    network = read(problem.loss, problem.model, chain=True)
    assert [block.name for block in network.blocks] == [f"model/linear{n}" for n in (1, 2, 3)]
    assert [block.exit.op.name for block in network.blocks] == ["tanh", "tanh", "add"]
    assert network.output is problem.output
    assert [len(block.parameters) for block in network.blocks] == [2, 2, 2]


def test_views_and_padding_belong_to_who_reads_them() -> None:
    x = cr.input("x", ("batch", 1, 6, 6))
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 2, 3, padding=1), nn.Flatten()
    )
    network = read(cr.mean(model(x)), model, chain=True)
    assert [block.exit.shape[1:] for block in network.blocks] == [(2, 6, 6), (72,)]


def test_a_residual_layer_is_trained_by_projected_errors_alone() -> None:
    x = cr.input("x", ("batch", 4))
    inner = Residual(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))
    model = nn.Sequential(nn.Linear(4, 6), inner, nn.Linear(6, 2))
    loss = loss_of(model(x))
    step = optim.SGD(lr=0.1).minimize(loss, rule=learning.DirectFeedbackAlignment(), model=model)
    assert len(step.gradients) == 8
    with pytest.raises(cr.GraphError, match="inner/linear2 does not read the layer bef"):
        optim.SGD(lr=0.1).minimize(loss, rule=learning.TargetPropagation(), model=model)


X = cr.input("x", ("batch", 4))
TIED = nn.Linear(4, 4)
TWICE = nn.MLP(4, 4, 2)
REFUSED = [
    (None, cr.mean(nn.Linear(4, 2)(X)), "it is given no model", "model=model"),
    (nn.Linear(4, 2), cr.mean(nn.Linear(4, 2)(X)), "is no parameter of", r"model\.parameters\(\)"),
    (TWICE, cr.mean(TWICE(X) + TWICE(2.0 * X)), "is applied several times", "once"),
]


@pytest.mark.parametrize(("model", "loss", "what", "hint"), REFUSED)
def test_what_is_no_network_is_refused(
    model: nn.Module | None, loss: cr.Node, what: str, hint: str
) -> None:
    with pytest.raises(cr.GraphError, match=f"(?s){what}.*try.*{hint}"):
        optim.SGD(lr=0.1).minimize(loss, rule=learning.DirectFeedbackAlignment(), model=model)


def test_a_loop_is_refused_by_its_layer() -> None:
    x = cr.input("x", ("batch", 5, 3))
    model = nn.LSTM(3, 4)
    with pytest.raises(cr.GraphError, match="model is a loop, in which each step would need"):
        optim.SGD(lr=0.1).minimize(
            cr.mean(model(x)), rule=learning.FeedbackAlignment(), model=model
        )


def test_shared_weights_are_refused() -> None:
    model = nn.Sequential(TIED, nn.Tanh(), TIED, nn.Tanh(), nn.Linear(4, 2))
    with pytest.raises(cr.GraphError, match="share model/linear1/weight"):
        optim.SGD(lr=0.1).minimize(
            loss_of(model(X)), rule=learning.DirectFeedbackAlignment(), model=model
        )


def test_a_skip_past_a_normalisation_is_refused_but_by_who_needs_no_layers() -> None:
    x = cr.input("x", ("batch", 3, 4))
    model = nn.TransformerBlock(4, 2)
    loss = cr.mean(cr.square(model(x)))
    step = optim.SGD(lr=0.1).minimize(loss, rule=learning.FeedbackAlignment(), model=model)
    assert len(step.gradients) == len(model.parameters())
    with pytest.raises(cr.GraphError, match="attention/output gives passes by the layer after it"):
        optim.SGD(lr=0.1).minimize(loss, rule=learning.LocalLosses(), model=model)


@pytest.mark.parametrize(
    "rule",
    [
        learning.ForwardForward(threshold=0.5, negatives="shuffle"),
        learning.TargetPropagation(),
        learning.NodePerturbation(),
    ],
    ids=lambda rule: rule.name,
)
def test_statistics_are_kept_of_the_data_alone(rule: learning.Rule) -> None:
    """A rule applies layers to other values too; what they keep is of their own input."""
    x = cr.input("x", ("batch", 4))
    last = [nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2)]
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), *last)
    step = optim.SGD(lr=1e-9).minimize(loss_of(model(x)), rule=rule, model=model)
    backprop = optim.SGD(lr=1e-9).minimize(loss_of(model(x)))
    rows = np.random.default_rng(0).normal(size=(8, 4)).astype("f4")
    data = {"x": rows, "y": np.arange(8, dtype=np.int32) % 2}
    kept = [
        cr.compile(cr.training(each, epochs=1, batch_size=8), target="numpy")
        .run(data, progress=False)
        .state["model/batchnorm1d1/running_mean"]
        for each in (step, backprop)
    ]
    assert np.allclose(kept[0], kept[1], atol=1e-6)
    assert np.any(kept[0])


def test_a_loss_that_reads_inside_the_model_is_refused() -> None:
    problem = Problem()
    inner = read(problem.loss, problem.model).blocks[0].exit
    problem.loss = problem.loss + cr.mean(inner)
    with pytest.raises(cr.GraphError, match="the loss reads 2 values of model"):
        problem.step(learning.LocalLosses())


BAD = [
    (lambda: learning.EvolutionStrategies(population=1), "a population of 1 does not come in pai"),
    (lambda: learning.EvolutionStrategies(sigma=0), "sigma"),
    (lambda: learning.ForwardGradient(samples=0), "samples"),
    (lambda: learning.ForwardForward(threshold=0.0), "threshold"),
    (lambda: learning.ForwardForward(negatives="none"), "negatives='none' are none"),
    (lambda: learning.Numeric(step=0.0), "step"),
    (lambda: learning.TargetPropagation(rate=0.0), "rate"),
    (lambda: learning.WeightPerturbation(sigma=-1.0), "sigma"),
    (
        lambda: Problem().step(learning.ForwardForward()),
        "no goodness reaches the threshold 2 in mo",
    ),
    (lambda: Problem(nn.ReLU, 3, 6, 3).step(learning.ForwardForward()), "3 elements has no room"),
    (lambda: Problem(nn.ReLU, 900, 900, 3).step(learning.Numeric()), "813,603 weights take 1,627"),
]


@pytest.mark.parametrize(("declare", "what"), BAD)
def test_settings_that_cannot_work_are_refused(declare: Callable[[], object], what: str) -> None:
    with pytest.raises(cr.ChainruleError, match=f"(?s){what}.*try"):
        declare()


def test_a_rule_without_labels_says_so() -> None:
    x = cr.input("x", ("batch", 6))
    model = nn.MLP(6, 8, 2)
    with pytest.raises(cr.GraphError, match="reads no labels"):
        optim.SGD(lr=0.1).minimize(cr.mean(model(x)), rule=learning.ForwardForward(), model=model)


def test_convolutions_have_no_hebbian_rule() -> None:
    x = cr.input("x", ("batch", 1, 6, 6))
    model = nn.Conv2d(1, 2, 3)
    with pytest.raises(cr.GraphError, match="model is no product of rows with a matrix"):
        optim.SGD(lr=0.1).minimize(cr.mean(model(x)), rule=learning.Oja(), model=model)
