"""The fully connected layer against NumPy, and its refusals."""

import numpy as np
import pytest

from chainc.interpreters.reference import evaluate
from chainc.ir import Graph
from chainc.ir.errors import DTypeError, InputError, ShapeError
from chainrule import init, nn
from chainrule.declare.leaves import input

LINE = r".*test_linear\.py:\d+"


def test_it_computes_x_w_plus_b() -> None:
    rng = np.random.default_rng(0)
    layer = nn.Linear(4, 3)
    y = layer(input("x", ("batch", 4)))
    x, w, b = rng.standard_normal((5, 4)), rng.standard_normal((4, 3)), rng.standard_normal(3)
    states = {"layer/weight": w, "layer/bias": b}
    assert np.allclose(evaluate(Graph((y,)), {"x": x}, states).outputs[0], x @ w + b, atol=1e-12)


def test_it_takes_any_number_of_leading_axes() -> None:
    layer = nn.Linear(4, 3)
    assert layer(input("v", (4,))).shape == (3,)
    assert layer(input("t", ("batch", 7, 4))).shape[1:] == (7, 3)


def test_without_bias_there_is_one_parameter() -> None:
    layer = nn.Linear(4, 3, bias=False)
    assert layer.bias is None
    assert [node.op.label for node in layer.parameters()] == ["layer/weight"]


def test_the_weight_can_be_initialised_otherwise() -> None:
    given = np.arange(12, dtype=np.float32).reshape(4, 3)
    for choice in ("zeros", init.zeros(), 0.0, given):
        assert nn.Linear(4, 3, init=choice).weight.shape == (4, 3)
    assert repr(nn.Linear(4, 3)) == "Linear(4, 3)"


def test_a_mismatch_names_the_layer_both_shapes_and_both_lines() -> None:
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    x = input("x", ("batch", 63))
    message = (
        r"^model/linear1: input \[batch,63\] does not fit weight \[64,32\]: its last axis must "
        rf"have size 64\n  where: {LINE}"
        rf"\n         input: x f32\[batch,63\] \({LINE}\)"
        rf"\n         weight: model/linear1/weight f32\[64,32\] \({LINE}\)"
        r"\n  try: give it an input of shape \[batch,64\], or change the sizes of the layer$"
    )
    with pytest.raises(ShapeError, match=message):
        model(x)
    with pytest.raises(
        ShapeError, match=r"(?s)^model/linear2: input \[\] .* input of shape \[32\]"
    ):
        model[2](input("s"))


def test_integers_are_refused() -> None:
    layer = nn.Linear(4, 3)
    with pytest.raises(DTypeError, match=r"in layer: cannot multiply element types i32 and f32"):
        layer(input("x", ("batch", 4), dtype="int32"))


@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (3, 0), (-1, 3), (2.5, 3), (True, 3)])
def test_sizes_that_are_none_are_refused(rows: int, columns: int) -> None:
    with pytest.raises(
        InputError,
        match=rf"^Linear: (in|out)_features must be a whole number, at least 1.*"
        rf"\n  where: {LINE}\n  try: give both sizes",
    ):
        nn.Linear(rows, columns)
