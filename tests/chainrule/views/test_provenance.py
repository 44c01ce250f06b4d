"""Provenance: from generated code to the user's lines and the chain rule, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import pytest

import chainrule as cr
from chainc.ir import Node
from chainrule import losses, nn, optim
from chainrule.compiled.training import TrainingProgram
from chainrule.views.provenance import GeneratedLine, Provenance, families

FILE = "test_provenance.py"


@cache
def program(target: str) -> TrainingProgram:
    """12-24-3 at a batch of 32; too large for straight-line code."""
    x = cr.input("x", ("batch", 12))
    y = cr.input("y", ("batch",), dtype="int32")
    logits = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 3), name="model")(x)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    return cr.compile(cr.training(step, epochs=1, batch_size=32), target=target)


def the(provenance: Provenance, pattern: str) -> GeneratedLine:
    """The first line with such a text."""
    return next(line for line in provenance.lines if re.search(pattern, line.text))


def declared(target: str, op: str, scope: str, rule: str = "") -> list[Node]:
    return [
        node
        for node in program(target).declared.nodes
        if node.op.name == op
        and node.origin.scope == scope
        and (node.origin.derivative.rule if node.origin.derivative is not None else "") == rule
    ]


@pytest.mark.parametrize("code", ["numpy", "loops", "c", "llvm", "assembly"])
def test_the_lines_are_those_of_the_code(code: str) -> None:
    shown = program("numpy" if code == "numpy" else "llvm")
    text = str(getattr(shown, "source" if code == "numpy" else code))
    found = [line.text for line in shown.provenance(code).lines]
    assert [line.rstrip() for line in found if line] == [
        line.rstrip() for line in text.splitlines() if line
    ]
    assert [line.number for line in shown.provenance(code).lines] == list(range(1, len(found) + 1))


# from the code back


def test_a_line_of_numpy_is_for_one_op_of_a_fused_kernel() -> None:
    """relu(x @ w + b) is one node and three lines: what each computes is in its own text."""
    provenance = program("numpy").provenance()
    product, bias, relu = (the(provenance, p) for p in (r"np.matmul\(x, ", "_bias, ", "maximum"))
    assert product.nodes == bias.nodes == relu.nodes
    assert product.nodes[0].op.name == "fused_contract"
    assert [line.computes[0].op for line in (product, bias, relu)] == ["contract", "add", "relu"]
    assert product.scopes == ("model/linear1",)
    assert relu.scopes == ("model/relu1",)
    assert [location.short for location in relu.locations] == [f"{FILE}:25"]


def test_a_line_names_its_chain_rule_step() -> None:
    provenance = program("numpy").provenance()
    (computed,) = the(provenance, r"^ +zero_unless\(d_relu").computes
    derivative = computed.origin.derivative
    assert derivative is not None
    assert (derivative.forward.op.name, derivative.operand) == ("relu", 0)
    assert computed.step.startswith("local derivative of relu f32[batch,24] in model/relu1")
    assert "with respect to operand 1, add f32[batch,24]" in computed.step
    (weights,) = {c.step for c in the(provenance, r"matmul\(x\.T").computes}
    assert "with respect to operand 2, model/linear1/weight f32[12,24]" in weights


def test_a_line_names_the_rules_that_made_it() -> None:
    """The softmax of the gradient: one quotient, and then a product with a reciprocal."""
    provenance = program("numpy").provenance()
    line = the(provenance, r"np.multiply\(linear2, d_subtract")
    rules = [rule for rule, _ in line.computes[0].rewrites]
    assert {"softmax_times_reshaped", "over_reshaped_denominator"} <= set(rules)
    assert "softmax_times_reshaped of multiply f32[batch,3]" in str(line)
    assert str(line).startswith(f"{line.number}: np.multiply(linear2, d_subtract")


def test_what_serves_the_whole_program_is_for_no_node() -> None:
    provenance = program("numpy").provenance()
    assert the(provenance, "import numpy").computes == ()
    assert the(provenance, "for epoch in").nodes == ()


@pytest.mark.parametrize("code", ["loops", "c", "llvm", "assembly"])
def test_every_kernel_of_machine_code_has_its_nodes(code: str) -> None:
    """Each optimised node that computes something has lines in each of the texts."""
    shown = program("llvm")
    provenance = shown.provenance(code)
    computing = {node for line in provenance.lines for node in line.nodes}
    for node in shown.graph.nodes:
        if node.op.name in ("fused_contract", "region", "sum", "max"):
            assert node in computing, node
            assert provenance.lines_of(node)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            "loops",
            {r"fma\(": "contract", r"load bias": "add", r"maximum\(": "relu", "store": "relu"},
        ),
        (
            "c",
            {r"= fma_": "contract", r"load_\w+\(&bias": "add", r"= max": "relu", "store": "relu"},
        ),
        ("llvm", {r"@llvm\.fm": "contract", r"= fadd <": "add", r"  store ": "relu"}),
        ("assembly", {r"\tvfmadd": "contract", r"\tvaddps": "add", r"\tvmaxps": "relu"}),
    ],
)
def test_a_line_of_machine_code_is_for_one_op_of_a_fused_kernel(
    code: str, told: Mapping[str, str]
) -> None:
    x, w = cr.input("x", ("batch", 64)), cr.parameter("weight", (64, 32), 0.1)
    shown = cr.compile(cr.relu(x @ w + cr.parameter("bias", (32,), 0.2)))
    if code == "assembly" and "vfmadd" not in shown.assembly:
        pytest.skip("the mnemonics are those of AVX2 and AVX-512")
    lines = [line for line in shown.provenance(code).lines if line.computes]
    for pattern, op in told.items():
        found = [{c.op for c in line.computes} for line in lines if re.search(pattern, line.text)]
        assert found, pattern
        assert {op} in found
        assert all(ops in ({op}, {"contract", "add", "relu"}) for ops in found), pattern


def test_a_function_whose_name_looks_like_a_label_has_its_ops() -> None:
    total = cr.sum(cr.input("x", ("batch", 64)), axis=1)
    lines = cr.compile(cr.Graph([total], names=["Loss"])).provenance("assembly").lines
    (start,) = [line.number for line in lines if line.text.startswith("Loss:")]
    (end,) = [line.number for line in lines[start:] if "Lfunc_end" in line.text][:1]
    assert all({each.op for each in line.computes} == {"sum"} for line in lines[start:end])


def test_straight_line_code_is_told_apart() -> None:
    """A step of xor is one function; each of its lines is for an op all the same."""
    x, y = cr.input("x", ("batch", 2)), cr.input("y", ("batch",))
    hidden = cr.tanh(x @ cr.parameter("first", (2, 8), 0.5))
    out = hidden @ cr.parameter("second", (8,), 0.5)
    step = optim.SGD(lr=0.1).minimize(cr.mean(cr.square(out - y)))
    shown = cr.compile(cr.training(step, epochs=1, batch_size=4))
    for code, lone in (("loops", 0.9), ("llvm", 0.85), ("assembly", 0.6)):
        lines = [line for line in shown.provenance(code).lines if line.computes]
        single = [line for line in lines if len(line.nodes) == 1]
        assert len(single) >= lone * len(lines), code
    tanh = [line for line in shown.provenance("loops").lines if re.search(r"= tanh\(", line.text)]
    assert tanh
    assert {each.op for line in tanh for each in line.computes} == {"tanh"}


def test_a_copy_belongs_to_what_is_copied() -> None:
    """Both slots swap their values, so one waits in a buffer and is copied at the end."""
    a, b = cr.parameter("a", (3,), 1.0), cr.parameter("b", (3,), 2.0)
    graph = cr.Graph((cr.sum(a),), {a: b * 2.0, b: a * 3.0})
    provenance = cr.compile(graph, target="numpy").provenance()
    copies = [line for line in provenance.lines if "np.copyto" in line.text]
    assert copies
    assert all(line.nodes and line.nodes[0].op.name == "multiply" for line in copies)


# from the user's side


def test_the_lines_of_a_node_compute_it() -> None:
    """The texts say which op they are: an oracle beside the structures."""
    provenance = program("numpy").provenance()
    (relu,) = declared("numpy", "relu", "model/relu1")
    texts = [provenance.of_line(number).text for number in provenance.lines_of(relu)]
    assert len(texts) == 2  # in the step, and in the evaluation
    assert all("np.maximum(" in text for text in texts)
    (exp,) = declared("numpy", "exp", "cross_entropy")
    texts = [provenance.of_line(number).text for number in provenance.lines_of(exp)]
    assert all("np.exp(" in text for text in texts)


def test_a_node_of_the_gradient_is_found_through_all_rewrites() -> None:
    provenance = program("numpy").provenance()
    for graph in (stage.graph for stage in program("numpy").stages):
        for node in graph.nodes:
            assert provenance.lines_of(node), node


def test_an_op_that_was_taken_into_another_is_where_its_reader_is() -> None:
    """The transposed weight is read as it lies: no line transposes."""
    x = cr.input("x", (4, 6))
    turned = cr.parameter("w", (5, 6), 0.5).T
    shown = cr.compile(x @ turned, target="numpy")
    provenance = shown.provenance()
    (number,) = provenance.lines_of(turned)
    assert "np.matmul(" in provenance.of_line(number).text
    assert provenance.lines_of(x) == (number,)


def test_a_place_leads_to_forward_and_backward_lines() -> None:
    x = cr.input("x", ("batch", 3))
    w = cr.parameter("w", (3, 2), 0.5)
    y = cr.tanh(x @ w)  # line A
    loss = cr.mean(y * y)
    here = y.origin.location
    assert here is not None
    provenance = cr.compile([loss, cr.grad(loss, w)], target="numpy").provenance()
    texts = [provenance.of_line(n).text for n in provenance.lines_of(here.short)]
    assert any("np.tanh(" in text for text in texts)
    assert any("np.matmul(x.T" in text for text in texts)
    assert provenance.lines_of(str(here)) == provenance.lines_of(here.short)
    where_x = x.origin.location
    assert where_x is not None
    assert provenance.lines_of(where_x.short) == provenance.lines_of(x)


def test_families_stay_the_same_through_the_passes() -> None:
    shown = program("numpy")
    (relu,) = declared("numpy", "relu", "model/relu1")
    (family,) = families(relu)
    holding = [n for n in shown.graph.nodes if family in families(n)]
    assert [node.op.name for node in holding] == ["fused_contract"]
    assert len(families(holding[0])) == 3


# what is refused


def test_wrong_questions_are_refused() -> None:
    provenance = program("numpy").provenance()
    with pytest.raises(cr.InputError, match=r"no line 0\n.*where: .*\n.*from 1 to"):
        provenance.of_line(0)
    with pytest.raises(cr.InputError, match="no line True"):
        provenance.of_line(True)
    with pytest.raises(cr.InputError, match=rf"declared at 'other.py:1'(.|\n)*{FILE}"):
        provenance.lines_of("other.py:1")
    with pytest.raises(cr.InputError, match="is no node of this program"):
        provenance.lines_of(cr.input("z"))


def test_codes_of_another_target_are_refused() -> None:
    assert program("numpy").codes == ("numpy",)
    assert program("llvm").codes == ("loops", "c", "llvm", "assembly")
    with pytest.raises(cr.GraphError, match=r"no code 'loops'(.|\n)*ask for 'numpy'"):
        program("numpy").provenance("loops")
    with pytest.raises(cr.GraphError, match=r"no code 'numpy'(.|\n)*'loops' or 'c' or 'llvm'"):
        program("llvm").provenance("numpy")
