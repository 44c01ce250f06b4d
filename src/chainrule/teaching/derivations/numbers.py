"""The numbers of a derivation at a point: local derivatives, terms, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainc.autodiff import pull_back
from chainc.dataclass import dataclass
from chainc.formulas import blackboard
from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import Input, constant
from chainc.ir.types import Array, TensorType
from chainrule.evaluation.backpropagation import Backpropagation
from chainrule.evaluation.point import evaluate_at
from chainrule.teaching.derivations.formulas import shape_latex
from chainrule.teaching.derivations.model import Model
from chainrule.teaching.derivations.steps import DerivationStep, Term

ROWS, COLUMNS = 4, 6  # of a matrix that is written in full


def array_latex(value: Array) -> str:
    """A number, a matrix in full, or of a large array its shape, mean and range."""
    if value.ndim == 0:
        return _numeral(float(value))
    shape = value.shape if value.ndim == 2 else (1, *value.shape)
    if value.size and len(shape) == 2 and shape[0] <= ROWS and shape[1] <= COLUMNS:
        rows = [" & ".join(map(_numeral, row)) for row in value.reshape(shape).tolist()]
        inner = r" \\ ".join(rows)
        return rf"\begin{{bmatrix}} {inner} \end{{bmatrix}}"
    if not value.size:
        return r"\text{empty}"
    numbers = value.astype(np.float64)
    mean, low, high = map(_numeral, (numbers.mean(), numbers.min(), numbers.max()))
    size = shape_latex(value.shape)
    return (
        rf"\left({size},\ \text{{mean }} {mean},\ \text{{from }} {low} \text{{ to }} {high}\right)"
    )


def _numeral(value: float) -> str:
    return blackboard.number(float(f"{value + 0.0:.4g}")).latex


@dataclass(frozen=True)
class Numbers:
    """What every term of a derivation is at a point."""

    model: Model
    found: Backpropagation

    def factor(self, term: Term) -> Array | None:
        """The local derivative's value; None where it is no formula of one element."""
        if term.factor is None or not term.positions:
            return None
        first, *others = (self._partial(term.node, position) for position in term.positions)
        return sum(others, start=first)

    def _partial(self, node: Node, position: int) -> Array:
        """The op's derivative at its operands' values, each repeated to the result's shape."""
        values = [self.found.values[operand] for operand in node.inputs]
        repeated = np.broadcast_arrays(*values)
        types = [
            TensorType(value.shape, operand.type.dtype)
            for value, operand in zip(repeated, node.inputs, strict=True)
        ]
        operands = [apply(Input(f"x{i}", type)) for i, type in enumerate(types)]
        output = apply(node.op, *operands)
        ones = constant(np.ones(repeated[0].shape), output.type.dtype)
        totals = pull_back([output], [operands[position]], [ones]).totals
        if operands[position] not in totals:
            return np.zeros(repeated[0].shape)
        graph = Graph((totals[operands[position]],))
        read = set(graph.leaves("input"))
        point = {x: value for x, value in zip(operands, repeated, strict=True) if x in read}
        return evaluate_at(graph, point)[0]

    def contribution(self, step: DerivationStep, term: Term) -> Array:
        """What the term adds to the gradient."""
        box = self.model.boxes.get(term.node)
        readers = {term.node} if box is None else box.inside
        values = [
            each.value
            for each in self.found.contributions[step.node]
            if each.reader in readers and (box is not None or each.position in term.positions)
        ]
        return sum(values[1:], start=values[0])

    def lines(self, step: DerivationStep, gradient: Mapping[Node, str]) -> Sequence[str]:
        """The step with numbers: for scalars the sum of products, for arrays each value."""
        name = gradient[step.node]
        total = array_latex(self.found.gradients[step.node])
        if not step.node.ndim and all(term.reader.ndim == 0 for term in step.terms):
            products = [self._product(step, term) for term in step.terms]
            shown = " + ".join(products)
            return [f"{name} &= {shown}" + (f" = {total}" if shown != total else "")]
        lines = [line for term in step.terms for line in self._factor_line(step, term)]
        return [*lines, f"{name} &= {total}"]

    def _product(self, step: DerivationStep, term: Term) -> str:
        above, factor = self.found.gradients[term.reader], self.factor(term)
        if factor is None:
            return _in_brackets(array_latex(self.contribution(step, term)))
        if term.reader is self.model.graph.outputs[0]:
            return _in_brackets(array_latex(factor)) if len(step.terms) > 1 else array_latex(factor)
        return rf"{_in_brackets(array_latex(above))} \cdot {_in_brackets(array_latex(factor))}"

    def _factor_line(self, step: DerivationStep, term: Term) -> Sequence[str]:
        names = self.model.names
        factor = self.factor(term)
        lines = []
        alone = sum(other.reader is term.reader for other in step.terms) == 1
        if factor is not None and term.entrywise and alone:
            local = blackboard.partial(names[term.reader], names[step.node]).latex
            lines.append(f"{local} &= {array_latex(factor)}")
        if len(step.terms) > 1:
            path = rf"\text{{by way of }} {names[term.reader].latex}"
            lines.append(rf"{path}\text{{:}} &\quad {array_latex(self.contribution(step, term))}")
        return lines


def _in_brackets(number: str) -> str:
    return f"({number})" if number.startswith("-") else number
