"""Both sides of a pass: the graph that is expected of it, and the same numbers as before."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node, apply
from chainc.ir.binding import bind_graph
from chainc.ir.leaves import Input
from chainc.ir.text import same, to_text
from chainc.ir.types import Array, DType, TensorType, float32, named, static
from chainc.ir.verify import verify

SIZES = {"batch": 4, "time": 3}

Run = Callable[[Graph], Graph]


def declare(key: str, *shape: int | str, dtype: DType = float32) -> Node:
    """An input; a text in the shape is a named size."""
    dims = tuple(named(dim) if isinstance(dim, str) else dim for dim in shape)
    return apply(Input(key, TensorType(dims, dtype)))


def check(run: Run, before: Node, expected: Node) -> None:
    """The pass turns one into the other, finds nothing more to do, and keeps the numbers."""
    graph = run(Graph((before,)))
    assert same(graph, Graph((expected,))), to_text(graph)
    check_numbers(run, Graph((before,)))


def check_unchanged(run: Run, root: Node) -> None:
    graph = run(Graph((root,)))
    assert same(graph, Graph((root,))), to_text(graph)


def check_numbers(run: Run, before: Graph) -> Graph:
    """The graph after the pass, sound, settled, and with the same values for some inputs."""
    after = run(before)
    verify(after)
    assert same(run(after), after)
    values = some_values(before)
    old = evaluate(bind_graph(before, SIZES), values)
    new = evaluate(bind_graph(after, SIZES), used(after, values))
    for name, value in old.updates.items():
        if name in new.updates:
            assert np.allclose(new.updates[name], value, rtol=1e-6, atol=1e-9)
    for a, b in zip(old.outputs, new.outputs, strict=True):
        assert np.allclose(b, a, rtol=1e-6, atol=1e-9, equal_nan=True)
    return after


def numbers(graph: Graph, values: Mapping[str, npt.ArrayLike]) -> list[npt.NDArray[np.float64]]:
    """The outputs in double precision; values that the graph does not read are left out."""
    found = evaluate(graph, used(graph, {key: np.asarray(x) for key, x in values.items()}))
    return [np.asarray(output, np.float64) for output in found.outputs]


def some_values(graph: Graph) -> dict[str, Array]:
    random = np.random.default_rng(3)
    return {node.op.label: _values(node.type, random) for node in graph.leaves("input")}


def used(graph: Graph, values: Mapping[str, Array]) -> dict[str, Array]:
    """The values of the inputs that the graph still has."""
    return {node.op.label: values[node.op.label] for node in graph.leaves("input")}


def _values(type: TensorType, random: np.random.Generator) -> Array:
    shape = static(type.bind(SIZES).shape)
    if type.dtype.is_float:
        return random.uniform(0.25, 2.0, shape)
    return random.integers(0, 2, shape).astype(type.dtype.numpy)
