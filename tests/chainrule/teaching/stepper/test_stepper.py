"""What the stepper's page holds: the lecture's numbers, sums at fan-outs, and nothing that runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.pictures import declare

import chainrule as cr
from chainrule import losses, nn

HOSTILE = "</script><script>alert(1)</script><!-- & \u2028 \"'"


def data_of(path: Path) -> dict[str, Any]:
    html = path.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html)
    data: dict[str, Any] = json.loads(found)
    return data


def step_through(folder: Path, loss: cr.Node, values: dict[cr.Node, Any]) -> dict[str, Any]:
    return data_of(cr.step_through(loss, values, path=folder / "backprop.html"))


def numbers(data: dict[str, Any], kind: str) -> list[tuple[str, str]]:
    """(label, text) of every node that has such a text, in forward order."""
    texts = data["texts"]
    return [(n["label"], "\n".join(texts[n[kind]])) for n in data["nodes"] if kind in n]


def test_a_product_of_a_sum(tmp_path: Path) -> None:
    """The lecture's circuit f = (x + y) z at (−2, 5, −4)."""
    x, y, z = (cr.input(name) for name in "xyz")
    data = step_through(tmp_path, (x + y) * z, {x: -2.0, y: 5.0, z: -4.0})
    assert numbers(data, "value") == [
        ("x", "−2"), ("y", "5"), ("+", "3"), ("z", "−4"), ("×", "−12"),
    ]  # fmt: skip
    assert numbers(data, "gradient") == [
        ("x", "−4"), ("y", "−4"), ("+", "−4"), ("z", "3"), ("×", "1"),
    ]  # fmt: skip
    assert [data["nodes"][i]["label"] for i in data["backward"]] == ["×", "z", "+", "y", "x"]
    product = data["nodes"][-1]
    assert (product["formula"], product["numbers"]) == ("a × b", "3 × (−4)")
    locals_ = [(o["role"], o["local"], o["localNumber"]) for o in product["operands"]]
    assert locals_ == [("a", "b", "−4"), ("b", "a", "3")]


@pytest.mark.parametrize("as_one_gate", [False, True])
def test_a_neuron_as_a_chain_and_as_one_gate(tmp_path: Path, as_one_gate: bool) -> None:
    """σ(w0 x0 + w1 x1 + w2): both ways give the lecture's numbers."""
    w = [cr.input(f"w{i}") for i in range(3)]
    x = [cr.input(f"x{i}") for i in range(2)]
    z = w[0] * x[0] + w[1] * x[1] + w[2]
    f = cr.sigmoid(z) if as_one_gate else 1 / (cr.exp(z * -1) + 1)
    point = dict(zip([*w, *x], [2.0, -3.0, -3.0, -1.0, -2.0], strict=True))
    data = step_through(tmp_path, f, point)
    assert numbers(data, "value")[-1][1] == "0.7311"
    gradients = dict(numbers(data, "gradient"))
    assert {name: gradients[name] for name in ("w0", "w1", "w2", "x0", "x1")} == {
        "w0": "−0.1966", "w1": "−0.3932", "w2": "0.1966", "x0": "0.3932", "x1": "−0.5898",
    }  # fmt: skip
    if as_one_gate:
        (last,) = data["nodes"][-1]["operands"]
        assert (last["local"], last["localNumber"]) == ("σ·(1 − σ)", "0.1966")


def test_a_fan_out_is_a_running_sum(tmp_path: Path) -> None:
    """z1 (z2 − 2 z1) with z1 = x1²: ∂z1 = 4 + (−2) = 2."""
    x1, x2, x3 = (cr.input(f"x{i}") for i in (1, 2, 3))
    z1 = cr.square(x1)
    z4 = x2 * x3 - 2 * z1
    data = step_through(tmp_path, z1 * z4, {x1: 1.0, x2: 2.0, x3: 3.0})
    texts, nodes = data["texts"], data["nodes"]
    parts = nodes[1]["parts"]
    assert [texts[part["value"]] for part in parts] == [["4"], ["−2"]]
    assert [texts[part["sum"]] for part in parts] == [["4"], ["2"]]
    assert [nodes[part["reader"]]["label"] for part in parts] == ["×", "× 2"]
    assert [dict(numbers(data, "gradient"))[f"x{i}"] for i in (1, 2, 3)] == ["4", "3", "2"]
    assert len(nodes) == 8  # the constant 2 is no step


def test_a_network_against_numpy(tmp_path: Path) -> None:
    x = cr.input("x", ("batch", 2))
    w = cr.input("w", (2, 3))
    with cr.scope("layer"):
        h = cr.tanh(x @ w)
    loss = cr.sum(cr.square(h))
    given = np.asarray([[0.5, -1.0], [1.5, 0.25]], np.float32)
    weight = np.asarray([[1.0, -0.5, 0.25], [0.5, 0.125, -1.0]], np.float32)
    data = step_through(tmp_path, loss, {x: given, w: weight})
    y = np.tanh(given.astype(np.float64) @ weight.astype(np.float64))
    expected = given.T.astype(np.float64) @ (2 * y * (1 - y**2))
    text = dict(numbers(data, "gradient"))["w"].replace("−", "-")
    rows = [row.strip("[]").split() for row in text.splitlines()]
    np.testing.assert_allclose(np.asarray(rows, np.float64), expected, rtol=1e-3)
    tanh = data["nodes"][3]
    assert data["layers"][tanh["layer"]] == {"name": "layer", "parent": -1}
    assert tanh["shape"] == "[2,3]"
    assert tanh["code"] == "h = cr.tanh(x @ w)"
    assert re.fullmatch(r"test_stepper\.py:\d+", tanh["line"])
    assert tanh["operands"][0]["local"] == "1 − y²"


