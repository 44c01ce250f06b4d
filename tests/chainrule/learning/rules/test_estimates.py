"""Rules that estimate the gradient by trials: their means, and their formulas."""

import numpy as np
import pytest
from tests.chainrule.learning.networks import Problem, cosine

import chainrule as cr
from chainrule import learning

MEANS = [
    (learning.ForwardGradient(samples=4000), 0.97),
    (learning.ForwardGradient(samples=2000, by_layer=True), 0.97),
    (learning.WeightPerturbation(samples=4000, sigma=0.003), 0.97),
    (learning.EvolutionStrategies(population=4000, sigma=0.01), 0.95),
]


def exact(problem: Problem, state: dict[str, np.ndarray]) -> list[np.ndarray]:
    run = cr.compile(cr.grad(problem.loss, problem.parameters), target="numpy")
    values = {name: state[name] for name in run.initial_state(seed=0)}
    return list(run.bind(cr.State(values))(**problem.data))


@pytest.mark.parametrize(("rule", "least"), MEANS, ids=lambda given: getattr(given, "name", ""))
def test_the_mean_points_along_the_gradient(rule: learning.Rule, least: float) -> None:
    problem = Problem()
    found = problem.signals(rule, "llvm")
    names = [p.op.label for p in problem.parameters]
    whole = [
        np.concatenate([part.ravel() for part in parts])
        for parts in ([found[f"signal of {name}"] for name in names], exact(problem, found))
    ]
    assert cosine(*whole) > least
    if not isinstance(rule, learning.EvolutionStrategies):  # whose ranks have no scale
        assert 0.9 < np.linalg.norm(whole[0]) / np.linalg.norm(whole[1]) < 1.3


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_numeric_differences_are_the_gradient(target: str) -> None:
    problem = Problem()
    found = problem.signals(learning.Numeric(), target)
    for parameter, wanted in zip(problem.parameters, exact(problem, found), strict=True):
        assert np.allclose(found[f"signal of {parameter.op.label}"], wanted, atol=5e-4)


def test_perturbed_nodes_give_the_gradient_of_their_layers_in_the_mean() -> None:
    problem = Problem()
    found = problem.signals(learning.NodePerturbation(samples=4000, sigma=0.003), "llvm")
    for parameter, wanted in zip(problem.parameters, exact(problem, found), strict=True):
        signal = found[f"signal of {parameter.op.label}"]
        assert cosine(signal, wanted) > 0.95
        assert 0.85 < np.linalg.norm(signal) / np.linalg.norm(wanted) < 1.2


def test_evolution_counts_ranks_alone() -> None:
    """A loss that rises with the old one gives the same signals, bit for bit."""
    problem = Problem()
    rule = learning.EvolutionStrategies(population=16, sigma=0.1)
    plain = problem.signals(rule)
    problem.loss = cr.exp(3.0 * problem.loss)
    bent = problem.signals(rule)
    assert all(np.array_equal(plain[name], bent[name]) for name in plain)


@pytest.mark.parametrize(
    "rule",
    [learning.ForwardGradient(samples=2), learning.EvolutionStrategies(population=4, sigma=0.1)],
    ids=lambda rule: rule.name,
)
def test_each_step_draws_anew_and_both_targets_draw_the_same(rule: learning.Rule) -> None:
    problem = Problem()
    first, later = problem.signals(rule), problem.signals(rule, steps=5)
    native = problem.signals(rule, "llvm")
    for name in first:
        if name.startswith("signal of"):
            assert np.allclose(first[name], native[name], rtol=1e-3, atol=1e-5)
            assert not np.allclose(first[name], later[name], rtol=1e-3)
