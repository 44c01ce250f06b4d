"""Arguments of a wrong type or form: three parts at the user's line, never Python's own words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, optim

HERE = Path(__file__).name
x, w = cr.input("x", (3, 4)), cr.parameter("w", (4, 2), 0.5)
loss = losses.squared_error(x @ w, cr.input("y", (3, 2)))
point = {"x": np.ones((3, 4)), "y": np.ones((3, 2)), "w": np.ones((4, 2))}
free = cast("Any", cr)  # a call that a type checker would refuse

ANYTHING: list[Any] = [None, 1.5, "abc", object(), {"a": 1}, len, int, 1j, np.ones((2, 5))]

ROWS: dict[str, tuple[Callable[[Any], object], str]] = {
    "sum axis": (lambda v: free.sum(x, {"k": v}), r"sum: the axes are .*whole numbers"),
    "flip axis": (lambda v: free.flip(x, [v]), r"flip: the axes are .*whole numbers"),
    "take axis": (lambda v: free.take(x, 0, v), r"take: the axis is .*whole number"),
    "argmax axis": (lambda v: free.argmax(x, v), r"argmax: the axis is .*whole number"),
    "concat axis": (lambda v: free.concat([x, x], v), r"concat: the axis is .*whole number"),
    "stack axis": (lambda v: free.stack([x, x], v), r"stack: the axis is .*whole number"),
    "expand_dims axis": (lambda v: free.expand_dims(x, v), r"expand_dims: the axis is .*number"),
    "permute_dims": (lambda v: free.permute_dims(x, [v, 0]), r"permute_dims: the axes are"),
    "reshape": (lambda v: free.reshape(x, v), r"is no shape"),
    "broadcast_to": (lambda v: free.broadcast_to(x, v), r"is no shape"),
    "uniform shape": (lambda v: free.uniform(v, 0), r"is no shape"),
    "uniform range": (lambda v: free.uniform((2,), 0, low=v), r"uniform: the range .*is empty"),
    "concat parts": (lambda v: free.concat({"k": v}), r"concat: the tensors are a dict, not"),
    "stack parts": (lambda v: free.stack({"k": v}), r"stack: the tensors are a dict, not a list"),
    "pad": (lambda v: free.pad(x, [v, v]), r"pad: widths .*do not fit"),
    "einsum": (lambda v: free.einsum([v], x, w), r"einsum: the equation is a list, not text"),
    "logits": (lambda v: free.losses.cross_entropy(v, x), r"cross_entropy: the logits are a"),
    "labels": (lambda v: free.losses.cross_entropy(x, v), r"cross_entropy: the labels are a"),
    "targets": (lambda v: free.losses.squared_error(x, v), r"squared_error: the targets are a"),
    "jacobian of": (lambda v: free.jacobian(v, w), r"jacobian: y is a .*not a node"),
    "jacobian wrt": (lambda v: free.jacobian(x @ w, v), r"jacobian: a .* is no node"),
    "hessian of": (lambda v: free.hessian(v, w), r"the loss is a .*not a node"),
    "hessian wrt": (lambda v: free.hessian(loss, v), r"hessian: a .* is no node"),
    "check_grad": (lambda v: free.check_grad(loss, v, point), r"check_grad: a .* is no node"),
    "check_grad at": (lambda v: free.check_grad(loss, w, [v]), r"check_grad: the values are a"),
    "derive": (lambda v: free.derive(loss, v), r"derive: a .* is no node"),
    "derive names": (lambda v: free.derive(loss, w, names=[v]), r"derive: the names are a list"),
    "step_through": (lambda v: free.step_through(loss, point, [v]), r"_through: a .* is no node"),
    "step_through path": (lambda v: free.step_through(loss, point, path=[v]), r"is no path"),
    "mnist": (lambda v: free.datasets.mnist([v]), r"mnist: .* is no path"),
    "backprop": (lambda v: cast("Any", optim).backprop(loss, v), r"backprop: a .* is no node"),
    "formula": (lambda v: free.formula(node=v), r"formula: what is given is a .*not a node"),
    "parse": (lambda v: free.parse([v]), r"the graph is a list, not text"),
    "target": (lambda v: free.compile(loss, target=[v]), r"there is no target"),
    "passes": (lambda v: free.compile(loss, passes={"k": v}), r"is no pass"),
    "bake_in": (lambda v: free.compile(loss, bake_in={"k": v}), r"bake_in is .*not names"),
    "state": (lambda v: cr.State(cast("Any", [v])), r"State: the values are a list"),
    "graph": (lambda v: free.Graph({"k": v}), r"Graph: the outputs are a dict"),
    "correction": (lambda v: free.var(x, correction=[v]), r"var: the correction is .*not a number"),
    "stream": (lambda v: free.uniform((2,), 0, stream=[v]), r"the stream is .*not a name"),
    "directions": (lambda v: free.check_grad(loss, w, point, directions=v), r"a whole number"),
    "seed": (lambda v: free.check_grad(loss, w, point, seed=v), r"seed must be a whole number"),
    "activation": (lambda v: free.leaky_relu({"k": v}), r"constant: "),
}  # fmt: skip


@pytest.mark.parametrize("value", ANYTHING, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(("call", "what"), ROWS.values(), ids=ROWS)
def test_a_wrong_argument_is_refused_in_three_parts(
    call: Callable[[Any], object], what: str, value: Any
) -> None:
    with pytest.raises(cr.ChainruleError, match=f"(?s){what}") as caught:
        call(value)
    message = str(caught.value)
    assert HERE in message.partition("\n  where:")[2].partition("\n  try:")[0]
    assert message.partition("\n  try: ")[2]


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda v: free.lesson("title", x, v, data=v), "lesson: model is <x"),
        (lambda v: free.lesson("title", len, v, data=v), "lesson: training is a dict"),
        (free.compile, "compile: a dict is nothing"),
        (lambda v: optim.Adam(betas=v), "betas must be two numbers, got a dict"),
        (lambda v: free.nn.Conv2d(1, 1, 3, padding=v), "got a dict"),
    ],
)
def test_no_message_writes_out_what_fills_lines(call: Callable[[Any], object], what: str) -> None:
    with pytest.raises(cr.ChainruleError, match=f"{what}.*\n  where: .*{HERE}") as caught:
        call({"rows": np.zeros((50, 50))})
    assert len(str(caught.value)) < 500


def test_a_function_whose_arguments_cannot_be_counted() -> None:
    for value in (1.5, None, "x * x", int):
        with pytest.raises(cr.GraphError, match=r"elementwise: .*(.|\n)*try: give a function"):
            free.elementwise(value)


SHAPED: dict[str, tuple[Callable[[], object], str]] = {
    "reshape": (lambda: cr.reshape(x, (-3, -4)), "-3 is no size"),
    "two to be found": (lambda: cr.reshape(x, (-1, 3, -1)), r"2 sizes of \[-1,3,-1\] are to be"),
    "broadcast_to": (lambda: cr.broadcast_to(x, (-1, 3, 4)), "-1 is no size"),
    "normal": (lambda: cr.normal((-2, 3)), "-2 is no size"),
    "bernoulli": (lambda: cr.bernoulli((2, -3), 0.5), "-3 is no size"),
    "permutation": (lambda: cr.permutation(-3), "-3 is no size"),
    "arange": (lambda: cr.arange(-4), "-4 is no size"),
    "one_hot": (lambda: cr.one_hot(cr.arange(3), -2), "one_hot: the depth is -2, not a number"),
    "no depth": (lambda: free.one_hot(cr.arange(3), "3"), "one_hot: the depth is '3', not a"),
    "stack": (lambda: cr.stack([x, w]), r"stack: shapes \[3,4\] and \[4,2\] differ"),
}


@pytest.mark.parametrize(("call", "what"), SHAPED.values(), ids=SHAPED)
def test_a_shape_that_cannot_be_is_refused(call: Callable[[], object], what: str) -> None:
    with pytest.raises(cr.ShapeError, match=rf"{what}(.|\n)*{HERE}(.|\n)*try: give"):
        call()


@pytest.mark.parametrize(
    ("operand", "held"),
    [(None, "None"), ("1", "'1'"), (np.array(["a", "b"]), "elements of type <U1")],
    ids=["None", "text", "an array of texts"],
)
def test_what_is_no_number_is_no_operand(operand: Any, held: str) -> None:
    with pytest.raises(cr.DTypeError, match=rf"a tensor cannot hold {held}\n.*{HERE}(.|\n)*try:"):
        _ = x + operand
