"""The derivative of an op's output with respect to one operand, as one writes it on a blackboard.

It follows from what the op states once: the derivative of its scalar meaning, unless the one it
declares in terms of its own output is shorter, as σ·(1 − σ) is. A structural op says in words how
it hands the gradient back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainc.formulas import blackboard, notation, polynomial
from chainc.formulas.blackboard import Written
from chainc.interpreters.symbolic import SympyBuilder, derivative, formula
from chainc.ir import Node, apply, topological
from chainc.ir.leaves import Constant, Input
from chainc.ir.types import DType, TensorType, bool_, float64
from chainc.ops.contract import Contract
from chainc.ops.elementwise import Elementwise

if TYPE_CHECKING:
    import sympy

SAVED = 4  # operations by which the declared derivative must be shorter than the plain one


@dataclass(frozen=True)
class LocalDerivative:
    """`σ·(1 − σ)` as text, and as LaTeX for math mode."""

    text: str
    latex: str


@dataclass(frozen=True)
class Application:
    """An elementwise op over certain operands: all that its local derivative depends on.

    Attributes:
        op: the op.
        numbers: the operands that are numbers.
        dtypes: the operands' element types.
    """

    op: Elementwise
    numbers: tuple[float | None, ...]
    dtypes: tuple[DType, ...]


def local_derivative(node: Node, position: int) -> LocalDerivative:
    """∂node/∂operand with the letters by which pictures call the operands.

    A number stands for itself, an operand that is the only other one is x, the output is y or the
    op's own letter, and G is the gradient that comes from above.

    Args:
        node: any node.
        position: which of its operands, from 0.
    """
    literals = [notation.literal(operand) for operand in node.inputs]
    others = {operand for operand, text in zip(node.inputs, literals, strict=True) if text is None}
    alone = isinstance(node.op, Elementwise) and len(others) == 1
    names = [
        blackboard.name_of("x" if alone else _letter(node, i))
        if literal is None
        else blackboard.literal(literal)
        for i, literal in enumerate(literals)
    ]
    symbol = node.op.symbol
    output = symbol if len(symbol) == 1 and symbol.isalpha() else "y"
    found = written_derivative(
        node, position, names, blackboard.name_of(output), blackboard.name_of("G")
    )
    return LocalDerivative(found.text, found.latex)


def _letter(node: Node, position: int) -> str:
    if isinstance(node.op, Elementwise) and node.inputs[position].type.dtype == bool_:
        return "c"
    return notation.role(node.op, position)


def written_derivative(
    node: Node, position: int, operands: Sequence[Written], output: Written, above: Written
) -> Written:
    """∂node/∂operand in given names of the operands, the output and the gradient from above."""
    op = node.op
    if isinstance(op, Elementwise) and op.fused_body is None:
        return _elementwise(node, op, position, operands, output)
    if isinstance(op, Contract):
        return _of_product(op, position, operands, above)
    if op.backward_rules:
        rule = op.backward_rules[min(position, len(op.backward_rules) - 1)]
        return blackboard.sentence(rule, G=above)
    return blackboard.partial(output, operands[position])


def _elementwise(
    node: Node, op: Elementwise, position: int, operands: Sequence[Written], output: Written
) -> Written:
    numbers = tuple(_number(operand) for operand in node.inputs)
    use = Application(op, numbers, tuple(operand.type.dtype for operand in node.inputs))
    plain = _as_polynomial(use, position)
    if plain is not None:
        names = {f"x{i}": operand for i, operand in enumerate(operands)}
        return polynomial.written(plain, {**names, "y": output})
    from chainc.formulas.sympy_writing import SympyWriter

    symbols = dict(zip(_symbols(use), operands, strict=True))
    return SympyWriter({**symbols, _real("y"): output}).write(_through_sympy(use, position))


def _number(node: Node) -> float | None:
    if notation.literal(node) is None or not isinstance(node.op, Constant):
        return None
    return float(node.op.value.array.item())


def _of_product(
    op: Contract, position: int, operands: Sequence[Written], above: Written
) -> Written:
    """G·Bᵀ and Aᵀ·G."""
    a, b = operands
    factors = (above, b) if position == 0 else (a, above)
    return written_product(handed_back(op, position), *factors)


def handed_back(op: Contract, position: int) -> Contract:
    """The product that gives an operand's gradient: of G and B for A, of A and G for B."""
    if position == 0:
        return Contract(op.result, op.b, op.a)
    return Contract(op.a, op.result, op.b)


