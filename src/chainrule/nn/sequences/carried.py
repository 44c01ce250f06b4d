"""What a recurrent layer remembers from batch to batch, while it is trained.

A row of a batch goes on where the same row of the batch before has ended; an epoch begins anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainc.ir import Node, apply
from chainc.ir.errors import InputError
from chainc.ir.leaves import EpochSlot, Label, size
from chainc.ir.types import Dim, TensorType, float32, named, promote
from chainc.ops import arange, broadcast_to, by_mode, expand_dims, scatter_add, take, where
from chainrule.declare.arguments import count
from chainrule.declare.graphs import BATCH_ROWS
from chainrule.declare.init import zeros
from chainrule.declare.leaves import constant


def carried_states(
    kind: str, rows: object, carries: int, hidden: int, *, backwards: bool
) -> tuple[Node, ...]:
    """A state for every carry of a layer, zero at first; none where `rows` is None or False.

    Where it is True, a state has as many rows as the batches of the training that it is part of.

    Raises:
        InputError: `rows` is no positive whole number, or the layer also goes backwards.
    """
    if rows is None or rows is False:
        return ()
    hint = "give the rows of a batch, such as carry_state=32, or True for those of the training"
    number = named(BATCH_ROWS) if rows is True else count(kind, "carry_state", rows, hint=hint)
    if backwards:
        raise InputError(
            f"{kind}: carry_state and bidirectional exclude each other: what comes later is not "
            "known before",
            hint="leave one of them out",
        )
    type = TensorType((number, hidden), float32)
    names = [f"carry{place}" for place in range(carries)]
    return tuple(apply(EpochSlot(Label(name), type, zeros())) for name in names)


def no_memory(x: Node, weight: Node, hidden: Dim) -> Node:
    """What is remembered of x before the first step: zeros, in the type that a step makes of it."""
    dtype = promote(x.dtype, weight.dtype) or weight.dtype
    return broadcast_to(constant(0.0, dtype), (x.shape[0], hidden))


def first_carries(states: Sequence[Node], x: Node) -> Sequence[Node]:
    """Before the first step: in training what is kept, elsewhere zeros."""
    rows = arange(x.shape[0])
    none = [no_memory(x, each, each.shape[1]) for each in states]
    return [
        by_mode(train=take(state, rows), infer=zero)
        for state, zero in zip(states, none, strict=True)
    ]


def kept_carries(states: Sequence[Node], last: Sequence[Node]) -> Mapping[Node, Node]:
    """The new values of the states; those of rows that a smaller batch does not have stay."""
    return {state: _with_rows(state, carry) for state, carry in zip(states, last, strict=True)}


def _with_rows(state: Node, carry: Node) -> Node:
    none = broadcast_to(constant(0.0, state.dtype), state.shape)
    spread = scatter_add(none, arange(carry.shape[0]), carry)
    given = arange(state.shape[0]) < size(carry.shape[0])
    return where(expand_dims(given, 1), spread, state)
