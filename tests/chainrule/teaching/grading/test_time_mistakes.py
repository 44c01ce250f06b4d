"""Backpropagation through time by hand, right and with the usual mistakes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.ir import Node
from chainc.ir.types import Array

Numbers = npt.NDArray[Any]

STEPS, HIDDEN = 2, 2
INPUTS = np.random.default_rng(0).normal(size=(STEPS, HIDDEN))
WEIGHTS = np.array([[0.9, -0.7], [0.6, 1.1]])


def loss_of() -> tuple[Node, Node, Node]:
    x, w = cr.input("x", ("time", HIDDEN)), cr.parameter("w", (HIDDEN, HIDDEN), 0.5)

    def cell(h: Node, x_t: Node) -> tuple[Node, Node]:
        h = cr.tanh(h @ w + x_t)
        return h, h

    _, every = cr.scan(cell, carry=cr.broadcast_to(0.3, (HIDDEN,)), xs=x)
    assert isinstance(every, Node)
    return cr.sum(every * every), x, w


def by_hand(values: Mapping[str, Numbers], mistake: str = "") -> dict[str, Numbers]:
    h = [np.full(HIDDEN, 0.3)]
    for x_t in values["x"]:
        h.append(np.tanh(h[-1] @ values["w"] + x_t))
    found, behind = np.zeros_like(values["w"]), np.zeros(HIDDEN)
    for t in reversed(range(STEPS)):
        dz = (2 * h[t + 1] + behind) * (1 - h[t + 1] ** 2)
        if mistake != "last" or t == STEPS - 1:
            found = found + np.outer(h[t], dz)
        behind = dz @ values["w"].T
        if mistake == "dropped":
            behind = np.zeros(HIDDEN)
        if mistake == "inside":
            behind = np.clip(behind, -0.1, 0.1)
    return {"w": np.clip(found, -0.2, 0.2) if mistake == "outside" else found}


def check(mistake: str) -> Any:
    loss, x, w = loss_of()
    at: Mapping[Node, object] = {x: INPUTS, w: WEIGHTS}

    def student(values: Mapping[str, Array]) -> dict[str, Numbers]:
        floats = {name: np.asarray(each, np.float64) for name, each in values.items()}
        return by_hand(floats, mistake)

    return cr.check_backward(student, loss, at)


def test_one_that_is_right_is_found_right() -> None:
    assert check("").passed


@pytest.mark.parametrize(
    ("mistake", "kind", "what"),
    [
        ("dropped", "carry gradient dropped", "nothing comes back from one step .* to .h1."),
        ("last", "last step only", "all 2 steps read 'w', and only what the last one adds"),
        ("inside", "clipping in the wrong place", "from step to step is clipped to ±0.1"),
        ("outside", "clipping in the wrong place", "the gradient itself is clipped to ±0.2"),
    ],
)
def test_the_usual_mistakes_are_told_by_their_names(mistake: str, kind: str, what: str) -> None:
    report = check(mistake)
    (finding,) = report.findings
    cause, *_ = finding.causes
    assert cause.mistake == kind
    assert re.search(what, str(report))
    assert "try: " in str(report)


def test_what_a_loop_carries_has_a_name() -> None:
    loss, x, w = loss_of()
    report = cr.check_backward(
        {"h2": 2 * np.ones(HIDDEN), "w": WEIGHTS}, loss, {x: INPUTS, w: WEIGHTS}
    )
    assert {finding.name for finding in report.findings} >= {"h2", "w"}
