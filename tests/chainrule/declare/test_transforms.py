"""Jacobians and Hessians against formulas, and ops and derivatives of the user's own."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
import sympy

import chainrule as cr
from chainc import ops
from chainc.autodiff import grad, hvp
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node
from chainc.ir.errors import GradientError, GraphError
from chainc.ir.types import float32, float64
from chainc.ops.formula import Formula
from chainrule.declare.leaves import input
from chainrule.declare.transforms import custom_gradient, elementwise, hessian, jacobian
from chainrule.teaching.gradient_check import check_grad

HERE = r"\n  where: .*test_transforms\.py:\d+\n  try: "
RNG = np.random.default_rng(0)
Values = npt.NDArray[np.float64]


def value(node: Node, **inputs: npt.ArrayLike) -> Values:
    return evaluate(Graph((node,)), inputs).outputs[0].astype(np.float64)


# --- whole derivatives


def test_the_jacobian_of_a_product_is_the_matrix() -> None:
    x, a = input("x", (4,)), input("a", (3, 4))
    matrix = RNG.normal(size=(3, 4))
    assert np.allclose(value(jacobian(a @ x, x), a=matrix), matrix)


def test_a_jacobian_has_the_axes_of_y_then_those_of_wrt() -> None:
    x = input("x", (2, 3))
    point = RNG.normal(size=(2, 3))
    full = jacobian(ops.sin(x), x)
    assert full.shape == (2, 3, 2, 3)
    expected = np.einsum("ij,ik,jl->ijkl", np.cos(point), np.eye(2), np.eye(3))
    assert np.allclose(value(full, x=point), expected)


def test_jacobians_of_several_nodes_and_of_a_scalar() -> None:
    x, y = input("x", (2,)), input("y", (3,))
    outer = jacobian(ops.outer(x, y), [x, y])
    assert [node.shape for node in outer] == [(2, 3, 2), (2, 3, 3)]
    by_x = value(outer[0], y=[1.0, 2.0, 3.0])
    assert np.allclose(by_x, np.einsum("ik,j->ijk", np.eye(2), [1, 2, 3]))
    row = jacobian(ops.sum(x * x), x)
    assert value(row, x=[1.0, 2.0]).tolist() == [2, 4]


def test_a_jacobian_of_nothing_is_empty() -> None:
    x = input("x", (0, 2))
    assert jacobian(x * 2.0, x).shape == (0, 2, 0, 2)


def test_the_hessian_of_a_quadratic_form_is_its_symmetric_matrix() -> None:
    x, a = input("x", (3,)), input("a", (3, 3))
    matrix = RNG.normal(size=(3, 3))
    second = hessian(ops.sum(x * (a @ x)), x)
    assert np.allclose(value(second, a=matrix), matrix + matrix.T)


def test_a_hessian_times_a_vector_is_hvp() -> None:
    x, v = input("x", (3,)), input("v", (3,))
    loss = ops.sum(ops.exp(x)) * ops.sum(ops.sin(x))
    point, vector = RNG.normal(size=3), RNG.normal(size=3)
    by_matrix = value(hessian(loss, x), x=point) @ vector
    assert np.allclose(by_matrix, value(hvp(loss, [x], [v])[0], x=point, v=vector))


def test_hessian_blocks_of_several_nodes() -> None:
    x, y = input("x", (2,)), input("y", (2,))
    (xx, xy), (yx, yy) = hessian(ops.sum(x * x * y), [x, y])
    point = {"x": [1.0, 2.0], "y": [3.0, 4.0]}
    blocks = evaluate(Graph((xx, xy, yx, yy)), point).outputs
    expected = [np.diag([6, 8]), np.diag([2, 4]), np.diag([2, 4]), np.zeros((2, 2))]
    assert all(np.allclose(*pair) for pair in zip(blocks, expected, strict=True))


def test_a_linear_loss_has_a_hessian_of_zeros() -> None:
    x = input("x", (2,))
    assert value(hessian(ops.sum(3.0 * x), x)).tolist() == [[0, 0], [0, 0]]


def test_jacobians_that_cannot_be_taken_are_refused() -> None:
    x, wide = input("x", ("batch",)), input("w", (33, 33))
    with pytest.raises(GradientError, match=rf"x f32\[batch\] .* has a named size.*{HERE}declare"):
        jacobian(x, x)
    with pytest.raises(GradientError, match=rf"has 1,089 elements.* limit is 1,024{HERE}use cr.vj"):
        jacobian(wide, wide)
    with pytest.raises(GradientError, match=rf"^jacobian: .* is not floating-point{HERE}differen"):
        jacobian(ops.argmax(wide), wide)
    with pytest.raises(GradientError, match=r"does not depend on"):
        jacobian(input("y", (2,)), wide)
    with pytest.raises(GradientError, match=r"grad needs a floating-point scalar"):
        hessian(wide, wide)


# --- ops of one's own


def test_a_python_function_becomes_an_op_with_its_derivative() -> None:
    swish = elementwise(lambda x: x / (1.0 + ops.exp(-x)), name="swish")
    x = input("x", (3, 4))
    y = swish(x)
    assert (y.op.label, y.type, swish.arity()) == ("swish", x.type, 1)
    point = RNG.normal(size=(3, 4))
    assert np.allclose(value(y, x=point), point / (1 + np.exp(-point)))
    assert check_grad(ops.sum(y * y), x, {x: point}).passed


def test_an_op_of_several_operands_broadcasts() -> None:
    blend = elementwise(lambda a, b, t: a + t * (b - a), name="blend")
    a, b, t = input("a", (3, 1)), input("b", (4,)), input("t")
    y = blend(a, b, t)
    assert y.shape == (3, 4)
    at = {a: RNG.normal(size=(3, 1)), b: RNG.normal(size=4), t: 0.3}
    assert check_grad(ops.sum(y * y), [a, b, t], at).passed
    assert blend(a, 1.0, 0.5).shape == (3, 1)


def test_an_op_takes_the_element_type_of_its_operands() -> None:
    half = elementwise(lambda x: x * 0.5, name="half")
    for dtype in (float32, float64):
        x = input("x", (2,), dtype)
        assert half(x).type == x.type
        assert grad(ops.sum(half(x)), x).type == x.type


def test_second_derivatives_of_an_op() -> None:
    cube = elementwise(lambda x: x * x * x, name="cube")
    x = input("x", (2,))
    assert np.allclose(value(hessian(ops.sum(cube(x)), x), x=[1.0, 2.0]), np.diag([6.0, 12.0]))


def test_a_named_function_gives_its_name() -> None:
    def squash(x: Node) -> Node:
        return ops.tanh(x)

    assert elementwise(squash).title == "squash"
    assert elementwise(lambda x: x * x).title == "formula"


A, B = sympy.symbols("a b")


@pytest.mark.parametrize(
    ("expression", "function"),
    [
        (A / (1 + sympy.exp(-A)) + B, lambda a, b: a / (1 + np.exp(-a)) + b),
        (sympy.sin(A) * B**3, lambda a, b: np.sin(a) * b**3),
        (sympy.Abs(A) + sympy.sqrt(B), lambda a, b: np.abs(a) + np.sqrt(b)),
        (sympy.Max(A, B) ** 2, lambda a, b: np.maximum(a, b) ** 2),
        (sympy.Piecewise((A * B, A > 0), (B, True)), lambda a, b: np.where(a > 0, a * b, b)),
        (sympy.erf(A) * sympy.log(B), lambda a, b: np.vectorize(sympy.erf)(a) * np.log(b)),
    ],
)
def test_a_sympy_expression_becomes_an_op_with_its_derivatives(
    expression: sympy.Basic, function: Callable[[Values, Values], Values]
) -> None:
    op = elementwise(expression, name="own")
    a, b = input("a", (5,)), input("b", (5,))
    given = {"a": np.array([-1.5, -0.5, 0.25, 0.5, 1.5]), "b": np.array([0.5, 1, 1.5, 2, 2.5])}
    y = op(a, b)
    expected = np.asarray(function(given["a"], given["b"]), np.float64)
    assert np.allclose(value(y, **given), expected, rtol=1e-12)
    assert check_grad(ops.sum(y * y), [a, b], given).passed


def test_symbols_are_taken_by_name_or_in_the_given_order() -> None:
    assert value(elementwise(A - B)(input("p"), input("q")), p=3.0, q=1.0) == 2
    swapped = elementwise(A - B, symbols=[B, A])
    assert value(swapped(input("p"), input("q")), p=3.0, q=1.0) == -2
    unused = elementwise(A * 2, symbols=[A, B])
    q = input("q", (2,))
    assert unused.arity() == 2
    assert value(grad(ops.sum(unused(1.0, q)), q)).tolist() == [0, 0]


def test_formulas_that_are_none_are_refused() -> None:
    x = input("x", (3,))
    bad: Sequence[tuple[Callable[[], Formula], str]] = [
        (lambda: elementwise(lambda a: a * x, "f"), rf"f uses x f32\[3\] .*{HERE}pass every node"),
        (lambda: elementwise(lambda a: a[None], "f"), rf"f uses reshape .*{HERE}pass every node"),
        (lambda: elementwise(lambda a: 0 < a, "f"), rf"f gives less bool.*{HERE}choose between"),
        (lambda: elementwise(lambda *a: a[0], "f"), rf"f takes a variable.*{HERE}write one plain"),
        (lambda: elementwise(cast("Callable[..., Node]", lambda: 1.0), "f"), rf"no operand{HERE}"),
        (lambda: elementwise(sympy.Integer(3)), rf"has the symbols \[\].*{HERE}name every symbol"),
        (lambda: elementwise(A + B, symbols=[A]), rf"symbols \[a, b\] and is given \[a\]{HERE}nam"),
    ]
    for make, message in bad:
        with pytest.raises(GraphError, match=message):
            make()
    with pytest.raises(GradientError, match=rf"sympy's gamma has no counterpart.*{HERE}write the"):
        elementwise(sympy.gamma(A))


# --- derivatives of one's own


def test_a_custom_gradient_replaces_that_of_the_ops() -> None:
    @custom_gradient
    def straight_through(x: Node) -> tuple[Node, Callable[[Node], Node]]:
        return ops.floor(x), lambda g: g

    x = input("x", (3,))
    y = straight_through(x)
    assert (y.op.label, y.type) == ("straight_through", x.type)
    assert value(y, x=[0.5, 1.5, -0.5]).tolist() == [0, 1, -1]
    assert value(grad(ops.sum(y * y), x), x=[0.5, 1.5, -0.5]).tolist() == [0, 2, -2]


def test_one_cotangent_goes_to_each_argument() -> None:
    @custom_gradient
    def weighted(x: Node, w: Node, _: Node) -> tuple[Node, Callable[[Node], list[Node | None]]]:
        return x * w, lambda g: [g * 10.0, None, None]

    x, w, n = input("x", (2,)), input("w", (2,)), input("n", (2,), "int32")
    loss = ops.sum(weighted(x, w, n))
    by_x, by_w = grad(loss, [x, w], allow_unused=True)
    assert value(by_x).tolist() == [10, 10]
    assert value(by_w).tolist() == [0, 0]


def test_what_is_not_an_argument_gets_no_derivative() -> None:
    x, w = input("x", (2,)), input("w", (2,))
    scaled = custom_gradient(lambda a: (a * w, lambda g: g * w))
    assert value(grad(ops.sum(scaled(x)), x), w=[3.0, 4.0]).tolist() == [3, 4]
    with pytest.raises(GradientError, match=r"does not depend on w"):
        grad(ops.sum(scaled(x)), w)


def test_a_custom_gradient_can_be_differentiated_again() -> None:
    cube = custom_gradient(lambda x: (x * x * x, lambda g: 3.0 * x * x * g))
    x = input("x", (2,))
    assert np.allclose(value(hessian(ops.sum(cube(x)), x), x=[1.0, 2.0]), np.diag([6.0, 12.0]))


def test_custom_gradients_that_do_not_fit_are_refused() -> None:
    x = input("x", (3,))
    with pytest.raises(
        GraphError, match=rf"returned a Node, not a node and a function{HERE}return"
    ):
        custom_gradient(cast("Callable[..., tuple[Node, Callable[[Node], Node]]]", lambda a: a))(x)
    summed = custom_gradient(lambda a: (a, ops.sum))(x)
    with pytest.raises(
        GradientError,
        match=rf"custom gradient of <lambda> f32\[3\] .* gave sum f32\[\] .* for argument 1, which "
        rf"is x f32\[3\] .*{HERE}return a cotangent of type f32\[3\]",
    ):
        grad(ops.sum(summed), x)
    twice = custom_gradient(lambda a: (a, lambda g: (g, g)))(x)
    with pytest.raises(GradientError, match=rf"gave 2 cotangents for 1 arguments{HERE}return one"):
        grad(ops.sum(twice), x)
    text = custom_gradient(
        cast("Callable[..., tuple[Node, Callable[[Node], Node]]]", lambda a: (a, lambda _: ["g"]))
    )
    with pytest.raises(GradientError, match=r"gave str for argument 1"):
        grad(ops.sum(text(x)), x)


def test_a_gradient_is_available_as_a_formula() -> None:
    x, y = cr.input("x"), cr.input("y")
    a, b = sympy.symbols("x y", real=True)
    value = cr.sin(x) * y + cr.square(x)
    assert sympy.simplify(cr.formula(value) - (sympy.sin(a) * b + a**2)) == 0
    assert sympy.simplify(cr.formula(cr.grad(value, x)) - (sympy.cos(a) * b + 2 * a)) == 0


def test_what_is_not_elementwise_has_no_formula() -> None:
    x = cr.input("x", (3,))
    with pytest.raises(cr.GraphError, match=r"sum f32\[\].*no formula of one element"):
        cr.formula(cr.sum(x))
