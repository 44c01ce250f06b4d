"""Every rule of every pass, one by one; a new rule is found and tried by itself."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, get_type_hints

import numpy as np
import numpy.typing as npt
import pytest
from tests.rules import SIZES, Instance, all_rules, compute, draw, instances, instances_at
from tests.truth import largest, truth, units_off

from chainc.interpreters.symbolic import formula
from chainc.ir import Graph, Node, Rewrite, rebuild, topological, with_inputs
from chainc.ir.binding import bind_graph
from chainc.ir.leaves import Constant, Input
from chainc.ir.text import same
from chainc.ir.types import Array, TensorType, float32
from chainc.ops import exp
from chainc.ops.elementwise import Elementwise
from chainc.ops.logic import Where
from chainc.ops.parts.window import OverlapAdd
from chainc.ops.reduce import Sum
from chainc.passes.canonicalize import canonicalize
from chainc.passes.canonicalize import rule as canonical_rules
from chainc.passes.contractions.convolve import convolve
from chainc.passes.contractions.convolve import rule as convolving_rules
from chainc.passes.contractions.reassociate import reassociate
from chainc.passes.fold import fold
from chainc.passes.reciprocals import reciprocals
from chainc.passes.reciprocals import rule as reciprocal_rules
from chainc.passes.rules import codes, logic, movement, parts, pooling, rows, sums, windows
from chainc.passes.rules.softmax import rule as softmax_rules
from chainc.passes.simplify import rule as simplifying_rules
from chainc.passes.simplify import simplify_fast
from chainc.passes.stabilize import rule as stabilizing_rules
from chainc.passes.stabilize import stabilize
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Rule
from chainc.rewriting.trace import tracing

if TYPE_CHECKING:
    import sympy

CASES = 1000  # elements of results, at least so many for each rule
DRAWS = 100  # of operands, at least so many for each instance with axes
SHARP = 100  # cases of them are compared with the truth
RULES = all_rules()
STABILIZING = [*stabilizing_rules, *softmax_rules]

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


def test_names_tell_rules_apart() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names) > 140


@every_rule
def test_a_rule_turns_its_left_side_into_its_right_side(rule: Rule) -> None:
    tried = instances(rule)
    assert tried
    assert all(any(instances_at(rule, arguments)) for arguments in rule.at)
    for instance in tried:
        with tracing() as fired:
            rewrite(Graph((instance.left,)), [rule], fast_math=True)
        first = fired[-1] if len(fired) == 1 else fired[0]
        assert first.rule == rule.name
        assert first.kind == ("exact" if instance.is_exact else "fast")
        assert first.replacement.type == first.replaced.type == instance.left.type
        assert same(Graph((first.replacement,)), Graph((instance.right,)))
        before = set(topological([instance.left]))
        for node in topological([first.replacement]):
            assert node in before or node.origin.rewrite == Rewrite(rule.name, first.replaced)


# ----- exact rules


def exact_instances(rule: Rule) -> list[Instance]:
    return [instance for instance in instances(rule) if instance.is_exact]


@pytest.mark.parametrize(
    "rule", [r for r in RULES if r.kind == "exact" or r.exact_for], ids=lambda r: r.name
)
def test_an_exact_rule_keeps_every_bit_or_comes_closer(rule: Rule) -> None:
    random = np.random.default_rng(1)
    tried = exact_instances(rule)
    for instance in tried:
        rounds_otherwise = False
        for _ in range(draws(instance, tried)):
            values = draw(instance, random, moderate=False)
            left, right = compute([instance.left, instance.right], values)
            if not same_bits(instance, left, right).all():
                rounds_otherwise = True
                check_never_worse(instance, values, left, right)
        if rounds_otherwise:
            check_closer(instance, random)


def draws(instance: Instance, tried: Sequence[Instance]) -> int:
    """How many there are of the operands, for the cases of a rule."""
    if instance.is_elementwise:
        return 2
    return max(DRAWS, -(-CASES // max(sum(each.elements for each in tried), 1)))


def same_bits(instance: Instance, left: Array, right: Array) -> npt.NDArray[np.bool_]:
    """Equal elements; NaN equals NaN, and zeros have the same sign if there is one true sign."""
    if left.dtype.kind != "f":
        return np.asarray(np.equal(left, right))
    nan = np.isnan(left) & np.isnan(right)
    same_sign = np.equal(np.signbit(left), np.signbit(right))
    return np.asarray(nan | np.equal(left, right) & (same_sign | zeros_are_free(instance)))


def zeros_are_free(instance: Instance) -> bool:
    """Is the sign of a zero left open?"""
    # NumPy's sum starts from +0; a stable formula may reach 0 from the other side
    return instance.rule in STABILIZING or any(
        isinstance(node.op, Sum | OverlapAdd) for node in topological([instance.left])
    )


def check_never_worse(
    instance: Instance, values: Mapping[str, Array], left: Array, right: Array
) -> None:
    """For finite operands no new NaN or infinity; no NaN lost; the same zeros."""
    assert left.dtype.kind == "f", instance
    zero = np.equal(left, 0) & np.equal(right, 0)
    assert np.all(~zero | same_bits(instance, left, right)), str(instance)
    numbers = [value for value in values.values() if value.dtype.kind == "f"]
    finite = everywhere(instance, numbers, np.isfinite)
    assert np.all(np.isfinite(right) | ~np.isfinite(left) | ~finite), str(instance)
    # the derivative of a branch that is not taken is 0, whatever the other factor is
    if instance.is_elementwise and not isinstance(instance.right.op, Where):
        assert np.all(is_known(instance, numbers) | np.isnan(right)), str(instance)


def is_known(instance: Instance, values: list[Array]) -> npt.NDArray[np.bool_]:
    return everywhere(instance, values, lambda value: np.logical_not(np.isnan(value)))


def everywhere(
    instance: Instance, values: list[Array], test: Callable[[Array], Array]
) -> npt.NDArray[np.bool_]:
    """Where the test holds for all operands, by element, or else for all elements at once."""
    if instance.is_elementwise:
        found = np.broadcast_arrays(*(test(value) for value in values))
        return np.asarray(np.logical_and.reduce(found), np.bool_)
    return np.asarray(all(np.all(test(value)) for value in values))


def check_closer(instance: Instance, random: np.random.Generator) -> None:
    """The errors of the right side, sorted, are nowhere larger than those of the left side."""
    if instance.is_elementwise:
        found = [elementwise_errors(instance, random) for _ in range(2)]
    else:
        found = [tensor_errors(instance, random, scale) for scale in (1.0, 10.0, 100.0) * 6]
    left, right = (np.concatenate(part) for part in zip(*found, strict=True))
    assert left.size
    for quantile in (0.5, 0.9, 0.99, 1.0):
        before, after = (np.quantile(part, quantile, method="nearest") for part in (left, right))
        assert after <= 1.25 * before + 2, (str(instance), quantile)


Errors = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def elementwise_errors(instance: Instance, random: np.random.Generator) -> Errors:
    """At operands of every magnitude, infinite ones too, in units of the result."""
    values = draw(instance, random, moderate=False)
    left, right = compute([instance.left, instance.right], values)
    numbers = [value for value in values.values() if value.dtype.kind == "f"]
    chosen = np.flatnonzero(is_known(instance, numbers))[:SHARP]
    few = {key: value[chosen] if value.ndim else value for key, value in values.items()}
    true = truth(Graph((instance.left,)), few)
    return errors(left[chosen], right[chosen], true, true)


def tensor_errors(instance: Instance, random: np.random.Generator, scale: float) -> Errors:
    """At operands of that scale, some x infinite, in units of the largest element."""
    values = draw(instance, random, moderate=False)
    for key, value in values.items():
        if value.dtype.kind == "f":
            some = random.normal(0, scale, value.shape)
            infinite = random.random(value.shape) < (0.02 if key == "x" else 0)
            values[key] = np.where(infinite, np.copysign(np.inf, some), some).astype(value.dtype)
    left, right = compute([instance.left, instance.right], values)
    true = truth(bind_graph(Graph((instance.left,)), SIZES), values)
    return errors(left, right, true, largest(true))


def errors(left: Array, right: Array, true: Array, scale: Array) -> Errors:
    before, after = (units_off(side, true, scale).ravel() for side in (left, right))
    known = ~np.isnan(before)
    return before[known], after[known]


# ----- fast rules


def fast_instances(rule: Rule) -> list[Instance]:
    return [instance for instance in instances(rule) if not instance.is_exact]


@pytest.mark.parametrize("rule", [r for r in RULES if r.kind == "fast"], ids=lambda r: r.name)
def test_a_fast_rule_holds_for_moderate_numbers(rule: Rule) -> None:
    random = np.random.default_rng(2)
    tried = fast_instances(rule)
    for instance in tried:
        precision = 1e-4 if instance.left.type.dtype == float32 else 1e-9
        for _ in range(draws(instance, tried)):
            values = draw(instance, random, moderate=True)
            left, right = compute([instance.left, instance.right], values)
            assert np.allclose(numbers(right), numbers(left), rtol=precision, atol=precision)


def numbers(array: Array) -> npt.NDArray[np.float64]:
    return array.astype(np.float64)


# ----- symbolically


def scalar_instance(rule: Rule) -> Instance | None:
    """The rule over floating-point operands, where it is one of elementwise ops."""
    for instance in instances(rule):
        nodes = topological([instance.left, instance.right])
        ops = (Elementwise, Input, Constant)
        numbers = all(node.type.dtype.kind != "i" for node in instance.inputs)
        if numbers and all(isinstance(node.op, ops) for node in nodes):
            return instance
    return None


@pytest.mark.parametrize("rule", [r for r in RULES if scalar_instance(r)], ids=lambda r: r.name)
def test_an_elementwise_rule_is_an_equation_to_sympy(rule: Rule) -> None:
    import sympy

    instance = scalar_instance(rule)
    assert instance is not None
    conditions = [node for node in instance.inputs if node.type.dtype.kind == "b"]
    for truths in itertools.product((True, False), repeat=len(conditions)):
        known = {node: sympy.Symbol(node.op.label, positive=True) for node in instance.inputs}
        known |= {
            node: sympy.sympify(value) for node, value in zip(conditions, truths, strict=True)
        }
        left, right = (meaning(side, known) for side in (instance.left, instance.right))
        if left != right:
            check_at_points(left - right, 1e-6 if rounds_numbers(rule) else 1e-25)


def rounds_numbers(rule: Rule) -> bool:
    """Does it compute a number, in the element type of the graph?"""
    return Constant in get_type_hints(rule.statement).values()


def check_at_points(difference: "sympy.Basic", precision: float) -> None:
    import sympy

    symbols = sorted(difference.free_symbols, key=str)
    for point in ((3, 5, 7, 4), (7, 2, 3, 9), (5, 9, 2, 3)):
        values = {x: sympy.Rational(n, 6) for x, n in zip(symbols, point, strict=False)}
        assert abs(sympy.N(difference.subs(values), 30)) < precision


def meaning(root: Node, known: Mapping[Node, object]) -> "sympy.Basic":
    import sympy

    values = dict(known)
    for node in topological([root]):
        if isinstance(node.op, Constant):
            number = node.op.value.array.item()
            values[node] = sympy.sympify(
                number if number is True or number is False else Fraction(number)
            )
        elif isinstance(node.op, Elementwise):
            values[node] = formula(node.op, [values[operand] for operand in node.inputs])
    return values[root]


# ----- in their passes


@every_rule
def test_a_rule_takes_part_in_its_pass(rule: Rule) -> None:
    """No other rule of the pass, or of the ones before it, always comes first."""
    names: set[str] = set()
    for instance in instances(rule):
        with tracing() as fired:
            pass_of(rule)(Graph((instance.left,)))
        names.update(step.rule for step in fired)
    assert rule.name in names


def pass_of(rule: Rule) -> Callable[[Graph], Graph]:
    if rule in [*canonical_rules, *movement.rule]:
        return canonicalize
    if rule in reciprocal_rules:
        return reciprocals
    if rule in rows.rule:
        return reassociate
    if rule in [*convolving_rules, *parts.rule, *pooling.rule]:
        return convolve
    if rule in STABILIZING:
        return lambda graph: stabilize(canonicalize(graph))
    if rule in [*simplifying_rules, *logic.rule, *sums.rule, *codes.rule, *windows.rule]:
        return lambda graph: simplify_fast(canonicalize(graph))
    return fold


@every_rule
def test_a_rule_comes_to_an_end_where_operands_are_one(rule: Rule) -> None:
    for instance in instances(rule):
        by_type: dict[TensorType, Node] = {}

        def unified(
            node: Node, inputs: tuple[Node, ...], by_type: dict[TensorType, Node] = by_type
        ) -> Node:
            new = with_inputs(node, inputs)
            return by_type.setdefault(node.type, new) if isinstance(node.op, Input) else new

        graph = rebuild(Graph((instance.left, exp_of(instance.left))), unified)
        for step in (canonicalize, stabilize, simplify_fast, stabilize, canonicalize, convolve):
            graph = step(graph)  # raises when rules do not end
        assert graph.outputs[0].type == instance.left.type


def exp_of(node: Node) -> Node:
    return exp(node) if node.type.dtype.is_float else node
