"""Layers: names of parts, boxes, and what is refused when a layer is built or applied."""

from dataclasses import FrozenInstanceError, dataclass
from typing import cast

import numpy as np
import pytest

from chainc.ir import Node
from chainc.ir.errors import GraphError, InputError
from chainrule import losses, nn, optim
from chainrule.compiled.compilation import compile
from chainrule.declare.leaves import input, parameter
from chainrule.steps.loop import training

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
    with pytest.raises(
        AttributeError, match=r"^Residual has no part 'outer'" + HERE + "its parts are inner, sc"
    ):
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


class Net(nn.Module):
    """Written as one writes it in PyTorch."""

    def __init__(self, hidden: int = 8) -> None:
        super().__init__()
        self.first = nn.Linear(4, hidden)
        self.act = nn.Tanh()
        self.gain = parameter("gain", (), 1.0)
        self.heads = {"mean": nn.Linear(hidden, 1), "spread": nn.Linear(hidden, 1, bias=False)}
        self.blocks: list[nn.Module] = []
        for _ in range(2):
            self.blocks.append(nn.Linear(hidden, hidden, bias=False))

    def forward(self, x: Node) -> Node:
        h = self.act(self.first(x))
        for inner in self.blocks:
            h = self.gain * inner(h)
        return self.heads["mean"](h) + self.heads["spread"](h)


def test_a_class_that_assigns_its_parts_adopts_them() -> None:
    net = Net()
    assert names(net) == [
        "net/first/weight", "net/first/bias", "net/gain", "net/heads_mean/weight",
        "net/heads_mean/bias", "net/heads_spread/weight", "net/blocks1/weight",
        "net/blocks2/weight",
    ]  # fmt: skip
    y = net(input("x", ("batch", 4)))
    assert len(net.parameters()) == 8
    step = optim.SGD(lr=0.1).minimize(losses.squared_error(y, input("y", ("batch", 1))))
    assert set(step.parameters) == set(net.parameters())
    assert repr(net).startswith("Net(first=Linear(4, 8), act=Tanh(), gain=<net/gain f32[] (")
    wrapped = nn.Sequential(Net(), name="model")
    assert names(wrapped)[0] == "model/net1/first/weight"


class Unbegun(nn.Module):
    def __init__(self) -> None:
        self.inner = nn.Linear(2, 2)


class Empty(nn.Module):
    def __init__(self) -> None:
        pass


class Silent(nn.Module):
    pass


def test_a_class_that_is_not_complete_says_what_is_missing() -> None:
    begin = rf"(.|\n)*{HERE}call super\(\)\.__init__\(\) first in "
    with pytest.raises(GraphError, match=f"Unbegun: a layer begins{begin}Unbegun"):
        Unbegun()
    with pytest.raises(GraphError, match=f"Empty: a layer begins{begin}Empty"):
        Empty()(input("x", (2,)))
    with pytest.raises(GraphError, match=rf"Silent does not say.*{HERE}define forward\(self, x\)"):
        Silent()(input("x", (2,)))


def state_names(*layers: nn.Module) -> list[str]:
    x = input("x", ("batch", 2))
    for layer in layers:
        x = layer(x)
    return sorted(compile(x).initial_state())


def make() -> nn.Linear:
    return nn.Linear(2, 2, bias=False)


def test_layers_of_one_name_are_numbered() -> None:
    a, b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    assert len(state_names(a, b)) == 2  # which of them take the variables' names is Python's choice
    assert state_names(*[make() for _ in range(3)]) == [f"linear{n}/weight" for n in (1, 2, 3)]
    assert state_names(*{"a": make(), "b": make()}.values()) == ["linear1/weight", "linear2/weight"]
    found = []
    for _ in range(2):
        layer = nn.Linear(2, 2, bias=False)
        found.append(layer)
    assert state_names(*found) == ["layer1/weight", "layer2/weight"]


def test_a_name_once_used_stays() -> None:
    first, second, third = make(), make(), make()
    (kept,) = state_names(first)
    assert kept == "linear/weight"
    assert state_names(second, first)[:1] == [kept]
    assert len(set(state_names(first, second, third))) == 3
    assert state_names(first) == [kept]


def test_an_optimizer_keeps_values_of_numbered_layers_apart() -> None:
    x = input("x", ("batch", 2))
    loss = losses.squared_error(make()(make()(x)), x)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(loss)
    run = compile(training(step, epochs=1, batch_size=2)).run({x: np.ones((4, 2), np.float32)})
    assert sorted(run.state) == [
        "linear1/weight", "linear2/weight", "seed", "sgd/velocity/linear1/weight",
        "sgd/velocity/linear2/weight", "step",
    ]  # fmt: skip


def test_given_names_are_never_numbered() -> None:
    same = [nn.Linear(2, 2, name="same"), nn.Linear(2, 2, name="same")]
    with pytest.raises(GraphError, match="two state slots have the name 'same/"):
        state_names(*same)
    named, free = nn.Linear(2, 2, bias=False, name="linear"), make()
    assert state_names(named, free) == ["linear/weight", "linear1/weight"]
