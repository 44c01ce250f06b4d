"""Layers: names of parts, boxes, and what is refused when a layer is built or applied."""

from dataclasses import FrozenInstanceError, dataclass
from typing import cast

import numpy as np
import pytest

from chainc.ir import Node
from chainc.ir.errors import GraphError, InputError
from chainrule import nn
from chainrule.declare.leaves import input, parameter

HERE = r"\n  where: .*test_module\.py:\d+\n  try: "


@dataclass(frozen=True, eq=False)
class Residual(nn.Module):
    inner: nn.Module
    scale: Node

    def forward(self, x: Node) -> Node:
        return x + self.scale * self.inner(x)


@dataclass(frozen=True)  # compared by value, as a user may well write it
class Tower(nn.Module):
    floors: tuple[nn.Module, ...]

    def forward(self, x: Node) -> Node:
        for floor in self.floors:
            x = floor(x)
        return x


def names(layer: nn.Module) -> list[str]:
    return [node.op.label for node in layer.states()]


def block() -> Residual:
    gain = parameter("gain", (), 1.0, trainable=False)
    return Residual(nn.Linear(4, 4), gain, name="block")


def test_parts_are_named_by_field_below_the_variable() -> None:
    residual = Residual(nn.Linear(4, 4), parameter("gain", (), 1.0))
    assert names(residual) == [
        "residual/inner/weight",
        "residual/inner/bias",
        "residual/gain",
    ]


def test_layers_in_a_tuple_are_numbered() -> None:
    tower = Tower((nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)))
    assert names(tower) == ["tower/floors1/weight", "tower/floors2/weight"]


def test_given_names_win() -> None:
    layer = nn.Linear(4, 4, name="first")
    model = Residual(layer, parameter("gain", (), 1.0), name="net")
    assert names(model) == ["net/first/weight", "net/first/bias", "net/gain"]


def test_a_layer_keeps_the_first_place_it_was_given() -> None:
    shared = nn.Linear(4, 4, bias=False)
    one = Tower((shared,))
    two = Tower((shared, nn.ReLU()))
    assert names(one) == names(two) == ["one/floors1/weight"]


def test_states_are_listed_once_and_parameters_are_the_trainable_ones() -> None:
    made = block()
    tower = Tower((made, made))
    assert len(tower.states()) == 3
    assert [node.op.label for node in tower.parameters()] == [
        "tower/block/inner/weight",
        "tower/block/inner/bias",
    ]
    assert tower.children() == (made,)


def test_each_call_opens_the_boxes_of_the_layers() -> None:
    model = block()
    x = input("x", ("batch", 4))
    y = model(x)
    assert y.origin.scope == "block"
    product = y.inputs[1].inputs[1]
    assert product.origin.scope == "block/inner"
    again = model(x)
    assert again.origin.scopes[0] is not y.origin.scopes[0]  # two uses are two boxes


def test_layers_are_frozen() -> None:
    model = block()
    with pytest.raises(FrozenInstanceError):
        setattr(model, "sca" + "le", parameter("other", (), 1.0))


def test_a_missing_part_is_told_with_those_that_exist() -> None:
    with pytest.raises(AttributeError, match=r"Residual has no part 'outer'; its parts: inner, sc"):
        _ = block().outer


def test_numbers_are_refused_where_a_node_is_needed() -> None:
    model = block()
    with pytest.raises(InputError, match=r"^block: a layer is applied to nodes, not to a ndarray"):
        model(cast("Node", np.zeros((3, 4))))
    with pytest.raises(InputError, match=HERE + "declare an input, such as x = cr.input"):
        model(cast("Node", 3.0))


@dataclass(frozen=True, eq=False)
class Forgetful(nn.Module):
    def forward(self, x: Node) -> Node:
        return cast("Node", None)


def test_a_layer_that_returns_nothing_is_refused() -> None:
    layer = Forgetful()
    with pytest.raises(
        GraphError, match=rf"^layer: forward gave a NoneType.*{HERE}return the node"
    ):
        layer(input("x", (3,)))


def test_two_parts_of_one_name_are_refused() -> None:
    with pytest.raises(GraphError, match=rf"two of its parts are named .*/same{HERE}give them"):
        Tower((nn.ReLU(name="same"), nn.Tanh(name="same")))


@pytest.mark.parametrize("name", ["", "a/b", "a\nb"])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"^ReLU: .* is no name{HERE}give a word"):
        nn.ReLU(name=name)
