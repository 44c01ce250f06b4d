"""A digest tells graphs apart that may compile to other code, and no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import REGISTRY, Graph, Node, apply
from chainc.ir.leaves import Input
from chainc.ir.scalar import Scalar
from chainc.ir.text.digest import Digest, UnknownMeaningError, bytes_digest
from chainc.ops.elementwise import Elementwise
from chainc.ops.formula import CustomGradient
from chainc.ops.parts.window import window

T = TypeVar("T")


def content(*nodes: Node, names: tuple[str, ...] = ()) -> bytes:
    digest = Digest()
    digest.add(Graph(nodes, names=names))
    return digest.content()


def x(*shape: int | str, name: str = "x", dtype: str = "float32") -> Node:
    return cr.input(name, shape or ("batch", 3), dtype=dtype)


def shared() -> Node:
    once = cr.tanh(x())
    return once + once


def twice() -> Node:
    a = x()
    return cr.tanh(a) + cr.tanh(a)


def windows(taps: int, stride: int) -> Node:
    return window(x("batch", 8), (taps,), (1,), (stride,))


DISTINCT: list[Callable[[], Node]] = [
    lambda: cr.tanh(x()),
    lambda: cr.sin(x()),
    lambda: cr.tanh(x(name="y")),
    lambda: cr.tanh(x("batch", 4)),
    lambda: cr.tanh(x("rows", 3)),
    lambda: cr.tanh(x(dtype="float64")),
    lambda: x() * 2.0,
    lambda: x() * 3.0,
    lambda: x() * 0.0,
    lambda: x() * -0.0,
    lambda: 2.0 - x(),
    lambda: x() - 2.0,
    lambda: x() + cr.constant(np.ones(3, np.float32)),
    lambda: x() + cr.constant(np.ones((1, 3), np.float32)),
    lambda: x() + cr.constant(np.arange(3, dtype=np.float32)),
    lambda: x() + cr.parameter("w", (3,), 0.0),
    lambda: x() + cr.parameter("v", (3,), 0.0),
    lambda: cr.sum(x(), axis=0),
    lambda: cr.sum(x(), axis=1),
    lambda: windows(3, 1),
    lambda: windows(3, 2),
    lambda: windows(2, 1),
    lambda: cr.elementwise(lambda a: a * 2.0)(x()),
    lambda: cr.elementwise(lambda a: a * 3.0)(x()),
    shared,
    twice,
]


def test_an_equal_graph_has_an_equal_digest_and_no_other() -> None:
    first, second = ([content(declare()) for declare in DISTINCT] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)


def test_outputs_names_and_updates_count() -> None:
    a = x()
    b = cr.tanh(a)
    w = cr.parameter("w", (3,), 0.0)
    digests = [content(a, b), content(b, a), content(b), content(b, names=("loss",)), content(b, w)]
    for new in (w * 2.0, w * 3.0):
        digest = Digest()
        digest.add(Graph((b,), {w: new}))
        digests.append(digest.content())
    assert len(set(digests)) == len(digests)


def test_constants_are_found_by_their_bytes() -> None:
    values = np.arange(1000, dtype=np.float32).reshape(10, 100)
    digest = Digest()
    digest.add(Graph((x("batch", 100) + cr.constant(values[0]), cr.constant(values))))
    assert len(digest.content()) < 1000
    np.testing.assert_array_equal(digest.constants[bytes_digest(values.tobytes())], values)
    np.testing.assert_array_equal(digest.constants[bytes_digest(values[0].tobytes())], values[0])


@dataclass(frozen=True)
class Foreign(Elementwise):
    """An op that is none of the compiler's own."""

    def arity(self) -> int:
        return 1

    def scalar(self, s: Scalar[T], a: T) -> T:
        return s.tanh(a)


def test_what_every_op_of_ours_means_is_written() -> None:
    """Else what is made with it would be compiled again in each process."""
    ours = [kind for kind in REGISTRY.values() if kind.__module__.startswith("chainc.ops")]
    for kind in ours:
        if kind is not CustomGradient:  # it holds a function of the user's
            for sample in kind.samples():
                inputs = [apply(Input(f"x{i}", type)) for i, type in enumerate(sample.operands)]
                assert content(apply(sample.op, *inputs))


def test_what_a_name_does_not_tell_has_no_digest() -> None:
    with pytest.raises(UnknownMeaningError, match="Foreign"):
        content(apply(Foreign(), x()))
    with pytest.raises(UnknownMeaningError, match="function"):
        content(cr.custom_gradient(lambda a: (cr.tanh(a), lambda g: g))(x()))
