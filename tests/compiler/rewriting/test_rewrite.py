"""The rewriting driver: guards, types, origins, the trace and the budget."""

import numpy as np
import pytest
from tests.compiler.rewriting.equations import (
    an_input,
    applied,
    factor,
    minus_itself,
    minus_minus,
    rule,
    times_one,
)

from chainc.ir import Derivative, Graph, Node, Origin, Rewrite, originating, scope
from chainc.ir.errors import VerifyError
from chainc.ir.leaves import constant
from chainc.ir.types import float64, int32
from chainc.ops import exp, log, negative
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, RuleSet
from chainc.rewriting.trace import in_gradient, note, tracing

# ----- guards and types


def test_a_right_side_may_decline() -> None:
    @RuleSet().exact
    def drop_exp_of_vectors(x: Node) -> Equation:
        return exp(x), lambda: x if x.ndim == 1 else None

    x, y = an_input("x", 3), an_input("y", 3, 3)
    assert applied(exp(x), drop_exp_of_vectors) is x
    graph = Graph((exp(y),))
    assert rewrite(graph, [drop_exp_of_vectors]) is graph


def test_the_next_rule_is_tried_when_one_declines() -> None:
    @RuleSet().exact
    def never(x: Node) -> Equation:
        return x * 1, lambda: None

    x = an_input("x", 3)
    assert applied(x * 1, never, times_one) is x


def test_a_node_keeps_its_shape_and_its_element_type() -> None:
    x = an_input("x", 3)
    broadcast = Graph((x * constant(np.ones((2, 3), np.float32)),))
    assert rewrite(broadcast, [times_one]) is broadcast
    promoted = Graph((x * constant(1.0, float64),))
    assert promoted.outputs[0].type.dtype == float64
    assert rewrite(promoted, [times_one]) is promoted


def test_fast_rules_wait_to_be_asked_for() -> None:
    x = an_input("x", 3)
    graph = Graph((x - x,))
    assert rewrite(graph, rule) is graph
    assert rewrite(graph, rule, fast_math=True).outputs[0].op.name == "broadcast_to"


def test_a_fast_rule_may_be_exact_for_integers() -> None:
    n = an_input("n", 3, dtype=int32)
    with tracing() as fired:
        rewrite(Graph((n - n,)), rule)
    assert [(step.rule, step.kind) for step in fired] == [("minus_itself", "exact")]
    assert minus_itself.kind_at(n - n) == "exact"
    x = an_input("x", 3)
    assert minus_itself.kind_at(x - x) == "fast"


def test_a_rule_may_be_for_gradients_only() -> None:
    @RuleSet().exact
    def in_derivatives(x: Node) -> Equation:
        return exp(x), lambda: x if in_gradient() else None

    x = an_input("x", 3)
    forward = exp(x)
    with originating(Origin(derivative=Derivative(forward, None, "local derivative"))):
        backward = exp(x)
    assert rewrite(Graph((forward, backward)), [in_derivatives]).outputs == (forward, x)


def test_a_rule_may_need_to_be_the_only_reader() -> None:
    @RuleSet().exact(alone=True)
    def log_of_exp(x: Node) -> Equation:
        return log(exp(x)), x

    x = an_input("x", 3)
    alone, shared = exp(x), exp(x)
    assert rewrite(Graph((log(alone),)), [log_of_exp]).outputs == (x,)
    for graph in (Graph((log(shared), shared + 1)), Graph((log(shared), shared))):
        assert rewrite(graph, [log_of_exp]) is graph


def test_readers_are_counted_for_what_has_taken_a_node_s_place() -> None:
    @RuleSet().exact(alone=True)
    def log_of_exp(x: Node) -> Equation:
        return log(exp(x)), x

    x = an_input("x", 3)
    shared = negative(negative(exp(x)))
    result = rewrite(Graph((log(shared), shared + 1)), [minus_minus, log_of_exp]).outputs
    assert result[0].op.name == "log"
    assert result[0].inputs[0] is result[1].inputs[0]


# ----- the walk


def test_operands_are_rewritten_first_and_what_comes_out_again() -> None:
    x = an_input("x", 3)
    y = x
    for _ in range(5):
        y = negative(y * 1)
    result = applied(y, minus_minus, times_one)
    assert result.op.name == "negative"
    assert result.inputs == (x,)


