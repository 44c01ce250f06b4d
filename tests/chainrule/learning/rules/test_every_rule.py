"""What holds for each rule: both targets, any number of threads, a run that goes on."""

import numpy as np
import pytest
from tests.chainrule.learning.networks import Problem

import chainrule as cr
from chainrule import learning, nn

RULES = [
    learning.Backprop(),
    learning.DirectFeedbackAlignment(),
    learning.EvolutionStrategies(population=6, sigma=0.05),
    learning.FeedbackAlignment(),
    learning.ForwardForward(threshold=1.0),
    learning.ForwardForward(threshold=1.0, negatives="shuffle"),
    learning.ForwardGradient(samples=3),
    learning.Hebb(readout=True),
    learning.LocalLosses(),
    learning.NodePerturbation(samples=2),
    learning.Numeric(),
    learning.Oja(readout=True),
    learning.TargetPropagation(),
    learning.WeightPerturbation(samples=2),
]
OFTEN = ("evolution_strategies", "forward_forward", "target_propagation")


def trained(problem: Problem, rule: learning.Rule, target: str, threads: int = 1) -> cr.State:
    """Three epochs, the last of them in a run that goes on."""
    declared = cr.training(problem.step(rule, lr=0.01), epochs=2, batch_size=4)
    program = cr.compile(declared, target=target, threads=threads)
    first = program.run(problem.data, progress=False)
    whole = program.run(problem.data, epochs=3, progress=False).state
    resumed = program.run(problem.data, epochs=1, state=first.state, progress=False).state
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)
    return whole


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(rule, marks=() if rule.name in OFTEN else pytest.mark.nightly, id=str(rule))
        for rule in RULES
    ],
)
def test_a_rule_compiles_to_the_same_loop_everywhere(rule: learning.Rule) -> None:
    problem = Problem(nn.ReLU, 8, 6, 5, 3)
    native = trained(problem, rule, "llvm")
    threaded = trained(problem, rule, "llvm", threads=2)
    assert all(np.array_equal(native[name], threaded[name]) for name in native)
    plain = trained(problem, rule, "numpy")
    for name in native:
        assert np.allclose(native[name], plain[name], rtol=5e-3, atol=5e-4), name