def test_layers_are_nested_and_parameters_named_within_them(tmp_path: Path) -> None:
    data = data_of(perceptron_page(tmp_path))
    layers = {layer["name"]: layer["parent"] for layer in data["layers"]}
    assert layers["model"] == -1
    assert data["layers"][layers["linear1"]]["name"] == "model"
    weights = [node for node in data["nodes"] if node["kind"] == "parameter"]
    assert {node["label"] for node in weights} == {"weight", "bias"}


def perceptron_page(folder: Path) -> Path:
    x, label = cr.input("x", ("batch", 8)), cr.input("label", ("batch",), cr.int32)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    loss = losses.cross_entropy(model(x), label)
    given = np.linspace(-1, 1, 32, dtype=np.float32).reshape(4, 8)
    values = {x: given, label: np.asarray([0, 1, 2, 1], np.int32)}
    return cr.step_through(loss, values, path=folder / "perceptron.html")


def test_the_pages_stay_small(tmp_path: Path) -> None:
    assert perceptron_page(tmp_path).stat().st_size <= 500_000
    assert long_page(tmp_path).stat().st_size <= 2_000_000


def long_page(folder: Path) -> Path:
    """2,000 nodes and more, without layers."""
    x = cr.input("x", (4, 8))
    h = x
    for i in range(2000):
        h = cr.tanh(h) if i % 3 else h + x
    given = np.linspace(-1, 1, 32, dtype=np.float32).reshape(4, 8)
    return cr.step_through(cr.mean(h), {x: given}, path=folder / "long.html")


def test_the_backward_pass_ends_where_it_is_told_to(tmp_path: Path) -> None:
    x, w = cr.input("x"), cr.input("w")
    path = cr.step_through(x * w, {x: 2.0, w: 3.0}, w, tmp_path / "one.html")
    assert dict(numbers(data_of(path), "gradient")) == {"w": "2", "×": "1"}


def test_labels_are_inert_and_pages_repeat_themselves(tmp_path: Path) -> None:
    x = declare(HOSTILE)
    with cr.scope(HOSTILE):
        y = x * 2
    path = cr.step_through(y, {x: 1.0}, path=tmp_path / "hostile.html")
    html = path.read_text(encoding="utf-8")
    assert "<script>alert" not in html
    assert data_of(path)["nodes"][0]["label"] == HOSTILE
    cr.step_through(y, {x: 1.0}, path=path)
    assert path.read_text(encoding="utf-8") == html


def test_half_a_character_does_not_stop_the_page(tmp_path: Path) -> None:
    with cr.scope("\ud800"):
        x = cr.input("x")
        path = cr.step_through(cr.tanh(x), {x: 1.0}, path=tmp_path / "half.html")
    assert data_of(path)["layers"] == [{"name": "?", "parent": -1}]


def test_numbers_that_are_none_are_shown_as_such(tmp_path: Path) -> None:
    x = cr.input("x")
    data = step_through(tmp_path, cr.log(x), {x: 0.0})
    assert dict(numbers(data, "value"))["ln"] == "−inf"


def test_errors(tmp_path: Path) -> None:
    x = cr.input("x", (3,))
    total = cr.sum(x)
    values = {x: [1.0, 2.0, 3.0]}
    path = tmp_path / "page.html"
    with pytest.raises(cr.GradientError, match="step_through needs a floating-point scalar"):
        cr.step_through(x * 2, values, path=path)
    with pytest.raises(cr.InputError, match="step_through: there is no value for x"):
        cr.step_through(total, {}, path=path)
    with pytest.raises(cr.GradientError, match="does not depend on"):
        cr.step_through(total, values, cr.input("unused"), path)
    number: Any = 3
    with pytest.raises(cr.InputError, match="step_through: got int, which is no node"):
        cr.step_through(number, values, path=path)
    with pytest.raises(cr.ExportError, match=r"there is no folder .*missing"):
        cr.step_through(total, values, path=tmp_path / "missing" / "page.html")
    with pytest.raises(cr.ExportError, match="it is a folder"):
        cr.step_through(total, values, path=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_more_nodes_than_one_can_step_through_are_refused(tmp_path: Path) -> None:
    x = cr.input("x")
    h = x
    for _ in range(5_000):
        h = cr.tanh(h)
    with pytest.raises(cr.GraphError, match="5,001 nodes, more than the 5,000"):
        cr.step_through(h, {x: 1.0}, path=tmp_path / "page.html")
