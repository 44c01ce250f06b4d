"""The graph of a step by each rule: what the rule adds stands in a box of its name."""

import re

import pytest
from tests.chainrule.learning.networks import Problem

from chainrule import learning, nn

RULES = (
    learning.Numeric(),
    learning.ForwardGradient(samples=8),
    learning.EvolutionStrategies(),
    learning.WeightPerturbation(),
    learning.NodePerturbation(),
    learning.FeedbackAlignment(),
    learning.DirectFeedbackAlignment(),
    learning.TargetPropagation(),
    learning.ForwardForward(),
    learning.LocalLosses(),
    learning.Oja(),
)
NOT_BOXED = ("feedback_alignment",)  # its graph is that of backpropagation, with other matrices


def drawn(rule: learning.Rule) -> list[str]:
    """The texts of its picture, with layers closed."""
    picture = Problem(nn.ReLU).step(rule).graph.draw(detail="layers")
    return re.findall(r">([^<>\n]+)</text>", picture.svg())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_a_box_and_layers_are_closed(rule: learning.Rule) -> None:
    found = drawn(rule)
    assert "layers closed" in found
    assert len(found) < 150
    assert (rule.name in found or f"∂ {rule.name}" in found) == (rule.name not in NOT_BOXED)
    assert {"linear1", "linear2", "linear3", "cross_entropy", "sgd"} <= set(found)


def test_backpropagation_adds_nothing() -> None:
    found = drawn(learning.Backprop())
    assert "backprop" not in found
    assert {"∂ linear1", "∂ linear2", "∂ linear3"} <= set(found)


def test_a_population_votes_in_steps_that_are_seen() -> None:
    assert {"neighbours", "ranks", "votes"} <= set(drawn(learning.EvolutionStrategies()))
