"""Readable names for buffers, from where their nodes come from."""

from __future__ import annotations

from chainc.ir import Node, Origin
from chainc.ir.leaves import Input, Slot
from chainc.ir.types import TensorType
from chainc.lowering.views import Buffer
from chainc.ops.formula import is_recomputed


def name_of(node: Node) -> str:
    """`linear1`, `d_linear1_weight`, `exp`: the layer, what is differentiated, or the op."""
    if isinstance(node.op, (Input, Slot)):
        return node.op.label.split("/", 1)[-1]
    name = name_from(node.origin, _op_name(node))
    return f"{name}_again" if is_recomputed(node) else name


def name_from(origin: Origin, op: str) -> str:
    """The name of a value that an op with this origin computes."""
    derivative = origin.derivative
    if derivative is None:
        return origin.scopes[-1].name if len(origin.scopes) > 1 else op
    target = derivative.forward
    if derivative.operand is not None:
        target = target.inputs[derivative.operand]
    return f"d_{name_of(target)}" if target.origin.derivative is None else op


def has_own_name(origin: Origin) -> bool:
    """Is the value called after a layer or a derivative, rather than after its op?"""
    return origin.derivative is not None or len(origin.scopes) > 1


def _op_name(node: Node) -> str:
    """A fused node is called after the op whose value it gives."""
    rewrite = node.origin.rewrite
    return node.op.name if rewrite is None else rewrite.replaced.op.name


def named_buffer(origin: Origin, op: str, type: TensorType) -> Buffer:
    """Storage for a value with this origin, computed by `op`."""
    return Buffer(
        name_from(origin, op),
        type,
        cotangent=origin.derivative is not None,
        prominent=has_own_name(origin),
    )
