"""How a picture writes an op: its sign with the constants it uses, and what a kernel fused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainc.ir import Graph, Node, Op
from chainc.ir.leaves import Constant, Input, SizeOf
from chainc.ir.types import TensorType, float32, format_shape
from chainc.ops.arithmetic import add
from chainc.ops.contract import Contract
from chainc.ops.formula import Formula
from chainc.ops.movement import Reshape
from chainc.ops.parts.slicing import Slice
from chainc.ops.parts.window import OverlapAdd, Sliding, Window

LONGEST_FORMULA = 40  # nodes; a longer one is shown by its name alone


def type_text(type: TensorType) -> str:
    """`[batch,10]`, `i32[batch]`; nothing for the most common type, a float32 scalar."""
    dtype = "" if type.dtype == float32 else str(type.dtype)
    return dtype + (format_shape(type.shape) if type.shape else "")


def literal(node: Node) -> str | None:
    """A scalar that an op's own label can show; None for everything else."""
    if isinstance(node.op, SizeOf):
        return str(node.op.dim)
    if not isinstance(node.op, Constant) or node.op.value.array.size != 1 or node.ndim:
        return None
    value = node.op.value.array.item()
    return str(value).lower() if isinstance(value, bool) else f"{value:g}".replace("-", "−")


def role(op: Op, position: int) -> str:
    """The letter or word by which a picture names an operand."""
    return op.roles[position] if position < len(op.roles) else str(position + 1)


def caption(op: Op, arguments: Sequence[str | None]) -> str:
    """The op's sign over its arguments; None stands for whatever flows in: `x − 1`, `+ b`, `exp`.

    Args:
        op: the op.
        arguments: what is known of each operand: a number, a letter, or None.
    """
    sign = _sign(op)
    known = [argument for argument in arguments if argument is not None]
    texts = [argument or "x" for argument in arguments]
    if _is_word(sign):
        return f"{sign}({', '.join(texts)})" if known else sign
    if len(arguments) == 1:
        return sign + texts[0]
    if not known:
        return sign
    if op.commutative and len(known) == 1:
        return f"{sign} {_in_brackets(known[0])}"
    return f" {sign} ".join(texts)


def _sign(op: Op) -> str:
    return op.symbol or op.label


def _is_word(sign: str) -> bool:
    return sign.replace("_", "").isalnum()


def _in_brackets(number: str) -> str:
    return f"({number})" if number.startswith("−") else number


def is_fan_out_sum(node: Node) -> bool:
    """Does it add up the contributions to one derivative?"""
    derivative = node.origin.derivative
    return derivative is not None and derivative.rule == "fan-out sum" and node.op == add


def lines(node: Node, constants: Mapping[int, str]) -> tuple[str, ...]:
    """A node's label: one line, or for an op made of others the list of what it computes.

    Args:
        node: the node.
        constants: texts of the operands that are scalars known when the graph is declared.
    """
    op = node.op
    names = [constants.get(i) or role(op, i) for i in range(len(node.inputs))]
    if op.fused_body is not None and op.fused_contraction is not None:
        first = op.fused_contraction.label
        return ("fused kernel", *_steps(op.fused_body, ["(1)", *names[2:]], first))
    if op.fused_body is not None:
        return ("fused kernel", *_steps(op.fused_body, names))
    if op.has_steps:
        return (op.label,)
    if isinstance(op, Formula):
        return (op.title, *_formula(op, constants))
    if isinstance(op, Window | OverlapAdd):
        return (f"{op.label} {_sizes(op.slides)}",)
    kind = ("convolution",) if is_over_windows(node) else ()
    return (*kind, caption(op, _arguments(node, constants)))


def is_over_windows(node: Node) -> bool:
    """Is it a contraction over the windows of another operand, as a convolution is?"""
    return isinstance(node.op, Contract) and any(
        isinstance(operand.op, Window) for operand in node.inputs
    )


