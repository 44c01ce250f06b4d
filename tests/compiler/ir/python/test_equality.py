"""`==` and `!=` between nodes: element by element, while hashes and sets go by identity."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Node
from chainc.ir.python.operators import OPERATORS
from chainrule import losses, nn, optim

A = np.array([[0.0, 1.0, np.nan], [2.0, -0.0, np.inf]], np.float32)
B = np.array([[0.0, 2.0, np.nan], [2.0, 0.0, -np.inf]], np.float32)
a, b = cr.input("a", (2, 3)), cr.input("b", (2, 3))
Use = Callable[[object, object], object]


def node(made: object) -> Node:
    assert isinstance(made, Node)
    return made


@pytest.mark.parametrize("target", ["llvm", "numpy"])
@pytest.mark.parametrize("use", [operator.eq, operator.ne])
@pytest.mark.parametrize(
    ("x", "y", "wanted"),
    [
        (a, b, (A, B)),
        (a, a, (A, A)),
        (a, 2, (A, 2)),
        (2.0, a, (2.0, A)),
        (a, np.float32(1), (A, 1)),
        (np.float32(1), a, (1, A)),
        (a, B, (A, B)),
        (B, a, (B, A)),
        (a, B[0], (A, B[0])),
        (a, [0.0, 2.0, 1.0], (A, [0.0, 2.0, 1.0])),
    ],
)
def test_elements_are_compared_as_by_numpy(
    target: str, use: Use, x: object, y: object, wanted: tuple[object, object]
) -> None:
    compared = node(use(x, y))
    assert compared.dtype.is_bool
    given = {
        leaf.op.label: {"a": A, "b": B}[leaf.op.label]
        for leaf in cr.Graph([compared]).leaves("input")
    }
    found = cr.compile(compared, target=target)(given)
    np.testing.assert_array_equal(found, use(np.asarray(wanted[0]), np.asarray(wanted[1])))


def test_integers_and_booleans_are_compared_too() -> None:
    n = cr.input("n", (3,), dtype="int64")
    big = 2**53 + 1  # which a float64 does not tell from its neighbour
    np.testing.assert_array_equal(
        cr.compile(node(n == big))(n=[big - 1, big, big + 1]), [False, True, False]
    )
    is_low = n < 2
    same = cr.compile(node(operator.eq(is_low, True)))
    np.testing.assert_array_equal(same(n=[1, 2, 3]), [True, False, False])


def test_an_accuracy_is_written_with_it() -> None:
    z, y = cr.input("z", (4, 3)), cr.input("y", (4,), dtype="int64")
    accuracy = cr.mean(cr.astype(cr.argmax(z, 1) == y, "float32"))
    error = cr.mean(cr.where(cr.argmax(z, 1) != y, 1.0, 0.0))
    both = cr.compile([accuracy, error])
    np.testing.assert_array_equal(both(z=np.eye(4, 3), y=[0, 1, 2, 1]), [0.75, 0.25])


def test_what_holds_no_numbers_is_never_equal() -> None:
    for other in (None, "a", object(), {}):
        assert operator.eq(a, other) is False
        assert operator.ne(other, a) is True


def test_a_comparison_has_no_truth_value() -> None:
    with pytest.raises(cr.GraphError, match="a node has no truth value") as caught:
        bool(a == b)
    assert "test_equality.py" in str(caught.value)
    assert "cr.where(condition, a, b); whether two nodes are one and the same says a is b" in str(
        caught.value
    )


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(cr.ShapeError, match="equal"):
        operator.eq(a, cr.input("c", (2, 4)))


def test_keys_go_by_identity() -> None:
    again = cr.input("a", (2, 3))
    assert len({a, again, b}) == 3
    assert {a: 1, again: 2}[a] == 1
    assert again not in {a, b}
    assert a in [a, b]  # found before anything is compared


def test_no_derivative_flows_through_it() -> None:
    gradient = cr.grad(cr.sum(cr.where(a == b, a, 0.0)), a)
    np.testing.assert_array_equal(cr.compile(gradient)(a=A, b=B), A == B)


def test_the_compiler_itself_compares_no_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(x: object, y: object) -> Node:
        raise AssertionError(f"{x!r} is compared with {y!r}")

    for sign in ("==", "!="):
        monkeypatch.setitem(OPERATORS, sign, refuse)
    x, labels = cr.input("x", ("batch", 3)), cr.input("labels", ("batch",), dtype="int64")
    first = nn.Linear(3, 4)
    model = nn.Sequential(first, nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 2))
    loss = losses.cross_entropy(model(x), labels)
    step = optim.Adam(lr=0.1).minimize(loss)
    loop = cr.training(step, epochs=1, batch_size=2)
    at = {"x": np.ones((4, 3)), "labels": [0, 1, 1, 0]}
    for target in ("llvm", "numpy"):
        program = cr.compile(loop, target=target)
        program.run(at, progress=False)
        program.provenance()
    assert program.draw().dot
    assert cr.derive(loss, first.weight, at=at).markdown()
