"""Parameters by layer."""

import chainrule as cr
from chainrule import nn
from chainrule.declare.leaves import by_layer


def test_parameters_are_of_the_layer_that_holds_them() -> None:
    first, second = nn.Linear(2, 2, name="a"), nn.Linear(2, 2, bias=False, name="b")
    bare = cr.parameter("bare", (), 0.0)
    layers = by_layer([*first.parameters(), bare, *second.parameters()])
    assert {name: len(held) for name, held in layers.items()} == {"a": 2, "bare": 1, "b": 1}
