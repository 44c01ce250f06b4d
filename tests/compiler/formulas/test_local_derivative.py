"""Local derivatives as written: exact texts, and LaTeX and text that mean the derivative."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from tests.conformance.harness import differentiable, trials

import chainrule as cr
from chainc import ops
from chainc.formulas import blackboard
from chainc.formulas.local_derivative import local_derivative
from chainc.ir import REGISTRY, Node
from chainc.ops.elementwise import Elementwise
from chainc.ops.formula import Region

WRITTEN = sorted(
    name
    for name, op in REGISTRY.items()
    if issubclass(op, Elementwise) and not issubclass(op, Region) and name != "stop_gradient"
    if any(True for _ in differentiable(name))
)

x, a, b = cr.input("x"), cr.input("a"), cr.input("b")


@pytest.mark.parametrize(
    ("node", "position", "text", "latex"),
    [
        (ops.sigmoid(x), 0, "σ·(1 − σ)", r"\sigma (1 - \sigma)"),
        (ops.tanh(x), 0, "1 − y²", "1 - y^{2}"),
        (ops.exp(x), 0, "e^x", "e^{x}"),
        (ops.expm1(x), 0, "e^x", "e^{x}"),
        (ops.log(x), 0, "1/x", r"\frac{1}{x}"),
        (ops.sqrt(x), 0, "1/(2·√x)", r"\frac{1}{2 \sqrt{x}}"),
        (ops.sin(x), 0, "cos(x)", r"\cos(x)"),
        (ops.cos(x), 0, "−sin(x)", r"-\sin(x)"),
        (ops.softplus(x), 0, "σ(x)", r"\sigma(x)"),
        (ops.abs(x), 0, "sign(x)", r"\operatorname{sign}(x)"),
        (ops.relu(x), 0, "1 if x > 0 else 0",
         r"\begin{cases} 1 & x > 0 \\ 0 & \text{otherwise} \end{cases}"),
        (ops.reciprocal(x), 1, "−1/x²", r"-\frac{1}{x^{2}}"),
        (a + b, 0, "1", "1"),
        (a - b, 1, "−1", "-1"),
        (-x, 0, "−1", "-1"),
        (a * b, 0, "b", "b"),
        (a * b, 1, "a", "a"),
        (2 * x, 1, "2", "2"),
        (x * x, 0, "x", "x"),
        (x / 4, 0, "1/4", r"\frac{1}{4}"),
        (a / b, 1, "−a/b²", r"-\frac{a}{b^{2}}"),
        (x**3, 0, "3·x²", "3 x^{2}"),
        (a**b, 0, "b·a^(b − 1)", "b a^{b - 1}"),
        (a**b, 1, "a^b·ln(a)", r"a^{b} \ln(a)"),
        (ops.maximum(x, 0), 0, "1 if x > 0 else 0",
         r"\begin{cases} 1 & x > 0 \\ 0 & \text{otherwise} \end{cases}"),
        (ops.floor(x), 0, "0", "0"),
    ],
)  # fmt: skip
def test_derivatives_read_as_on_a_blackboard(
    node: Node, position: int, text: str, latex: str
) -> None:
    found = local_derivative(node, position)
    assert (found.text, found.latex) == (text, latex)


def test_matrices_and_structural_ops_say_how_the_gradient_goes_back() -> None:
    left, right = cr.input("A", (2, 3)), cr.input("B", (3, 4))
    product = left @ right
    assert local_derivative(product, 0).text == "G·Bᵀ"
    assert local_derivative(product, 1).text == "Aᵀ·G"
    assert local_derivative(product, 1).latex == r"A^{\top} G"
    assert local_derivative(ops.sum(left), 0).text == "G spread over the summed axes"
    assert local_derivative(ops.sum(left), 0).latex == r"\text{$G$ spread over the summed axes}"
    vectors = ops.einsum("i,j->ij", cr.input("u", (2,)), cr.input("v", (3,)))
    assert local_derivative(vectors, 0).text == "G·B"
    assert "einsum[" in local_derivative(ops.einsum("abc,acd->abd", cr.input("p", (2, 3, 4)),
                                                    cr.input("q", (2, 4, 5))), 0).text  # fmt: skip


def test_every_op_that_passes_a_gradient_has_something_to_say() -> None:
    """No op falls back to a bare ∂y/∂a, besides kernels, which are made after differentiation."""
    silent = {
        name
        for name in REGISTRY
        for trial, wrt in differentiable(name)
        for position, operand in enumerate(trial.operands)
        if operand in set(wrt) and local_derivative(trial.node, position).text.startswith("∂")
    }
    assert silent <= {"region", "fused_contract"}
    assert len(WRITTEN) > 20


@pytest.mark.parametrize("name", WRITTEN)
def test_the_text_means_the_derivative(name: str) -> None:
    """Each text is computed at points, and compared with finite differences of the op."""
    for trial in list(trials(name))[:1]:
        arrays = np.broadcast_arrays(*trial.arrays)
        for position, operand in enumerate(trial.operands):
            if not operand.type.dtype.is_float or not trial.node.type.dtype.is_float:
                continue
            text = local_derivative(trial.node, position).text
            for index in list(np.ndindex(arrays[0].shape))[:4]:
                point = [array[index].item() for array in arrays]
                expected = _slope(trial.node, point, position)
                value = _scalar(trial.node, point)
                assert _computed(text, point, value) == pytest.approx(
                    expected, rel=1e-5, abs=1e-7
                ), text


def _scalar(node: Node, point: list[float]) -> float:
    from chainc.interpreters.reference import evaluate
    from chainc.ir import Graph, apply
    from chainc.ir.leaves import Input
    from chainc.ir.types import TensorType, float64

    operands = [
        apply(Input(f"x{i}", TensorType((), float64 if o.type.dtype.is_float else o.type.dtype)))
        for i, o in enumerate(node.inputs)
    ]
    inputs = {f"x{i}": np.asarray(value) for i, value in enumerate(point)}
    graph = Graph((apply(node.op, *operands),))
    return float(evaluate(graph, inputs).outputs[0])


def _slope(node: Node, point: list[float], position: int, h: float = 1e-6) -> float:
    ends = [[*point[:position], point[position] + d, *point[position + 1 :]] for d in (h, -h)]
    return (_scalar(node, ends[0]) - _scalar(node, ends[1])) / (2 * h)


def _computed(text: str, point: list[float], value: float) -> float:
    """The text as a student would compute it: a small recursive reader, for these signs only."""
    names: dict[str, float] = dict(zip("abc", point, strict=False)) | {"y": value, "σ": value}
    names |= {"x": point[0], "e": math.e, "π": math.pi}
    if len(point) == 3:  # the condition of a choice, then what it chooses from
        names["c"] = point[0]
    return _Reader(text, names).read()


FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "cos": math.cos,
    "sin": math.sin,
    "ln": math.log,
    "σ": lambda v: 1 / (1 + math.exp(-v)),
    "sign": lambda v: float(np.sign(v)),
    "tanh": math.tanh,
}


class _Reader:
    def __init__(self, text: str, names: dict[str, float]) -> None:
        self.names = names
        self.tokens = re.findall(r"[a-zσπ]+|[\d.]+|[²³]|\S", text)

    def read(self) -> float:
        value = self._sum()
        if self._take("if"):
            holds = self._condition()
            assert self._take("else")
            other = self.read()
            return value if holds else other
        return value

    def _condition(self) -> bool:
        left = self._sum()
        for sign in "<>≤≥":
            if self._take(sign):
                right = self._sum()
                return {"<": left < right, ">": left > right, "≤": left <= right,
                        "≥": left >= right}[sign]  # fmt: skip
        return bool(left)

    def _take(self, token: str) -> bool:
        if self.tokens and self.tokens[0] == token:
            self.tokens.pop(0)
            return True
        return False

    def _sum(self) -> float:
        value = -self._product() if self._take("−") else self._product()
        while self.tokens and self.tokens[0] in "+−":
            sign = 1 if self.tokens.pop(0) == "+" else -1
            value += sign * self._product()
        return value

    def _product(self) -> float:
        value = self._power()
        while self.tokens and self.tokens[0] in "·/":
            divides = self.tokens.pop(0) == "/"
            factor = self._power()
            value = value / factor if divides else value * factor
        return value

    def _power(self) -> float:
        base = self._atom()
        if self.tokens and self.tokens[0] in "²³":
            return base ** (2 if self.tokens.pop(0) == "²" else 3)
        return base ** self._atom() if self._take("^") else base

    def _atom(self) -> float:
        token = self.tokens.pop(0)
        if token == "(":
            value = self._sum()
            assert self._take(")")
            return value
        if token == "⌊":
            value = self._sum()
            assert self._take("⌋")
            return float(math.floor(value))
        if token == "√":
            return math.sqrt(self._atom())
        if self.tokens[:1] == ["("] and token in FUNCTIONS:
            return float(FUNCTIONS[token](self._atom()))
        return float(token) if token[0].isdigit() else self.names[token]


def test_a_named_size_is_written_by_its_name() -> None:
    mean = ops.mean(cr.input("rows", ("batch",)))
    assert local_derivative(mean, 0).text in ("1/batch", "1/b")
    assert blackboard.literal("4*batch").latex == r"4 \cdot \mathrm{batch}"
    assert blackboard.literal("1e−07").text == "1·10⁻⁷"
    assert blackboard.literal("−0.5").latex == "-0.5"


def test_names_are_written_for_latex() -> None:
    names = {"x1": "x_{1}", "σ": r"\sigma", "w_12": "w_{12}", "batch": r"\mathrm{batch}",
             "a$b": r"\text{a\textdollar{}b}", "h_x": r"\mathrm{h\_x}"}  # fmt: skip
    assert {name: blackboard.word(name) for name in names} == names


def test_brackets_stand_where_they_are_needed() -> None:
    p, q, r = (blackboard.name_of(name) for name in "pqr")
    minus = blackboard.negative(q)
    assert blackboard.product([blackboard.total([p, q]), r]).text == "(p + q)·r"
    assert blackboard.product([p, minus]).text == "−p·q"
    assert blackboard.total([p, blackboard.product([minus, r])]).text == "p − q·r"
    assert blackboard.power(blackboard.total([p, q]), blackboard.number(2)).text == "(p + q)²"
    assert blackboard.quotient(p, blackboard.product([q, r])).text == "p/(q·r)"
    assert blackboard.negative(blackboard.total([p, q])).text == "−(p + q)"
    assert blackboard.negative(minus).text == "q"
    assert blackboard.number(-2.5e-7).text == "−2.5·10⁻⁷"
    assert blackboard.number(float("-inf")).latex == r"-\infty"
