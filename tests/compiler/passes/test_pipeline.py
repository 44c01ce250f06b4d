"""The passes together: on the training step of a network, on random graphs, on a long chain."""

from collections import Counter
from collections.abc import Callable, Sequence
from importlib import import_module

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from tests.graphs import Case, cases

from chainc.autodiff import grad
from chainc.interpreters.reference import Evaluation, evaluate
from chainc.ir import Graph, Node, apply
from chainc.ir.binding import bind_graph, sizes_of
from chainc.ir.leaves import Input, Label, Slot
from chainc.ir.text import same, to_text
from chainc.ir.types import Array, Shape, TensorType, float32, float64, int32, named
from chainc.ir.verify import verify
from chainc.ops import argmax, astype, equal, linear, logsumexp, mean, one_hot, relu, sum, tanh
from chainc.passes import PIPELINE, Pass, pipeline
from chainc.rewriting.trace import tracing

Numbers = npt.NDArray[np.float64]

NAMES = [step.name for step in PIPELINE]


def after(graph: Graph, passes: Sequence[Pass] = PIPELINE) -> Graph:
    for step in passes:
        graph = step.run(graph)
        verify(graph)
    return graph


def until(name: str) -> Sequence[Pass]:
    """The passes up to and with that one."""
    return PIPELINE[: NAMES.index(name) + 1]


# ----- the tuple


def test_the_order_is_visible() -> None:
    assert NAMES == [
        "canonicalize",
        "stabilize",
        "lift",
        "simplify",
        "fold",
        "cse",
        "dce",
        "convolve",
        "reassociate",
        "reciprocals",
        "fuse",
    ]


def test_fast_math_changes_one_pass() -> None:
    fast = pipeline(fast_math=True)
    assert [step.name for step in fast] == NAMES
    different = [a.name for a, b in zip(PIPELINE, fast, strict=True) if a.run is not b.run]
    assert different == ["simplify"]
    assert pipeline() is PIPELINE


def test_each_pass_says_what_it_needs_and_leaves() -> None:
    for step in PIPELINE:
        file = import_module(step.run.__module__)
        text = f"{getattr(file, step.name).__doc__}{file.__doc__}"
        assert "Needs:" in text
        assert "Leaves:" in text


# ----- a training step

SHAPES = {"w1": (64, 32), "b1": (32,), "w2": (32, 10), "b2": (10,)}


def training_step() -> Graph:
    """An MLP on digits: cross-entropy, accuracy, and gradient descent with momentum."""
    batch = named("batch")
    x = apply(Input("x", TensorType((batch, 64), float32)))
    labels = apply(Input("y", TensorType((batch,), int32)))
    rate = apply(Input("lr", TensorType((), float32), 0.1))
    momentum = apply(Input("momentum", TensorType((), float32), 0.9))
    parameters = [slot(name, shape) for name, shape in SHAPES.items()]
    w1, b1, w2, b2 = parameters
    logits = linear(relu(linear(x, w1, b1)), w2, b2)
    loss = mean(logsumexp(logits, -1) - sum(logits * one_hot(labels, 10), -1))
    hits = equal(argmax(logits), astype(labels, "int64"))
    updates: dict[Node, Node] = {}
    for w, gradient in zip(parameters, grad(loss, parameters), strict=True):
        velocity = slot(f"velocity/{w.op.label}", w.type.shape)
        updates[velocity] = momentum * velocity + gradient
        updates[w] = w - rate * updates[velocity]
    return Graph((loss, mean(astype(hits, "float32"))), updates, ("loss", "accuracy"))


def slot(name: str, shape: Shape) -> Node:
    return apply(Slot(Label(name), TensorType(shape, float32), trainable="/" not in name))


def run_step(graph: Graph) -> tuple[list[Numbers], dict[str, Numbers]]:
    random = np.random.default_rng(0)
    inputs: dict[str, Array]
    inputs = {"x": random.uniform(0, 1, (7, 64)), "y": random.integers(0, 10, 7).astype(np.int32)}
    states: dict[str, Array] = {}
    for name, shape in SHAPES.items():
        states[name] = random.normal(0, 0.2, shape)
        states[f"velocity/{name}"] = random.normal(0, 0.1, shape)
    return numbers(evaluate(graph, inputs, states))


def numbers(result: Evaluation) -> tuple[list[Numbers], dict[str, Numbers]]:
    outputs = [np.asarray(value, np.float64) for value in result.outputs]
    return outputs, {key: np.asarray(x, np.float64) for key, x in result.updates.items()}


@pytest.fixture(scope="module")
def step() -> Graph:
    return training_step()


