"""Derivations and step-by-step pages of loops: backpropagation through time."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

import chainrule as cr
from chainc.ir import Node


def network(steps: int | str) -> tuple[Node, Node, Node]:
    x, w = cr.input("x", (steps, 2)), cr.parameter("w", (2, 2), 0.5)
    last, _ = cr.scan(
        lambda h, x_t: (cr.tanh(h @ w + x_t), None), carry=cr.broadcast_to(0.0, (2,)), xs=x
    )
    assert isinstance(last, Node)
    return x, w, cr.sum(last * last)


def test_the_sum_over_the_steps_is_written_out() -> None:
    _, w, loss = network(3)
    text = cr.derive(loss, w).markdown()
    for t in (1, 2, 3):
        assert rf"h_{{{t}}} &= \tanh(z_{{{t}}})" in text
    assert r"z_{2} &= h_{1} w + x[1]" in text
    assert "$w$ is used in $z_{1}$, $z_{2}$ and $z_{3}$, so the parts of all paths add up." in text
    parts = [rf"{h} \left(\frac{{\partial L}}{{\partial z_{{{t}}}}}\right)^{{\top}}"
             for t, h in ((1, "0"), (2, "h_{1}"), (3, "h_{2}"))]  # fmt: skip
    assert " + ".join(parts) in text


def test_a_named_number_of_steps_follows_from_the_values() -> None:
    x, w, loss = network("time")
    given = np.array([[0.1, 0.2], [0.3, -0.4]])
    numbers = cr.derive(loss, w, at={x: given}).markdown()
    assert "## With numbers" in numbers
    assert "h_{2} &=" in numbers
    assert "h_{3}" not in numbers


def test_one_steps_through_the_steps_of_a_loop(tmp_path: Path) -> None:
    x, _, loss = network("time")
    page = cr.step_through(loss, {x: np.ones((2, 2))}, path=tmp_path / "page.html").read_text()
    (data,) = re.findall(r"<script[^>]*application/json[^>]*>(.*?)</script>", page, re.DOTALL)
    found = json.loads(data)
    assert [layer["name"] for layer in found["layers"]] == ["t = 0", "t = 1"]
    assert sum(node["label"] == "tanh" for node in found["nodes"]) == 2


def test_a_loop_of_very_many_steps_stays_one() -> None:
    _, w, loss = network(2000)
    text = cr.derive(loss, w).markdown()
    assert "a loop in the other direction" in text
