"""Python's True and False, which `is` between nodes gives, are no nodes."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Node

z, y = cr.input("z", (4, 3)), cr.input("y", (4,), dtype="int64")

ASKED: list[tuple[str, Callable[[], Node]]] = [
    ("astype", lambda: cr.astype(cr.argmax(z) is y, "float32")),
    ("astype", lambda: cr.astype(cr.argmax(z) is not y, "float32")),
    ("where", lambda: cr.where(operator.is_(cr.argmax(z), y), z, 0.0)),
    ("mean", lambda: cr.mean(cr.argmax(z) is y)),
    ("sum", lambda: cr.sum(cr.argmax(z) is y)),
    ("max", lambda: cr.max(cr.argmax(z) is not y)),
    ("logical_not", lambda: cr.logical_not(cr.argmax(z) is y)),
]


@pytest.mark.parametrize(("name", "make"), ASKED)
def test_an_answer_of_python_is_refused(name: str, make: Callable[[], Node]) -> None:
    with pytest.raises(cr.GraphError, match=f"{name}: got Python's (True|False), no node") as error:
        make()
    assert "test_truth_values.py" in str(error.value)
    assert "a == b or a != b" in str(error.value)


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_what_is_compared_element_by_element_counts(target: str) -> None:
    right = cr.equal(cr.argmax(z, 1), y)
    accuracy = cr.compile(cr.mean(cr.astype(right, "float32")), target=target)
    found = accuracy(z=np.eye(4, 3, dtype=np.float32), y=np.array([0, 1, 2, 1]))
    assert found == 0.75


def test_a_truth_value_beside_a_node_is_a_constant() -> None:
    assert (cr.equal(y, 1) & True).dtype.is_bool
    assert cr.where(cr.equal(y, 1), cr.equal(y, 2), False).dtype.is_bool