def _sizes(slides: Sequence[Sliding]) -> str:
    """`3×3`, `2×2 stride 2`, `3×3 dilation 1×2`."""
    told = ["×".join(str(slide.taps) for slide in slides)]
    for word in ("stride", "dilation"):
        steps = [slide.stride if word == "stride" else slide.dilation for slide in slides]
        if set(steps) != {1}:
            told.append(f"{word} {'×'.join(map(str, steps if len(set(steps)) > 1 else steps[:1]))}")
    return " ".join(told)


def indexing(node: Node) -> str | None:
    """`[2]` or `[:, 2]` where a reshape drops the axis of a single slice."""
    cut = node.inputs[0] if isinstance(node.op, Reshape) else node
    if not isinstance(cut.op, Slice):
        return None
    whole = cut.inputs[0].shape
    short = [axis for axis, dim in enumerate(cut.shape) if dim != whole[axis]]
    if len(short) != 1 or node.shape != (*cut.shape[: short[0]], *cut.shape[short[0] + 1 :]):
        return None
    return f"[{':, ' * short[0]}{cut.op.starts[short[0]]}]"


def flowing(node: Node, constants: Mapping[int, str]) -> Mapping[Node, int]:
    """The operands that come along edges, each with its first position."""
    positions: dict[Node, int] = {}
    for position, operand in enumerate(node.inputs):
        if position not in constants:
            positions.setdefault(operand, position)
    return positions


def distinguished(node: Node, constants: Mapping[int, str]) -> bool:
    """Does it matter which operand comes along which edge?"""
    return not node.op.commutative and len(flowing(node, constants)) > 1


def _arguments(node: Node, constants: Mapping[int, str]) -> list[str | None]:
    """Operands by their letters where the sign stands between them, or beside constants."""
    positions = range(len(node.inputs))
    if len(positions) == 2 and node.inputs[0] is node.inputs[1]:
        return ["x", "x"]
    infix = bool(node.op.symbol) and not _is_word(node.op.symbol)
    if distinguished(node, constants) and (infix or constants):
        return [constants.get(i) or role(node.op, i) for i in positions]
    return [constants.get(i) for i in positions]


def _steps(body: Graph, names: Sequence[str], leading: str | None = None) -> list[str]:
    """The ops of a kernel in order; a step reads the result before it unless it says otherwise.

    Args:
        body: the kernel's graph.
        names: what its inputs are called.
        leading: a first step outside the body, whose result is input "0".
    """
    inputs = {int(node.op.key): node for node in body.nodes if isinstance(node.op, Input)}
    texts = {node: names[position] for position, node in inputs.items()}
    result = [] if leading is None else [f"1  {leading}"]
    previous = None if leading is None else inputs.get(0)
    for node in body.nodes:
        text = texts.get(node) or literal(node)
        if text is None:
            result.append(f"{len(result) + 1}  {_step(node, texts, previous)}")
            text, previous = f"({len(result)})", node
        texts[node] = text
    return result


def _step(node: Node, texts: Mapping[Node, str], previous: Node | None) -> str:
    arguments: list[str | None] = [texts[operand] for operand in node.inputs]
    function = len(node.inputs) == 1 and _is_word(_sign(node.op))
    places = [place for place, operand in enumerate(node.inputs) if operand is previous]
    if (function or node.op.commutative) and len(places) == 1:
        arguments[places[0]] = None
    return caption(node.op, arguments) + ("  (fan-out sum)" if is_fan_out_sum(node) else "")


def _formula(op: Formula, constants: Mapping[int, str]) -> tuple[str, ...]:
    if len(op.body.nodes) > LONGEST_FORMULA:
        return ()
    import sympy

    from chainc.interpreters.symbolic import formula

    names = ["x"] if op.arity() == 1 else [role(op, i) for i in range(op.arity())]
    symbols = [sympy.Symbol(constants.get(i, name), real=True) for i, name in enumerate(names)]
    return (str(formula(op, symbols)).replace("**", "^").replace("*", "·").replace("-", "−"),)
