"""Every declaration becomes a graph in one place, for the mode that is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import chainrule as cr
from chainc import ir
from chainrule import losses, optim
from chainrule.declare.graphs import Declaration, Declared, graph_of


def step() -> optim.Step:
    x, y = cr.input("x", ("batch", "width")), cr.input("y", ("batch",))
    scale = cr.parameter("scale", (), 1.0)
    loss = losses.squared_error(cr.sum(x, axis=1) * scale, y)
    return optim.SGD(lr=0.5, momentum=0.25).minimize(loss)


def declarations() -> Sequence[Declared]:
    made = step()
    loop = cr.training(made, epochs=1, batch_size=2)
    return [made, made.graph, cr.Graph.of(made.graph), loop]


@pytest.mark.parametrize("what", declarations(), ids=lambda what: type(what).__name__)
def test_updates_are_for_training(what: Declaration) -> None:
    assert isinstance(what, Declaration)
    trains, infers = graph_of(what, "train"), graph_of(what, "infer")
    assert trains.updates == what.updates
    assert len(trains.updates) == 3
    assert infers.updates == {}
    assert trains.outputs == infers.outputs == what.outputs
    assert trains.names == infers.names == ("loss",)


def test_nodes_are_outputs_in_both_modes() -> None:
    x = cr.input("x", (2,))
    for what in (x, [x, x * 2.0]):
        assert not isinstance(what, Declaration)
        trains, infers = graph_of(what, "train"), graph_of(what, "infer")
        assert trains.outputs == infers.outputs == (tuple(what) if what is not x else (x,))
        assert not trains.updates


def test_sizes_and_hyperparameters_become_numbers() -> None:
    made = step()
    graph = graph_of(made, "train", sizes={"width": 7}, bake_in=["lr"])
    inputs = {node.op.label: node.type for node in graph.leaves("input")}
    assert set(inputs) == {"x", "y", "momentum"}
    assert str(inputs["x"]) == "f32[batch,7]"
    assert set(graph.updates) == set(made.updates)
    whole = graph_of(made, "train", bake_in=True)
    assert {node.op.label for node in whole.leaves("input")} == {"x", "y"}


@pytest.mark.parametrize("name", ["rate", "x", 3, ["lr"]])
def test_only_a_hyperparameter_can_be_baked_in(name: object) -> None:
    with pytest.raises(cr.InputError, match=r"there is no hyperparameter .* to bake in") as caught:
        graph_of(step(), "train", bake_in=["lr", name])  # type: ignore[list-item]
    assert "\n  where:" in str(caught.value)
    assert "try: there is lr, momentum" in str(caught.value)
    assert graph_of(step(), "infer", bake_in=["lr"]).outputs  # though the loss does not read it


def test_a_step_that_is_compiled_updates_and_its_loss_does_not() -> None:
    made = step()
    data = {"x": np.ones((3, 2), np.float32), "y": np.ones(3, np.float32)}
    state = cr.compile(made).initial_state()
    for what, moved in ((made, True), (made.loss, False), ([made.loss], False)):
        run = cr.compile(what).bind(cr.State({**state, "scale": np.float32(1.0)}))
        run(data)
        assert (run.state["scale"] != 1.0) == moved


@pytest.mark.parametrize("what", [[], [1.0], "words"])
def test_what_is_no_declaration_is_refused(what: Declared) -> None:
    with pytest.raises(cr.GraphError, match="nothing that can be compiled"):
        graph_of(what, "infer")
    with pytest.raises(cr.InputError, match="no named size 'depth'"):
        graph_of(ir.Graph((cr.input("x", ("rows",)),)), "infer", sizes={"depth": 2})
