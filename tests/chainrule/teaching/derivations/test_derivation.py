"""Derivations: the lecture's circuits, a perceptron against NumPy, exercises, and KaTeX."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.katex import failures

import chainrule as cr
from chainc.autodiff import pull_back, seed
from chainc.ir.types import static
from chainrule import losses, nn
from chainrule.evaluation.backpropagation import backpropagate
from chainrule.teaching.derivations.derivation import derive
from chainrule.teaching.derivations.model import model_of
from chainrule.teaching.derivations.numbers import Numbers
from chainrule.teaching.derivations.steps import Backward


def lines(text: str) -> list[str]:
    """The lines of all displayed equations, without the marks of alignment."""
    found = re.findall(r"\$\$\n\\begin\{aligned\}\n(.*?)\n\\end\{aligned\}", text, re.DOTALL)
    kept = [line for block in found for line in block.split(" \\\\\n")]
    return [re.sub(r" && .*|&", "", line).strip() for line in kept]


def floats(value: object) -> npt.NDArray[np.float64]:
    return np.asarray(value, np.float64)


def d(of: str, by: str) -> str:
    return rf"\frac{{\partial {of}}}{{\partial {by}}}"


def numbers(text: str) -> dict[str, float]:
    """The last value of each gradient in the section of numbers."""
    section = text.split("## With numbers")[1]
    found = re.findall(r"partial L\}\{\\partial ([^}]*\}?)\} &=.*?(-?[\d.]+)(?: \\\\)?\n", section)
    return {name: float(value) for name, value in found}


def g4() -> tuple[cr.Node, list[cr.Node], dict[cr.Node, float]]:
    x1, x2, x3 = xs = [cr.input(f"x{i}") for i in (1, 2, 3)]
    z1, z2 = cr.square(x1), x2 * x3
    z3 = 2 * z1
    z4 = z2 - z3
    return z1 * z4, xs, {x1: 1.0, x2: 2.0, x3: 3.0}


def perceptron() -> tuple[cr.Node, tuple[cr.Node, ...]]:
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 5), nn.Sigmoid(),
                          nn.Linear(5, 2), name="model")  # fmt: skip
    x = cr.input("x", ("batch", 4))
    labels = cr.input("y", ("batch",), "int32")
    return losses.cross_entropy(model(x), labels), tuple(model.parameters())


def test_a_product_of_a_sum() -> None:
    """The circuit f = (x + y) z at (−2, 5, −4)."""
    x, y, z = (cr.input(name) for name in "xyz")
    q = x + y
    text = derive(q * z, [x, y, z], {x: -2, y: 5, z: -4}, names={q: "q"}).markdown()
    found = lines(text)
    assert found[:2] == ["q = x + y", "L = q z"]
    assert f"{d('L', 'x')} = {d('L', 'q')} {d('q', 'x')}" in found
    assert f"{d('L', 'x')} = z" in found
    assert f"{d('L', 'z')} = q" in found
    assert f"{d('L', 'x')} = (-4) \\cdot 1 = -4" in found
    assert numbers(text) == {"q": -4, "x": -4, "y": -4, "z": 3}


def test_a_chain_of_gates_and_one_gate_agree() -> None:
    """At w = (2, −3, −3), x = (−1, −2), f = 1 / (1 + e^−(w0 x0 + w1 x1 + w2))."""
    w = [cr.input(f"w{i}") for i in range(3)]
    x = [cr.input(f"x{i}") for i in range(2)]
    at = {"w0": 2, "w1": -3, "w2": -3, "x0": -1, "x1": -2}
    score = w[0] * x[0] + w[1] * x[1] + w[2]
    chain = derive(1 / (1 + cr.exp(-score)), w, at).markdown()
    gate = derive(cr.sigmoid(score), w, at).markdown()
    expected = {"w_{0}": -0.1966, "w_{1}": -0.3932, "w_{2}": 0.1966}
    for text in (chain, gate):
        found = numbers(text)
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=1e-4)
    assert f"{d('L', 'z_{4}')} = L (1 - L)" in lines(gate)
    assert any(r"-\frac{1}{z_{7}^{2}}" in line for line in lines(chain))


def test_equal_factors_of_a_result_become_a_power() -> None:
    """With y = h², h = σ(3x): ∂y/∂x = 2 h · h (1 − h) · 3."""
    x = cr.input("x")
    text = derive(cr.sigmoid(3.0 * x) ** 2, x).markdown()
    assert f"{d('L', 'x')} = 6 z_{{2}}^{{2}} (1 - z_{{2}})" in lines(text)


def test_a_derivation_prints_as_markdown() -> None:
    x = cr.input("x")
    found = derive(x**2, x)
    assert str(found) == found.markdown()
    assert repr(found) == "<derivation with 3 equations>"


def test_a_fan_out_is_a_sum_over_paths() -> None:
    """With y = z1 (z2 − 2 z1), z1 = x1²: ∂y/∂z1 = 4 + (−1)·2 = 2."""
    loss, xs, at = g4()
    text = derive(loss, xs, at).markdown()
    found = lines(text)
    assert found[:5] == [
        "z_{1} = x_{1}^{2}", "z_{2} = x_{2} x_{3}", "z_{3} = 2 z_{1}", "z_{4} = z_{2} - z_{3}",
        "L = z_{1} z_{4}",
    ]  # fmt: skip
    assert "$z_{1}$ is used in $L$ and $z_{3}$, so the parts of all paths add up." in text
    assert r"by way of } z_{3}}" in text
    assert f"= z_{{4}} + 2 {d('L', 'z_{3}')}" in found
    assert f"{d('L', 'z_{1}')} = 4 + (-1) \\cdot 2 = 2" in found
    assert f"{d('L', 'x_{1}')} = 2 (z_{{4}} - 2 z_{{1}}) x_{{1}}" in found
    assert numbers(text) == {
        "z_{4}": 1, "z_{3}": -1, "z_{2}": 1, "z_{1}": 2, "x_{1}": 4, "x_{2}": 3, "x_{3}": 2,
    }  # fmt: skip


def test_neurons_are_named_by_their_scopes() -> None:
    """Three neurons feed two and these one; b fans out; only asked for parameters are derived."""

    def neuron(name: str, x: cr.Node, y: cr.Node, v: cr.Node, w: cr.Node) -> cr.Node:
        with cr.scope(name):
            return v * x + w * y

    i, u = ([cr.input(f"{letter}{k}") for k in range(1, 7)] for letter in ("I", "u"))
    v, w = [cr.input(f"v{k}") for k in range(1, 5)], [cr.input("w1"), cr.input("w2")]
    a, b, c = (neuron("abc"[k], i[2 * k], i[2 * k + 1], u[2 * k], u[2 * k + 1]) for k in range(3))
    x, y = neuron("x", a, b, v[0], v[1]), neuron("y", b, c, v[2], v[3])
    at = dict(zip([*u, *v, *w], [1, -1, 1, -1, 1, -1, 2, 1, 3, -2, 1, 2], strict=True))
    at |= {node: k for k, node in enumerate(i, start=1)}
    text = derive(neuron("f", x, y, *w), [*u, *v, *w], at).markdown()
    found = lines(text)
    assert "a = u_{1} I_{1} + u_{2} I_{2}" in found
    assert "y = v_{3} b + v_{4} c" in found
    assert f"= {d('L', 'x')} v_{{2}} + {d('L', 'y')} v_{{3}}" in found
    expected = [2, 4, 21, 28, -20, -24, -1, -1, -2, -2, -3, -1]
    names = [*(f"u_{{{k}}}" for k in range(1, 7)), *(f"v_{{{k}}}" for k in range(1, 5)),
             "w_{1}", "w_{2}"]  # fmt: skip
    assert {name: numbers(text)[name] for name in names} == dict(zip(names, expected, strict=True))


def test_two_uses_in_one_equation_are_one_path() -> None:
    x, v, w = (cr.input(name) for name in "xvw")
    with cr.scope("a"):
        a = v * x + w * x
    text = derive(cr.tanh(a), x, {x: 2, v: 0.25, w: 0.5}).markdown()
    assert "a = v x + w x" in lines(text)
    assert f"Local derivative: ${d('a', 'x')} = v + w$." in text
    assert f"{d('L', 'x')} = {d('L', 'a')} {d('a', 'x')}" in lines(text)
    assert f"= {d('L', 'a')} v + {d('L', 'a')} w" in lines(text)
    slope = (1 - np.tanh(1.5) ** 2) * 0.75
    assert numbers(text)["x"] == pytest.approx(slope, abs=1e-4)


def test_the_general_rule_sums_over_all_paths() -> None:
    """For sin(x) e^x + x²: dy/dx = 5.7560 at x = 1."""
    x = cr.input("x")
    text = derive(cr.sin(x) * cr.exp(x) + x * x, x, {x: 1}).markdown()
    assert numbers(text)["x"] == pytest.approx(5.7560, abs=1e-3)
    assert r"2 x" in text
    assert "$x$ is used in" in text


def test_a_perceptron_in_matrix_form_against_numpy() -> None:
    loss, parameters = perceptron()
    random = np.random.default_rng(3)
    x, labels = random.normal(size=(2, 4)), np.array([1, 0])
    values = {p: random.normal(size=static(p.shape)) for p in parameters}
    w1, b1, w2, b2, w3, b3 = values.values()
    at: dict[cr.Node | str, object] = {"x": x, "y": labels}
    at.update(values.items())
    text = derive(loss, parameters[0], at).markdown()
    h1 = np.tanh(x @ w1 + b1)
    h2 = 1 / (1 + np.exp(-(h1 @ w2 + b2)))
    z3 = h2 @ w3 + b3
    p = np.exp(z3) / np.exp(z3).sum(1, keepdims=True)
    g3 = (p - np.eye(2)[labels]) / 2
    g1 = ((g3 @ w3.T * h2 * (1 - h2)) @ w2.T) * (1 - h1**2)
    found = lines(text)
    assert found[:2] == ["z_{1} = x W_{1} + b_{1}", r"h_{1} = \tanh(z_{1})"]
    assert rf"= x^{{\top}} {d('L', 'z_{1}')}" in found
    assert f"= {d('L', 'h_{2}')} \\odot h_{{2}} (1 - h_{{2}})" in found
    assert rf"= {d('L', 'z_{2}')} W_{{2}}^{{\top}}" in found
    assert any(r"\operatorname{softmax}(z_{3}) - \operatorname{onehot}(y)}{\mathrm{batch}}" in line
               for line in found)  # fmt: skip
    assert r"Shapes: $(4 \times \mathrm{batch}) \, (\mathrm{batch} \times 3)$ gives" in text
    for name, expected in (("W_{1}", x.T @ g1), ("z_{3}", g3)):
        (line,) = (x for x in found if x.startswith(f"{d('L', name)} = \\begin{{bmatrix}}"))
        cells = [
            float(cell) for cell in re.findall(r"-?\d[\d.]*(?= |$)", line.split("bmatrix}")[1])
        ]
        np.testing.assert_allclose(cells, expected.ravel(), rtol=2e-3, atol=1e-4)


def test_a_repeated_bias_is_summed_over_the_batch_and_a_shared_weight_over_its_uses() -> None:
    x, t = cr.input("x", ("batch", 2)), cr.input("t", ("batch", 2))
    w, b = cr.parameter("W", (2, 2), "zeros"), cr.parameter("b", (2,), "zeros")
    twice = cr.tanh(x @ w + b) @ w
    text = derive(losses.squared_error(twice, t), [w, b]).markdown()
    assert "$b$ is repeated along batch, so its gradient is summed over it." in text
    assert rf"= \sum_{{\text{{batch}}}} {d('L', 'z_{1}')}" in lines(text)
    assert "$W$ is used in $z_{1}$ and $z_{2}$, so the parts of all paths add up." in text
    both = rf"= x^{{\top}} {d('L', 'z_{1}')} + h_{{1}}^{{\top}} {d('L', 'z_{2}')}"
    assert both in lines(text)
    assert r"\frac{2 (z_{2} - t)}{2 \cdot \mathrm{batch}}" in text


def test_the_factors_and_the_terms_add_up_to_the_gradient() -> None:
    """Each term from its written factor, against what backpropagation adds for that path."""
    x, t = cr.input("x", (3, 4)), cr.input("t", (3, 2))
    w, b = cr.parameter("W", (4, 2), "zeros"), cr.parameter("b", (2,), "zeros")
    z = x @ w + b
    e = cr.exp(z - 0.5 * cr.square(b))
    loss = cr.mean(cr.square(cr.relu(e / cr.sum(e, 1, keepdims=True)) * z - t)) + cr.sum(b * b)
    random = np.random.default_rng(4)
    at = {node: random.normal(size=static(node.shape)) for node in (x, t, w, b)}
    found = backpropagate(loss, at, [w, b], function="test")
    pulled = pull_back([loss], [w, b], [seed(loss)])
    model = model_of(loss, pulled.totals, [w, b], {})
    numbers = Numbers(model, found)
    checked = 0
    for step in Backward(model, pulled, [w, b]).steps():
        parts = [floats(numbers.contribution(step, term)) for term in step.terms]
        np.testing.assert_allclose(
            np.sum(parts, axis=0), floats(found.gradients[step.node]), rtol=1e-12, atol=1e-12
        )
        for term, part in zip(step.terms, parts, strict=True):
            factor = numbers.factor(term)
            if factor is not None:
                whole = floats(found.gradients[term.reader]) * floats(factor)
                extra = tuple(range(whole.ndim - part.ndim))
                ones = tuple(i for i, n in enumerate(part.shape) if n == 1)
                folded = whole.sum(extra).sum(ones, keepdims=True)
                np.testing.assert_allclose(folded, part, rtol=1e-12, atol=1e-12)
                checked += 1
    assert checked > 10


def test_a_loss_of_ones_own_is_expanded_though_it_has_a_known_name() -> None:
    z, t = cr.input("z", ("batch",)), cr.input("t", ("batch",))
    with cr.scope("squared_error"):
        loss = cr.mean((z - t) ** 4)
    text = derive(loss, z).markdown()
    assert "short form" not in text
    assert "^{4}" in text
    assert "short form" in derive(losses.squared_error(z, t), z).markdown()


def test_an_exercise_leaves_blanks_and_keeps_the_key_apart(tmp_path: Path) -> None:
    loss, xs, at = g4()
    task = derive(loss, xs, at, exercise=True)
    text, key = task.markdown(), task.key()
    blanks = re.findall(r"\\boxed\{\\;\((\d+)\)\\;\}", text)
    assert blanks == [str(i) for i in range(1, len(blanks) + 1)]
    assert len(re.findall(r"^\(\d+\) &", key, re.MULTILINE)) == len(blanks)
    assert r"z_{4} + 2" not in text
    assert numbers(key)["x_{1}"] == 4
    assert "= 2 z_{1}" in text.replace("&", "")  # the model itself is no secret
    assert task.save_key(tmp_path / "key.tex").read_text().startswith(r"\documentclass")
    with pytest.raises(cr.InputError, match="without blanks has no answer key"):
        derive(loss, xs).key()


def test_every_formula_compiles() -> None:
    loss, parameters = perceptron()
    task = derive(loss, list(parameters), {"x": np.ones((20, 4)), "y": np.zeros(20, np.int32)})
    assert failures(task.markdown()) == []
    assert failures(task.document()) == []
    exercise = derive(loss, list(parameters), exercise=True)
    assert failures(exercise.markdown() + exercise.key()) == []


def test_odd_names_and_every_kind_of_op_compile() -> None:
    x, w = cr.input("größe", (2, 3)), cr.parameter("w", (3, 2), "ones")
    h = cr.concat([cr.relu(x @ w), cr.exp(x[:, :2])], 1)
    with cr.scope("a|b <script> \\ $x_1$ {"):
        z = cr.where(h > 1, cr.abs(h) / 2, cr.maximum(h, 0.1) ** cr.sqrt(1 + h))
    loss = cr.sum(cr.max(z, 1) * cr.sum(cr.reshape(z, (8,)))) + cr.prod(w) + cr.sum(w.T)
    loss = loss + cr.sum(cr.einsum("ij,jk->ki", x, w)) + cr.sum(cr.einsum("ij,ij->j", x, x))
    names = {z: "a|b <script> \\ $x_1$ {`%&#~^}"}
    text = derive(loss, [x, w], {x: np.ones((2, 3))}, names=names).markdown()
    assert "<script>" not in text
    assert failures(text) == []


def test_it_is_saved_and_shown_once(tmp_path: Path) -> None:
    loss, xs, _ = g4()
    found = derive(loss, xs[0])
    assert found._repr_markdown_() == found.markdown()
    assert not hasattr(found, "_repr_latex_")
    assert found.save(tmp_path / "a.md").read_text() == found.markdown()
    assert found.save(tmp_path / "a.tex").read_text() == found.document()
    assert found.latex() in found.document()
    with pytest.raises(cr.InputError, match=r"unknown suffix '\.pdf'(.*\n)*.*\.md, \.tex"):
        found.save(tmp_path / "a.pdf")
    with pytest.raises(cr.InputError, match="cannot write"):
        found.save(tmp_path / "nowhere" / "a.md")


def test_what_cannot_be_derived_says_why() -> None:
    x, y = cr.input("x"), cr.input("y")
    with pytest.raises(cr.GradientError, match=r"derive: .* does not depend on"):
        derive(x * x, y)
    with pytest.raises(cr.GradientError, match="derive needs a floating-point scalar"):
        derive(cr.input("v", (3,)), x)
    with pytest.raises(cr.InputError, match="no node to differentiate with respect to"):
        derive(x * x, [])
    with pytest.raises(cr.InputError, match="not a name for a node"):
        derive(x * x, x, names={x: ""})
    with pytest.raises(cr.InputError, match="the same name"):
        derive(x * y, x, names={x: "a", y: "a"})
    with pytest.raises(cr.InputError, match="the loss is not computed from"):
        derive(x * x, x, names={y: "a"})
    with pytest.raises(cr.InputError, match="derive: there is no value for"):
        derive(x * y, x, {x: 1.0})
    deep = x
    for _ in range(70):
        deep = cr.tanh(deep)
    with pytest.raises(cr.GradientError, match=r"more than 60\n(.*\n)*.*nearer to the loss, such"):
        derive(deep, x)
