"""Forms by mode, updates that nodes carry, and draws with streams of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest

from chainc import ops
from chainc.autodiff import grad, jvp
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node, apply, scope
from chainc.ir.errors import GraphError
from chainc.ir.leaves import Input, Label, Slot, constant, run_seed, step_counter
from chainc.ir.text import parse, same, to_text
from chainc.ir.types import TensorType, float32, float64
from chainc.ir.verify import verify
from chainc.ops.runs.modes import MODES, ByMode, Mode, Updating, by_mode, resolve, updating
from chainc.ops.runs.random import Random, with_own_streams

Floats = npt.NDArray[np.float64]

X = np.array([1.0, -2.0, 3.0])


def declare(key: str, *shape: int) -> Node:
    return apply(Input(key, TensorType(shape, float64)))


def slot(name: str) -> Node:
    return apply(Slot(Label(name), TensorType((), float64)))


def values(nodes: Sequence[Node], mode: Mode, inputs: Mapping[str, npt.ArrayLike]) -> list[Floats]:
    graph = resolve(Graph(tuple(nodes)), mode)
    verify(graph)
    assert not any(isinstance(node.op, ByMode | Updating) for node in graph.nodes)
    used = {key: inputs[key] for key in (node.op.label for node in graph.leaves("input"))}
    return [cast("Floats", output) for output in evaluate(graph, used).outputs]


def test_each_mode_has_its_own_form_and_the_other_is_gone() -> None:
    x, t = declare("x", 3), declare("t", 3)
    y = by_mode(train=x * t, infer=x + 1) * 2
    assert np.array_equal(values([y], "train", {"x": X, "t": X})[0], 2 * X * X)
    assert np.array_equal(values([y], "infer", {"x": X})[0], 2 * (X + 1))
    assert [n.op.label for n in resolve(Graph((y,)), "infer").leaves("input")] == ["x"]


def test_without_a_mode_the_value_is_that_of_inference() -> None:
    x = declare("x", 3)
    y = by_mode(train=x * 5, infer=x + 1)
    assert np.array_equal(evaluate(Graph((y,)), {"x": X}).outputs[0], X + 1)


@pytest.mark.parametrize("mode", MODES)
def test_the_gradient_in_a_mode_is_that_of_its_form(mode: Mode) -> None:
    """Differentiated first and resolved then, against resolved first and differentiated then."""
    x, w = declare("x", 3), declare("w", 3)
    forms = {"train": ops.sin(x) * w, "infer": x * x}
    y = by_mode(train=forms["train"], infer=forms["infer"]) * x
    loss, alone = ops.sum(y * y), ops.sum((forms[mode] * x) * (forms[mode] * x))
    given = {"x": X, "w": X + 1}
    found = values(grad(loss, [x, w]), mode, given)
    wanted = values(grad(alone, [x, w], allow_unused=True), mode, given)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-14)
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-14)
    second = values([grad(ops.sum(grad(loss, x)), x)], mode, given)
    again = values([grad(ops.sum(grad(alone, x)), x)], mode, given)
    np.testing.assert_allclose(second[0], again[0], rtol=1e-12)
    pushed = values(jvp([loss], [x], [x]), mode, given)
    expected = values(jvp([alone], [x], [x]), mode, given)
    np.testing.assert_allclose(pushed[0], expected[0], rtol=1e-12)


def test_no_form_is_differentiated_for_the_other_mode() -> None:
    """√x has no derivative at 0; where it is not used, nothing of it may spoil the gradient."""
    x = declare("x", 3)
    loss = ops.sum(by_mode(train=ops.sqrt(x), infer=x * 3))
    gradient = resolve(Graph((grad(loss, x),)), "infer")
    assert not any(node.op.name in ("sqrt", "divide") for node in gradient.nodes)
    assert np.array_equal(evaluate(gradient, {}).outputs[0], [3, 3, 3])


def test_a_form_within_a_form_counts_where_both_do() -> None:
    x = declare("x", 3)
    inner = by_mode(train=x * 2, infer=x * 3)
    y = by_mode(train=inner * 5, infer=x * 7)
    slope = grad(ops.sum(y), x)
    assert np.array_equal(values([slope], "train", {"x": X})[0], [10, 10, 10])
    assert np.array_equal(values([slope], "infer", {"x": X})[0], [7, 7, 7])


def test_updates_are_met_in_training_alone_and_only_on_the_way() -> None:
    x, seen = declare("x"), slot("seen")
    y = updating(x * 2, {seen: seen + x})
    step = resolve(Graph((y * y,)), "train")
    assert [each.op.label for each in step.updates] == ["seen"]
    assert evaluate(step, {"x": X[0]}, {"seen": X[1]}).updates == {"seen": -1.0}
    assert resolve(Graph((y,)), "infer").updates == {}
    assert resolve(Graph((by_mode(train=x, infer=y),)), "train").updates == {}
    used_twice = resolve(Graph((y * y, y)), "train")
    assert len(used_twice.updates) == 1


def test_the_derivative_flows_through_what_updates_but_not_into_updates() -> None:
    x, seen = declare("x", 3), slot("seen")
    loss = ops.sum(updating(x * x, {seen: seen + ops.sum(x)}))
    assert np.array_equal(values([grad(loss, x)], "infer", {"x": X})[0], 2 * X)


def test_a_slot_written_twice_names_both_layers() -> None:
    x, seen = declare("x"), slot("seen")
    with scope("first"):
        one = updating(x, {seen: x})
    with scope("second"):
        two = updating(x, {seen: x * 2})
    with pytest.raises(GraphError, match="'seen' is written twice in one step") as caught:
        resolve(Graph((one + two,)), "train")
    message = str(caught.value)
    assert "in first (" in message
    assert "in second (" in message
    assert "a layer of its own" in message
    with pytest.raises(GraphError, match="written twice"):
        resolve(Graph((one,), {seen: x * 3}), "train")
    assert resolve(Graph((one + two,)), "infer").updates == {}


def test_bad_forms_and_updates_are_refused() -> None:
    x, seen = declare("x", 3), slot("seen")
    narrow = apply(Input("n", TensorType((3,), float32)))
    with pytest.raises(GraphError, match=r"form for training is f64\[3\], the one for inference f"):
        by_mode(train=x, infer=narrow)
    with pytest.raises(GraphError, match="by_mode: a float is no node"):
        by_mode(train=x, infer=cast("Node", 1.0))
    with pytest.raises(GraphError, match="a state and its new value are not of one type"):
        updating(x, {seen: x})
    with pytest.raises(GraphError, match=r"updating: x f64\[3\].* is no state"):
        updating(x, {x: x})


def test_both_ops_are_written_and_read_back() -> None:
    x, seen = declare("x"), slot("seen")
    y = updating(by_mode(train=x * ops.uniform((), dtype="float64"), infer=x), {seen: seen + x})
    graph = Graph((y, grad(y * y, x)))
    assert same(parse(to_text(graph)), graph)
    step = resolve(with_own_streams(graph), "train")
    assert same(parse(to_text(step)), step)


def test_each_draw_has_a_stream_of_its_own_unless_one_is_given() -> None:
    drawn = ops.uniform((4,)) + ops.uniform((4,)) + ops.normal((4,)) + ops.uniform((4,), stream="a")
    graph = with_own_streams(Graph((drawn,)))
    streams = [node.op.stream for node in graph.nodes if isinstance(node.op, Random)]
    assert len(streams) == 5
    assert None not in streams
    assert len(set(streams)) == 5
    again = with_own_streams(graph)
    assert again is graph


def test_a_draw_without_a_seed_reads_those_of_the_run() -> None:
    graph = Graph((ops.uniform((4,)),))
    assert set(graph.leaves("state")) == {run_seed(), step_counter()}
    assert not Graph((ops.uniform((4,), 3),)).leaves("state")
    at = [
        evaluate(graph, {}, {"seed": np.array(seed), "step": np.array(step)}).outputs[0]
        for seed, step in [(0, 0), (0, 1), (1, 0), (0, 0)]
    ]
    assert np.array_equal(at[0], at[3])
    assert not np.array_equal(at[0], at[1])
    assert not np.array_equal(at[0], at[2])
    fixed = Graph((ops.uniform((4,), constant(0), constant(1)),))
    assert np.array_equal(evaluate(fixed, {}).outputs[0], at[1])
