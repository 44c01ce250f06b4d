"""Layers that hold others or change a shape, embeddings, and perceptrons in one call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import losses, nn, optim

free = cast("Any", nn)  # calls that a type checker would refuse
X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def result(layer: nn.Module, value: npt.ArrayLike = X) -> npt.NDArray[np.float32]:
    array = np.asarray(value)
    x = cr.input("x", ("batch", *array.shape[1:]), dtype=array.dtype.name)
    function = cr.compile(layer(x))
    return function.bind(function.initial_state(0))(x=array)


def test_flatten_and_reshape_keep_rows_and_their_order() -> None:
    assert np.array_equal(result(nn.Flatten()), X.reshape(2, 12))
    assert np.array_equal(result(nn.Reshape(2, 6)), X.reshape(2, 2, 6))
    assert np.array_equal(result(nn.Reshape(-1, 2)), X.reshape(2, 6, 2))
    assert np.array_equal(result(nn.Flatten(), X[:, 0, 0]), X[:, 0, :1])


def test_residual_adds_and_concat_puts_side_by_side() -> None:
    double = nn.Lambda(lambda x: x * 2)
    assert np.array_equal(result(nn.Residual(double)), 3 * X)
    assert np.array_equal(result(nn.Residual(double, double)), 5 * X)
    assert np.array_equal(result(nn.Residual(double, shortcut=double)), 4 * X)
    both = nn.Concat(double, nn.Lambda(cr.sin))
    np.testing.assert_allclose(result(both), np.concatenate([2 * X, np.sin(X)], -1), atol=1e-6)
    along = nn.Concat(double, double, axis=1)
    assert np.array_equal(result(along), np.concatenate([2 * X, 2 * X], 1))


def test_parts_have_names() -> None:
    model = nn.Sequential(
        nn.Residual(nn.Linear(4, 4), nn.ReLU()), nn.Concat(nn.Linear(4, 2), nn.Linear(4, 1)),
        nn.PReLU(), nn.Maxout(3, 2), nn.Embedding(2, 3),
        name="net",
    )  # fmt: skip
    assert [str(p.op.label) for p in model.parameters()] == [
        "net/residual1/inner/linear1/weight", "net/residual1/inner/linear1/bias",
        "net/concat1/branch1/weight", "net/concat1/branch1/bias",
        "net/concat1/branch2/weight", "net/concat1/branch2/bias",
        "net/prelu1/weight", "net/maxout1/linear/weight", "net/maxout1/linear/bias",
        "net/embedding1/weight",
    ]  # fmt: skip


def test_an_embedding_picks_rows_and_adds_up_their_gradients(tmp_path: Path) -> None:
    x = cr.input("x", ("batch", 3), dtype="int32")
    layer = nn.Embedding(5, 2, name="words")
    y = layer(x)
    index = np.array([[0, 4, 4], [1, 0, 4]], np.int32)
    for target in ("numpy", "llvm"):
        function = cr.compile([y, cr.grad(cr.sum(y), layer.weight)], target=target)
        state = function.initial_state(0)
        rows, slope = function.bind(state)(x=index)
        assert np.array_equal(rows, state["words/weight"][index])
        assert np.array_equal(slope[:, 0], [2, 1, 0, 0, 3])
        with pytest.raises(cr.InputError, match=r"holds the index 5 at \[0, 1\], out of range"):
            function.bind(state)(x=index + 1)
    state.save(tmp_path / "words.safetensors")
    loaded = cr.State.load(tmp_path / "words.safetensors")
    assert np.array_equal(loaded["words/weight"], state["words/weight"])
    assert abs(np.asarray(state["words/weight"], float).std() - 1) < 0.6
    assert layer.summary(x, batch=2).total.output_shape[1:] == (3, 2)


def test_an_embedding_is_trained_with_the_same_bits_on_any_number_of_threads() -> None:
    x, y = cr.input("x", ("batch", 3), dtype="int32"), cr.input("y", ("batch",))
    model = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(12, 1), nn.Flatten())
    loss = losses.squared_error(cr.sum(model(x), 1), y)
    loop = cr.training(optim.Adam(0.05).minimize(loss), epochs=30, batch_size=16)
    random = np.random.default_rng(0)
    index = random.integers(0, 5, (70, 3)).astype(np.int32)
    rows = {"x": index, "y": (index == 2).sum(1).astype(np.float32)}
    runs = [cr.compile(loop, threads=threads).run(rows) for threads in (1, 2)]
    assert runs[0].history["loss"] == runs[1].history["loss"]
    assert runs[0].history["loss"][-1] < 0.02


def test_a_perceptron_is_a_sequence_with_logits_at_its_end() -> None:
    model = nn.MLP(6, 5, 4, 3, activation=nn.Tanh, dropout=0.2, batch_norm=True, name="mlp")
    kinds = [type(layer).__name__ for layer in model]
    assert kinds == [*["Linear", "BatchNorm1d", "Tanh", "Dropout"] * 2, "Linear"]
    assert [type(layer).__name__ for layer in nn.MLP(6, 5, 3)] == ["Linear", "ReLU", "Linear"]
    assert str(model[0].weight.op.label) == "mlp/linear1/weight"
    assert len(nn.MLP(6, 3)) == 1


def test_a_layer_in_the_place_of_its_class_is_refused() -> None:
    given: Any = nn.Tanh()
    told = r"activation=Tanh\(\) is a layer, and each(.|\n)*combining(.|\n)*its class, .*=nn\.Tanh"
    with pytest.raises(cr.InputError, match=told):
        nn.MLP(6, 5, 3, activation=given)


def test_a_maxout_is_the_largest_of_its_pieces() -> None:
    layer, x = nn.Maxout(4, 3, pieces=2, name="m"), cr.input("x", ("batch", 4))
    function = cr.compile(layer(x))
    state = function.initial_state(0)
    value = np.random.default_rng(1).standard_normal((5, 4)).astype(np.float32)
    weight = np.asarray(state["m/linear/weight"], float).reshape(4, 3, 2)
    expected = np.einsum("bi,ijk->bjk", value, weight).max(-1)
    np.testing.assert_allclose(function.bind(state)(x=value), expected, atol=1e-6)


def test_a_prelu_has_one_slope_or_one_for_each_feature() -> None:
    value = -np.ones((2, 3, 4), np.float32)
    assert np.array_equal(result(nn.PReLU(), value), 0.25 * value)
    slopes = np.array([1, 2, 3], np.float32)
    found = result(nn.PReLU(3, init=slopes), value)
    assert np.array_equal(found, slopes[:, None] * value)


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "Reshape size": (lambda: nn.Reshape(0), r"Reshape: a size must be a whole number"),
    "Reshape holes": (lambda: nn.Reshape(-1, -1), r"Reshape: two sizes are to be found"),
    "Residual": (nn.Residual, r"Residual: there is no layer"),
    "Residual of": (lambda: free.Residual(cr.sin), r"Residual: part 1 is a .*, not a layer"),
    "Concat": (nn.Concat, r"Concat: there is no branch"),
    "Concat of": (lambda: free.Concat(nn.ReLU(), 3), r"Concat: part 2 is a int, not a layer"),
    "Lambda": (lambda: free.Lambda(3), r"Lambda: 3 is no function"),
    "Embedding": (lambda: nn.Embedding(0, 3), r"Embedding: count must be a whole number"),
    "MLP": (lambda: nn.MLP(3), r"MLP: 1 sizes make no layer"),
    "MLP size": (lambda: nn.MLP(3, 0), r"Linear: out_features must be a whole number"),
    "MLP rate": (lambda: nn.MLP(3, 3, 1, dropout=1.0), r"Dropout: rate must be"),
    "Maxout": (lambda: nn.Maxout(3, 3, pieces=0), r"Maxout: pieces must be a whole number"),
    "PReLU": (lambda: nn.PReLU(0), r"PReLU: features must be a whole number"),
    "GELU": (lambda: nn.GELU("fast")(cr.input("x")), r"gelu: there is no form 'fast'"),
    "index": (lambda: nn.Embedding(2, 3)(cr.input("x", (3,))), r"the indices x f32.* are no int"),
    "rows": (lambda: nn.Flatten()(cr.input("x")), r"flatten: input \[\] does not fit"),
    "rows of": (lambda: nn.Reshape(1)(cr.input("x")), r"reshape: input \[\] does not fit"),
    "PReLU input": (lambda: nn.PReLU(3)(cr.input("x", (2, 4))), r"axis 1 must have size 3"),
    "sum": (
        lambda: nn.Residual(nn.Linear(3, 1))(cr.input("x", (2, 3))),
        r"residual: input \[2,3\] does not fit: the inner result is",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_three_parts(name: str) -> None:
    declare, message = REFUSED[name]
    with pytest.raises(cr.ChainruleError, match=rf"(?s){message}.*where: .*try: "):
        declare()
