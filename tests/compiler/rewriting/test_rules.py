"""Rules and sets of them."""

from collections.abc import Callable

import pytest
from tests.compiler.rewriting.equations import (
    an_input,
    applied,
    rule,
)

from chainc.ir import Node
from chainc.ir.types import bool_
from chainc.ops import where
from chainc.rewriting.rules import Equation, Rule, RuleSet


@pytest.mark.parametrize("make", [RuleSet().exact, RuleSet().fast])
def test_a_rule_has_the_name_of_its_function(
    make: Callable[[Callable[..., Equation]], Rule],
) -> None:
    def some_law(c: Node, a: Node) -> Equation:
        return where(c, a, a), a

    assert make(some_law).name == "some_law"


def test_a_rule_set_keeps_the_order() -> None:
    assert [r.name for r in rule] == ["minus_minus", "times_one", "factor", "minus_itself"]


def test_conditions_have_their_own_element_type() -> None:
    @RuleSet().exact
    def same_branches(c: Node, a: Node) -> Equation:
        return where(c, a, a), a

    x, c = an_input("x", 3), an_input("c", 3, dtype=bool_)
    assert applied(where(c, x, x), same_branches) is x
