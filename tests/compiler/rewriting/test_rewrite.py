"""The rewriting driver: matching, guards, types, origins, the trace and the budget."""

from collections.abc import Callable

import numpy as np
import pytest

from chainc.ir import Derivative, Graph, Node, Origin, Rewrite, apply, originating, scope
from chainc.ir.errors import VerifyError
from chainc.ir.leaves import Constant, Input, constant
from chainc.ir.types import DType, TensorType, bool_, float32, float64, int32
from chainc.ops import broadcast_to, exp, log, maximum, negative, sum, where
from chainc.ops.arithmetic import Add, Multiply
from chainc.ops.elementwise import Binary
from chainc.ops.movement import PermuteDims
from chainc.ops.reduce import Sum
from chainc.rewriting.patterns import Operands, equals, holes, match, orders
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, Rule, RuleSet
from chainc.rewriting.trace import in_gradient, note, tracing

rule = RuleSet()


@rule.exact
def minus_minus(x: Node) -> Equation:
    return negative(negative(x)), x


@rule.exact
def times_one(x: Node) -> Equation:
    return x * 1, x


@rule.fast
def factor(a: Node, b: Node, c: Node) -> Equation:
    return a * c + b * c, (a + b) * c


@rule.fast(exact_for="i")
def minus_itself(x: Node) -> Equation:
    return x - x, lambda: broadcast_to(constant(0, x.type.dtype), x.shape)


def an_input(key: str, *shape: int, dtype: DType = float32) -> Node:
    return apply(Input(key, TensorType(shape, dtype)))


def applied(root: Node, *rules: Rule, fast_math: bool = False) -> Node:
    return rewrite(Graph((root,)), rules, fast_math=fast_math).outputs[0]


# ----- matching


def test_a_hole_stands_for_any_node() -> None:
    x = an_input("x", 3)
    y = exp(x)
    assert applied(negative(negative(y)), minus_minus) is y


def test_commutative_ops_match_in_both_orders() -> None:
    x = an_input("x", 3)
    assert applied(x * 1, times_one) is x
    assert applied(1 * x, times_one) is x
    assert len(factor.patterns) == 8
    a, b, c = (an_input(key, 3) for key in "abc")
    for product in (c * b, b * c):
        result = applied(a * c + product, factor, fast_math=True)
        assert result.op == Multiply()
        assert result.inputs[0].op == Add()
        assert result.inputs[0].inputs == (a, b)
        assert result.inputs[1] is c


def test_other_ops_match_in_the_order_written() -> None:
    @RuleSet().exact
    def over_one(x: Node) -> Equation:
        return x / 1, x

    x = an_input("x", 3)
    assert applied(x / 1, over_one) is x
    graph = Graph((1 / x,))
    assert rewrite(graph, [over_one]) is graph


def test_a_hole_that_occurs_twice_stands_for_one_value() -> None:
    x, y = an_input("x", 3, dtype=int32), an_input("y", 3, dtype=int32)
    assert applied(x - x, minus_itself).op.name == "broadcast_to"
    assert applied(x - y, minus_itself).op.name == "subtract"
    # two nodes that compute the same are one value, though nothing has merged them
    assert applied((x + y) - (y + x), minus_itself).op.name == "broadcast_to"
    assert applied(constant(2, int32) - constant(2, int32), minus_itself).op.name == "constant"


@pytest.mark.parametrize(
    ("literal", "value", "fits"),
    [
        (0, 0.0, True),
        (0, -0.0, False),
        (-0.0, 0.0, False),
        (-0.0, -0.0, True),
        (2, 2.0, True),
        (2, 2.5, False),
        (1, True, False),
        (True, True, True),
        (1, [1.0, 1.0], True),
        (1, [1.0, 2.0], False),
        (0, [0.0, -0.0], False),
        (1, [], False),
        (np.inf, np.inf, True),
    ],
)
def test_a_number_matches_a_constant_that_equals_it_everywhere(
    literal: float, value: float, fits: bool
) -> None:
    node = constant(np.asarray(value))
    assert isinstance(node.op, Constant)
    assert equals(node.op, np.asarray(literal)) is fits


def test_attributes_and_ops_have_holes_too() -> None:
    @RuleSet().exact
    def sum_of_permuted(f: Sum, axes: tuple[int, ...], x: Node) -> Equation:
        return apply(f, apply(PermuteDims(axes), x)), lambda: apply(
            Sum(tuple(sorted(axes[axis] for axis in f.axes))), x
        )

    x = an_input("x", 2, 3, 4)
    permuted = apply(PermuteDims((2, 0, 1)), x)
    result = applied(sum(permuted, (0, 1)), sum_of_permuted)
    assert result.op == Sum((0, 2))
    assert result.inputs == (x,)


def test_an_op_hole_stands_for_its_class_only() -> None:
    @RuleSet().exact
    def swap(f: Binary, x: Node, y: Node) -> Equation:
        return apply(f, exp(x), y), lambda: apply(f, y, exp(x)) if f.commutative else None

    x, y = an_input("x", 3), an_input("y", 3)
    assert applied(exp(x) + y, swap).inputs[0] is y
    assert applied(exp(x) - y, swap).inputs[1] is y
    assert applied(maximum(exp(x), y), swap).inputs[0] is y


def test_operands_stand_for_all_that_an_op_reads() -> None:
    @RuleSet().exact(reads=(Constant,))
    def with_numbers(f: Add, operands: Operands) -> Equation:
        return apply(f, *operands), lambda: apply(Multiply(), *operands)

    x = an_input("x", 3)
    assert applied(x + 2, with_numbers).op == Multiply()
    assert applied(x + x, with_numbers).op == Add()


def test_an_attribute_hole_that_occurs_twice_stands_for_one_value() -> None:
    @RuleSet().exact
    def same_sums(f: Sum, x: Node, y: Node) -> Equation:
        return apply(f, x) + apply(f, y), apply(f, x + y)

    x, y = an_input("x", 3, 3), an_input("y", 3, 3)
    assert applied(sum(x, 0) + sum(y, 0), same_sums).op == Sum((0,))
    assert applied(sum(x, 0) + sum(y, 1), same_sums).op == Add()


def test_patterns_are_made_when_they_are_needed() -> None:
    made: list[str] = []

    @RuleSet().exact
    def late(x: Node) -> Equation:
        made.append("pattern")
        return exp(x), x

    assert not made
    assert len(late.patterns) == len(late.patterns) == len(made) == 1


def test_matching_does_not_depend_on_the_driver() -> None:
    x = an_input("x", 3)
    (pattern,) = minus_minus.patterns
    found = match(pattern, negative(negative(x)), lambda a, b: a is b)
    assert found == {"x": x}
    assert match(pattern, negative(x), lambda a, b: a is b) is None
    assert set(holes(factor.statement)) == {"a", "b", "c"}
    assert len(list(orders(pattern))) == 1


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