def written_product(op: Contract, a: Written, b: Written) -> Written:
    """A contraction as a product of matrices and vectors where it is one, else as an einsum."""
    if not op.result and op.a == op.b:
        left, right = a.within(blackboard.PRODUCT), b.within(blackboard.PRODUCT)
        latex = rf"\langle {left.latex}, {right.latex} \rangle"
        return Written(f"⟨{left.text}, {right.text}⟩", latex)
    if not op.a or not op.b:
        return blackboard.product([a, b])
    turned, swapped = op.as_matrices(), Contract(op.b, op.a, op.result).as_matrices()
    if turned is None and swapped is not None:
        a, b, turned = b, a, swapped
    if turned is None:
        axes = rf"\text{{{op.a},{op.b}}} \to \text{{{op.result}}}"
        latex = rf"\operatorname{{einsum}}_{{{axes}}}({a.latex}, {b.latex})"
        return Written(f"einsum[{op.equation}]({a.text}, {b.text})", latex)
    factors = [transposed(m) if flip else m for m, flip in zip((a, b), turned, strict=True)]
    left, right = (factor.within(blackboard.PRODUCT) for factor in factors)
    latex = f"{left.latex} {right.latex}"
    return Written(f"{left.text}·{right.text}", latex, blackboard.PRODUCT)


def transposed(x: Written) -> Written:
    inner = x.within(blackboard.ATOM)
    return Written(f"{inner.text}ᵀ", rf"{inner.latex}^{{\top}}", blackboard.POWER)


@lru_cache(maxsize=512)
def _as_polynomial(use: Application, position: int) -> polynomial.Polynomial | None:
    """The declared derivative where it is made of sums and products, and not the output alone.

    It spares small circuits the time that sympy takes to start.
    """
    stand_ins = _stand_ins(use)
    if not hasattr(use.op, "vjp"):
        return None
    cotangent = _declared(use, stand_ins, position)
    if cotangent is None:
        return polynomial.number(0)
    names = {node: polynomial.variable(name) for name, node in stand_ins.items()}
    names[stand_ins["g"]] = polynomial.number(1)
    for i, number in enumerate(use.numbers):
        if number is not None:
            names[stand_ins[f"x{i}"]] = polynomial.number(number)
    found = polynomial.from_node(cotangent, names)
    return None if found is None or found.degree("y") == 1 else found  # e^x says more than y


@lru_cache(maxsize=512)
def _through_sympy(use: Application, position: int) -> sympy.Basic:
    """The derivative of the meaning, or the declared one where that is clearly shorter."""
    import sympy

    symbols = _symbols(use)
    meaning = derivative(formula(use.op, symbols), symbols[position])
    plain = sympy.powsimp(meaning.xreplace(_values(use)))
    cotangent = _declared(use, _stand_ins(use), position) if hasattr(use.op, "vjp") else None
    if cotangent is None:
        return plain
    declared = _as_expression(cotangent, use)
    return declared if declared.count_ops() + SAVED <= plain.count_ops() else plain


def _as_expression(cotangent: Node, use: Application) -> sympy.Basic:
    """The cotangent for g = 1; a function that is no primitive stays a name: σ, softplus."""
    import sympy

    values: dict[Node, sympy.Basic] = {}
    symbols = {f"x{i}": symbol for i, symbol in enumerate(_symbols(use))}
    symbols |= {"y": _real("y"), "g": sympy.Integer(1)}
    for part in topological([cotangent]):
        if isinstance(part.op, Input):
            values[part] = symbols[part.op.key]
        elif isinstance(part.op, Constant):
            values[part] = SympyBuilder().const(part.op.value.array.item())
        elif isinstance(part.op, Elementwise):
            values[part] = _applied(part.op, [values[i] for i in part.inputs])
    return values[cotangent].xreplace(_values(use))


def _applied(op: Elementwise, operands: Sequence[sympy.Basic]) -> sympy.Basic:
    import sympy

    meaning = formula(op, [_real(f"x{i}") for i in range(len(operands))])
    primitive = all(part.is_Symbol or part.is_number for part in meaning.args)
    if len(operands) == 1 and not primitive:
        return sympy.Function(op.symbol or op.label, real=True)(*operands)
    return formula(op, operands)


def _stand_ins(use: Application) -> Mapping[str, Node]:
    """Scalars in place of the gradient from above, the output, and each operand."""
    kinds = {"g": float64, "y": float64}
    kinds |= {f"x{i}": float64 if dtype.is_float else dtype for i, dtype in enumerate(use.dtypes)}
    return {name: apply(Input(name, TensorType((), dtype))) for name, dtype in kinds.items()}


def _declared(use: Application, stand_ins: Mapping[str, Node], position: int) -> Node | None:
    g, y, *operands = stand_ins.values()
    found = use.op.vjp(g, y, *operands)[position]
    return found if found is None or isinstance(found, Node) else found()


def _symbols(use: Application) -> list[sympy.Basic]:
    import sympy

    return [
        sympy.Symbol(f"x{i}") if dtype == bool_ else _real(f"x{i}")
        for i, dtype in enumerate(use.dtypes)
    ]


def _values(use: Application) -> dict[sympy.Basic, sympy.Basic]:
    builder, symbols = SympyBuilder(), _symbols(use)
    return {
        symbol: builder.const(number)
        for symbol, number in zip(symbols, use.numbers, strict=True)
        if number is not None
    }


def _real(name: str) -> sympy.Basic:
    import sympy

    return sympy.Symbol(name, real=True)