@pytest.mark.parametrize("fast_math", [False, True])
def test_every_pass_keeps_the_numbers_of_a_step(step: Graph, fast_math: bool) -> None:
    outputs, updates = run_step(step)
    graph = step
    for each in pipeline(fast_math):
        graph = after(graph, [each])
        found, states = run_step(graph)
        for a, b in zip(found, outputs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
        for name, value in updates.items():
            np.testing.assert_allclose(states[name], value, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("each", PIPELINE[:-1], ids=lambda each: each.name)
def test_a_pass_finds_nothing_more_to_do(step: Graph, each: Pass) -> None:
    once = after(step, until(each.name))
    assert same(each.run(once), once)


def test_the_optimized_step(step: Graph, golden: Callable[[str, str], None]) -> None:
    """One exponential, one sum; the gradient of the logits is (softmax - one_hot) / n."""
    graph = after(step, until("reassociate"))
    golden("training_step.ir", to_text(graph, comments=False))
    names = Counter(node.op.name for node in graph.nodes)
    assert names["exp"] == names["log"] == names["max"] == names["one_hot"] == names["size"] == 1
    assert names["contract"] == 5
    assert names["broadcast_to"] == names["permute_dims"] == names["negative"] == 0
    assert names["reshape"] == 1  # of the rows' losses, to subtract the picked logits
    dlogits = next(node for node in graph.nodes if node.op.label == "divide" and node.ndim == 2
                   and node.inputs[1].ndim == 0)  # fmt: skip
    softmax, target = dlogits.inputs[0].inputs
    assert (softmax.op.name, target.op.name) == ("divide", "one_hot")
    bias_gradient = [node for node in graph.users[dlogits] if node.op.name == "sum"]
    assert [node.shape for node in bias_gradient] == [(10,)]


def test_the_trace_names_the_rules_and_the_lines(step: Graph) -> None:
    with tracing() as fired:
        after(step)
    rules = {step.rule for step in fired}
    assert {"softmax_times", "softmax_minus_target", "times_reciprocal", "gradient_stop"} <= rules
    rounding = {"over_softmax_denominator", "over_size"}  # a reciprocal in the place of quotients
    assert rounding <= rules
    assert {step.rule for step in fired if step.kind == "fast"} == rounding
    lines = {str(step.replaced.origin.location).split(":")[0] for step in fired}
    assert lines == {str(step.replaced.origin.location).split(":")[0] for step in fired[:1]}


def test_two_runs_give_the_same_graph(step: Graph) -> None:
    assert same(after(step), after(training_step()))


# ----- any graph


def check_same_numbers(case: Case, graph: Graph, passes: Sequence[Pass]) -> None:
    """A graph over the inputs of a case has the same values before and after the passes."""
    sizes = sizes_of(case.graph, {key: value.shape for key, value in case.inputs.items()})

    def values(graph: Graph) -> tuple[list[Numbers], dict[str, Numbers]]:
        inputs = {node.op.label: case.inputs[node.op.label] for node in graph.leaves("input")}
        return numbers(evaluate(bind_graph(graph, sizes), inputs, case.states))

    outputs, updates = values(graph)
    found, states = values(after(graph, passes))
    for a, b in zip(found, outputs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)
    for name, value in states.items():
        np.testing.assert_allclose(value, updates[name])


@settings(max_examples=150)
@given(cases(dtype=float64, jumps=True))
def test_the_passes_keep_the_numbers_of_any_graph(case: Case) -> None:
    check_same_numbers(case, case.graph, PIPELINE)


@settings(max_examples=100)
@given(cases(dtype=float64))
def test_so_do_the_fast_ones_for_moderate_numbers(case: Case) -> None:
    check_same_numbers(case, case.graph, pipeline(fast_math=True))


def gradients(case: Case) -> Graph | None:
    """The derivatives of the sum of all outputs, where there are any."""
    wrt = [node for node in case.graph.leaves("input") if node.type.dtype == float64]
    outputs = [node for node in case.graph.outputs if node.type.dtype == float64]
    if not wrt or not outputs:
        return None
    total = sum(outputs[0])
    for output in outputs[1:]:
        total = total + sum(output)
    return Graph(tuple(grad(total, wrt, allow_unused=True)))


@settings(max_examples=100)
@given(cases(dtype=float64, max_steps=6))
def test_the_passes_keep_the_numbers_of_any_gradient(case: Case) -> None:
    graph = gradients(case)
    if graph is not None:
        check_same_numbers(case, graph, PIPELINE)


def test_a_chain_of_ten_thousand_nodes() -> None:
    x = apply(Input("x", TensorType((3,), float32)))
    y: Node = x
    for _ in range(1300):
        y = tanh(y) * 1.5
    graph = Graph((grad(sum(y), x),))
    assert len(graph.nodes) > 10_000
    assert len(after(graph).nodes) < len(graph.nodes)