def test_a_long_chain_needs_no_recursion() -> None:
    x = an_input("x", 3)
    y = x
    for _ in range(10_001):
        y = negative(y)
    result = applied(y, minus_minus)
    assert result.op.name == "negative"
    assert result.inputs == (x,)


def test_right_sides_are_rewritten_from_the_inside() -> None:
    @RuleSet().exact
    def unfold(x: Node) -> Equation:
        return exp(x), negative(negative(x * 1)) * 1

    x = an_input("x", 3)
    assert applied(exp(x), unfold, minus_minus, times_one) is x


def test_declared_nodes_stay_apart_and_new_ones_join_them() -> None:
    @RuleSet().exact
    def expand(x: Node) -> Equation:
        return log(x), exp(x) * exp(x)

    x = an_input("x", 3)
    first, second = exp(x), exp(x)
    one, two, product = rewrite(Graph((first, second, log(x))), [expand]).outputs
    assert one is first
    assert two is second
    assert product.inputs == (first, first)


def test_updates_and_names_are_kept() -> None:
    x = an_input("x", 3)
    slot = an_input("slot", 3)
    graph = Graph((x * 1,), {slot: slot * 1}, ("y",))
    result = rewrite(graph, rule)
    assert result.outputs == (x,)
    assert result.updates == {slot: slot}
    assert result.names == ("y",)


# ----- origins, the trace, the budget


def test_new_nodes_say_which_rule_made_them_and_in_whose_place() -> None:
    with scope("layer"):
        a, b, c = (an_input(key, 3) for key in "abc")
        declared = a * c + b * c
    why = Derivative(declared, 0, "local derivative")
    with originating(Origin(declared.origin.location, declared.origin.scopes, why)):
        derived = a * c + b * c
    result = applied(derived, factor, fast_math=True)
    for node in (result, result.inputs[0]):
        assert node.origin.location == declared.origin.location
        assert node.origin.scope == "layer"
        assert node.origin.derivative == why
        assert node.origin.rewrite == Rewrite("factor", derived)
    assert result.inputs[1] is c


def test_a_rebuilt_node_keeps_its_origin() -> None:
    x = an_input("x", 3)
    y = exp(x * 1)
    result = applied(y, times_one)
    assert result.inputs == (x,)
    assert result.origin is y.origin


def test_the_trace_lists_what_fired() -> None:
    x = an_input("x", 3)
    root = negative(negative(x * 1))
    with tracing() as fired:
        rewrite(Graph((root,)), rule)
    assert [step.rule for step in fired] == ["times_one", "minus_minus"]
    assert fired[0].replaced is root.inputs[0].inputs[0]
    assert fired[0].replacement is x
    assert str(fired[0]).startswith("times_one: multiply f32[3]")
    with tracing() as nothing:
        pass
    rewrite(Graph((root,)), rule)
    assert nothing == []


def test_traces_nest() -> None:
    x = an_input("x", 3)
    with tracing() as outer:
        with tracing() as inner:
            note("by_hand", x, x)
        note("by_hand_too", x, x, "fast")
    assert [step.rule for step in inner] == ["by_hand"]
    assert [(step.rule, step.kind) for step in outer] == [("by_hand_too", "fast")]


def test_rules_that_never_end_are_named() -> None:
    rules = RuleSet()

    @rules.exact
    def there(x: Node) -> Equation:
        return exp(x), log(x)

    @rules.exact
    def and_back(x: Node) -> Equation:
        return log(x), exp(x)

    graph = Graph((exp(an_input("x", 3)),))
    with pytest.raises(VerifyError, match=r"after 50 steps.*there \(\d+ times\), and_back") as info:
        rewrite(graph, rules, budget=50)
    assert "make the right side of one of these rules simpler" in info.value.hint


def test_a_rule_that_grows_forever_is_stopped_by_the_default_budget() -> None:
    @RuleSet().exact
    def grow(x: Node) -> Equation:
        return exp(x), exp(x + 1)

    with pytest.raises(VerifyError, match=r"after 1040 steps these rules still fire: grow"):
        rewrite(Graph((exp(an_input("x", 3)),)), [grow])
