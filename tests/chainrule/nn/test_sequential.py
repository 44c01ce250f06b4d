"""Layers in a row: names, order, indexing."""

from typing import cast

import numpy as np
import pytest

from chainc.interpreters.reference import evaluate
from chainc.ir import Graph
from chainc.ir.errors import InputError
from chainrule import nn
from chainrule.declare.leaves import input


def test_layers_are_named_by_class_and_count() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
    assert [str(layer.label) for layer in model] == [
        "model/linear1",
        "model/relu1",
        "model/linear2",
        "model/relu2",
        "model/linear3",
    ]
    assert [node.op.label for node in model.parameters()][:2] == [
        "model/linear1/weight",
        "model/linear1/bias",
    ]


def test_inner_ones_and_given_names_are_part_of_the_path() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(4, 3, name="in")), nn.Linear(3, 2, name="out"))
    assert [node.op.label for node in model.parameters()] == [
        "model/sequential1/in/weight",
        "model/sequential1/in/bias",
        "model/out/weight",
        "model/out/bias",
    ]


def test_it_applies_its_layers_in_order() -> None:
    model = nn.Sequential(nn.Linear(2, 2, init=2.0), nn.Tanh(), nn.Linear(2, 1, init=3.0))
    y = model(input("x", ("batch", 2)))
    x = np.array([[0.1, 0.2], [-0.3, 0.1]])
    states = {
        "model/linear1/weight": np.full((2, 2), 2.0),
        "model/linear1/bias": np.zeros(2),
        "model/linear2/weight": np.full((2, 1), 3.0),
        "model/linear2/bias": np.ones(1),
    }
    expected = np.tanh(x @ np.full((2, 2), 2.0)) @ np.full((2, 1), 3.0) + 1
    assert np.allclose(evaluate(Graph((y,)), {"x": x}, states).outputs[0], expected)


def test_an_empty_one_is_the_identity() -> None:
    x = input("x", (3,))
    assert nn.Sequential()(x) is x


def test_it_is_indexed_sliced_measured_and_walked() -> None:
    first, second = nn.Linear(4, 3), nn.ReLU()
    model = nn.Sequential(first, second)
    assert (model[0], model[-1], len(model), list(model)) == (first, second, 2, [first, second])
    head = model[:1]
    assert isinstance(head, nn.Sequential)
    assert head.layers == (first,)
    assert [node.op.label for node in head.parameters()] == [
        "model/linear1/weight",
        "model/linear1/bias",
    ]
    with pytest.raises(IndexError):
        model[2]
    assert model[0].weight is first.weight
    assert repr(model) == "Sequential(Linear(4, 3), ReLU())"


def test_one_layer_may_stand_twice() -> None:
    tied = nn.Linear(3, 3)
    model = nn.Sequential(tied, nn.ReLU(), tied)
    assert len(model.parameters()) == 2


def test_what_is_no_layer_is_refused() -> None:
    function: object = len
    with pytest.raises(
        InputError,
        match=r"^Sequential: part 2 is a builtin_function_or_method, not a layer"
        r"\n  where: .*test_sequential\.py:\d+\n  try: give layers, such as nn.Linear",
    ):
        nn.Sequential(nn.ReLU(), cast("nn.Module", function))
