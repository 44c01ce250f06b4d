"""Models of several inputs and outputs, and inputs of any type."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from tests.chainrule.fitting.classifiers import blobs, network, trainer

import chainrule as cr
from chainrule import losses, metrics, nn, optim
from chainrule.fitting.rows import rows_given

X, Y = blobs()
WORDS = np.random.default_rng(3).integers(0, 6, 90)
PRICES = X.sum(axis=1)


class Both:
    """A model of two inputs and two outputs, as a function."""

    def __init__(self) -> None:
        self.words = nn.Embedding(6, 3, name="words")
        self.body = nn.Linear(7, 8, name="body")
        self.price = nn.Linear(8, 1, name="price")
        self.kind = nn.Linear(8, 3, name="kind")

    def by_name(self, number: cr.Node, word: cr.Node) -> dict[str, cr.Node]:
        price, kind = self.in_order(number, word)
        return {"price": price, "kind": kind}

    def in_order(self, number: cr.Node, word: cr.Node) -> tuple[cr.Node, cr.Node]:
        hidden = cr.relu(self.body(cr.concat([number, self.words(word)], axis=1)))
        return self.price(hidden), self.kind(hidden)


def test_inputs_and_outputs_by_name() -> None:
    one = cr.Trainer(
        Both().by_name,
        {"kind": losses.cross_entropy, "price": losses.squared_error},
        optim.Adam(lr=0.02),
        metrics={"kind": [metrics.accuracy, metrics.f1_macro], "price": metrics.r2},
        target="numpy",
    )
    x, y = {"word": WORDS, "number": X}, {"price": PRICES, "kind": Y}
    history = one.fit(x, y, epochs=20, validation=0.2)
    parts = ["price_loss", "kind_loss", "kind_accuracy", "kind_f1_macro", "price_r2"]
    assert {*parts, "loss"} == {name for name in history if not name.startswith("val_")}
    sums = np.add(history["price_loss"], history["kind_loss"])
    np.testing.assert_allclose(history["loss"], sums, rtol=1e-5)
    assert history["kind_accuracy"][-1] > 0.9
    found = one.predict(x)
    assert isinstance(found, dict)
    assert found["kind"].dtype == np.int64
    assert found["price"].shape == (90,)
    assert one.summary().total.parameters == 18 + 64 + 9 + 27


def test_inputs_and_outputs_in_order() -> None:
    one = cr.Trainer(Both().in_order, (losses.squared_error, losses.cross_entropy),
                     optim.Adam(lr=0.02), target="numpy")  # fmt: skip
    history = one.fit((X, WORDS), (PRICES, Y), epochs=2)
    assert set(history) == {"loss", "1_loss", "2_loss"}
    found = one.predict((X, WORDS))
    assert isinstance(found, tuple)
    assert [len(each) for each in found] == [90, 90]


def test_one_loss_of_all_outputs() -> None:
    def both(outputs: dict[str, cr.Node], y: dict[str, cr.Node]) -> cr.Node:
        fit = losses.squared_error(outputs["price"], y["price"])
        return 0.5 * fit + losses.cross_entropy(outputs["kind"], y["kind"])

    one = cr.Trainer(Both().by_name, both, optim.Adam(lr=0.02), target="numpy")
    x, y = {"number": X, "word": WORDS}, {"price": PRICES, "kind": Y}
    assert set(one.fit(x, y, epochs=1)) == {"loss"}


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint8", "int8", "bool", "float16"])
def test_a_linear_layer_takes_numbers_of_any_type(dtype: str) -> None:
    one = trainer()
    one.fit((X > 1).astype(dtype), Y, epochs=1)
    assert one.summary().rows[0].flops > 0
    assert len(np.asarray(one.predict((X > 1).astype(dtype)))) == 90


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "int16", "bool"])
def test_an_embedding_takes_whole_numbers_of_any_type(dtype: str) -> None:
    model = nn.Sequential(nn.Embedding(2, 3), nn.Flatten(), nn.Linear(12, 3))
    one = cr.Trainer(model, losses.cross_entropy, optim.Adam(0.01), target="numpy")
    one.fit((X > 1).astype(dtype), Y, epochs=1)
    assert len(np.asarray(one.predict((X > 1).astype(dtype)))) == 90


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "int16"])
def test_labels_are_whole_numbers_of_any_type(dtype: str) -> None:
    one = trainer()
    assert one.fit(X, Y.astype(dtype), epochs=1) == trainer().fit(X, Y, epochs=1)
    assert one.fit(X, Y.astype(dtype)[:, None], epochs=1)["accuracy"][0] > 0


def test_lists_are_read() -> None:
    assert trainer().fit(X.tolist(), Y.tolist(), epochs=2) == trainer().fit(X, Y, epochs=2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_in_files_are_not_copied(dtype: str, tmp_path: Path) -> None:
    file = np.memmap(tmp_path / "x", dtype, "w+", shape=X.shape)
    file[:] = X
    given = rows_given("fit", file, Y)
    assert given.in_files
    assert np.shares_memory(given.chosen(slice(0, 50)).x.by_name[""], file)
    one = trainer("llvm")
    history = one.fit(file, Y, epochs=2, validation=0.2)
    others = trainer("llvm").fit(X[:72], Y[:72], epochs=2, validation=(X[72:], Y[72:]))
    for name, values in others.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5)
    np.testing.assert_array_equal(one.predict(file), one.predict(X))
    assert one.program is not None
    (declared,) = (node for node in one.program.declared.leaves("input") if node.op.label == "x")
    assert declared.type.dtype.name == dtype  # so that nothing is converted before the run


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_a_file_may_be_larger_than_what_a_fit_takes(dtype: str, tmp_path: Path) -> None:
    file = np.memmap(tmp_path / "x", dtype, "w+", shape=(20_000, 400))
    labels = np.arange(20_000) % 3
    one = cr.Trainer(nn.Linear(400, 3), losses.cross_entropy, optim.SGD(0.1), target="llvm")
    one.fit(file, labels, epochs=1, batch_size=500)  # makes the code, as the others do theirs
    one.evaluate(file, labels)
    one.predict(file)
    tracemalloc.start()
    one.fit(file, labels, epochs=1, batch_size=500, validation=0.1)
    one.evaluate(file, labels)
    one.predict(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000  # of 32 MB as numbers of 32 bits


def test_a_model_of_float64_takes_float64() -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = cr.parameter("weight", (4, 3), "he_normal", dtype="float64")

        def forward(self, x: cr.Node) -> cr.Node:
            return x @ self.weight

    one = cr.Trainer(Wide(), losses.cross_entropy, optim.SGD(0.1), target="numpy")
    one.fit(X, Y, epochs=1)
    assert np.asarray(one.predict_proba(X)).dtype == np.float64


def test_misfits_are_refused() -> None:
    both = Both()
    pair = {"kind": losses.cross_entropy, "price": losses.squared_error}
    x, y = {"number": X, "word": WORDS}, {"price": PRICES, "kind": Y}

    def fit(model: object, loss: object, x: object, y: object) -> None:
        cr.Trainer(model, loss, optim.Adam(0.1)).fit(x, y)  # type: ignore[arg-type]

    with pytest.raises(cr.InputError, match=r"the model has no input 'text'(.|\n)*number, word"):
        fit(both.by_name, pair, {"number": X, "text": WORDS}, y)
    with pytest.raises(cr.InputError, match=r"the targets are a single one, the outputs are pri"):
        fit(both.by_name, pair, x, Y)
    with pytest.raises(cr.InputError, match=r"the losses are a, the outputs are price, kind"):
        fit(both.by_name, {"a": losses.hinge}, x, y)
    with pytest.raises(cr.GraphError, match=r"the model gives a float, not a row for each row"):
        fit(lambda _: 3.0, losses.hinge, X, Y)
    with pytest.raises(cr.InputError, match=r"rows differ: x has 90, y has 89(.|\n)*try: give as"):
        fit(network(), losses.hinge, X, Y[:-1])
    with pytest.raises(cr.DTypeError, match=r"cross_entropy: the labels are f32\[batch\]"):
        fit(network(), losses.cross_entropy, X, PRICES)
    with pytest.raises(cr.InputError, match=r"^fit: x is a single number(.|\n)*try: give an array"):
        fit(network(), losses.cross_entropy, 3.0, Y)
    with pytest.raises(cr.InputError, match=r"y holds class numbers in a floating(.|\n)*int64"):
        fit(network(), losses.cross_entropy, X, Y.astype(float))
    with pytest.raises(cr.InputError, match=r"^fit: y holds 'b', which is no number(.|\n)*unique"):
        fit(network(), losses.cross_entropy, X, np.array(["b", "a", "c"])[Y * 0])
    one = trainer()
    one.fit(X, Y, epochs=1)
    with pytest.raises(cr.InputError, match=r"x is arrays named a, and was a single array"):
        one.predict({"a": X})
    with pytest.raises(cr.InputError, match=r"\[batch,4\]"):
        one.predict(X[:, :3])
