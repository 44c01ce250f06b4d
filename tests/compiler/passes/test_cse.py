"""Common subexpressions."""

from tests.two_sided import check_numbers, declare

from chainc.autodiff import grad
from chainc.ir import Graph, Rewrite
from chainc.ir.leaves import constant
from chainc.ir.types import named
from chainc.ops import exp, less, max, mean, random_bits, reshape, subtract, sum, tanh
from chainc.passes.cse import cse
from chainc.rewriting.trace import tracing

x = declare("x", "batch", 3)
y = declare("y", "batch", 3)


def test_equal_ops_over_equal_operands_are_one_node() -> None:
    graph = check_numbers(cse, Graph((exp(x * 2) + exp(x * 2), exp(x * 2))))
    assert len(graph.nodes) == 5
    total, one = graph.outputs
    assert total.inputs == (one, one)


def test_the_order_of_operands_does_not_matter_where_the_op_commutes() -> None:
    product, swapped = check_numbers(cse, Graph((x * y, y * x))).outputs
    assert product is swapped
    assert product.inputs == (x, y)
    difference, other = check_numbers(cse, Graph((subtract(x, y), subtract(y, x)))).outputs
    assert difference is not other
    assert len(set(cse(Graph((less(x, y), less(y, x)))).outputs)) == 2


def test_constants_are_compared_by_their_bits() -> None:
    outputs = cse(Graph(tuple(map(constant, (1.0, 1.0, 0.0, -0.0))))).outputs
    assert outputs[0] is outputs[1]
    assert outputs[2] is not outputs[3]


def test_inputs_of_one_name_are_one() -> None:
    a, b = declare("x", 3), declare("x", 3)
    assert len(cse(Graph((exp(a), exp(b)))).leaves("input")) == 1


def test_reductions_that_differ_in_kept_axes_are_computed_once() -> None:
    root = sum(x, 1), sum(x, 1, keepdims=True), max(x, 1)
    with tracing() as fired:
        first, second, other = cse(Graph(root)).outputs
    assert first is root[0]
    assert second.op == reshape(first, (named("batch"), 1)).op
    assert second.inputs == (first,)
    assert other is root[2]
    assert [step.rule for step in fired] == ["same_reduction"]
    assert second.origin.rewrite == Rewrite("same_reduction", root[1])
    check_numbers(cse, Graph(root))


def test_draws_are_merged_only_if_they_are_the_same() -> None:
    draws = [random_bits((3,), 1, step, stream) for step in (0, 1) for stream in "ab"]
    again = random_bits((3,), 1, 0, "a")
    outputs = cse(Graph((*draws, again))).outputs
    assert len(set(outputs)) == 4
    assert outputs[0] is outputs[4]


def test_the_first_node_of_its_kind_keeps_its_origin() -> None:
    first, second = exp(x), exp(x)
    with tracing() as fired:
        result = cse(Graph((first, second))).outputs
    assert result == (first, first)
    (merger,) = fired
    assert (merger.rule, merger.replaced, merger.replacement) == ("same_value", second, first)
    assert result[0].origin is first.origin


def test_a_gradient_shares_what_the_loss_computes() -> None:
    value = mean(tanh(x) * tanh(x))
    before = Graph((value, grad(value, x)))
    after = check_numbers(cse, before)
    names = [node.op.name for node in after.nodes]
    assert names.count("tanh") == 1
    assert names.count("size") == 1
    assert len(after.nodes) < len(before.nodes)
