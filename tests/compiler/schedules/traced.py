"""What a nest touches: its loops run in Python, loads and stores only noted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chainc.ir.types import int64
from chainc.loops.language import (
    Compute,
    Immediate,
    Load,
    Loop,
    Nest,
    Positions,
    Share,
    Statement,
    Store,
)
from chainc.loops.values import (
    Address,
    Affine,
    Bound,
    Index,
    Kind,
    Parameter,
    Register,
    Rows,
    Variable,
)

Known = dict[Variable, int]
BETWEEN = {"minimum": min, "maximum": max}  # what bounds are computed with


@dataclass(frozen=True)
class Touch:
    """Elements of a parameter that are loaded or stored at once."""

    parameter: Parameter
    positions: tuple[int, ...]
    stored: bool


@dataclass(frozen=True)
class Call:
    """Arguments that every kernel gets."""

    rows: int = 1
    thread: int = 0
    threads: int = 1


def touches(nest: Nest, call: Call) -> Iterator[Touch]:
    """Every access to memory, in order."""
    yield from _run(nest.body, call, {})


def _run(body: Iterable[Statement], call: Call, known: Known) -> Iterator[Touch]:
    for statement in body:
        if isinstance(statement, Loop):
            yield from _loop(statement, call, known)
        elif isinstance(statement, Share):
            _share(statement, call, known)
        elif isinstance(statement, Positions | Immediate | Compute):
            _number(statement, known)
        elif isinstance(statement, Load):
            yield _touch(statement.address, statement.out.kind.lanes, known, stored=False)
        elif isinstance(statement, Store):
            yield _touch(statement.address, statement.value.kind.lanes, known, stored=True)


def _loop(loop: Loop, call: Call, known: Known) -> Iterator[Touch]:
    index, stop = _bound(loop.start, call, known), _bound(loop.stop, call, known)
    while index + loop.step <= stop:
        known[loop.index] = index
        yield from _run(loop.body, call, known)
        index += loop.step
    known[loop.index] = index


def _share(share: Share, call: Call, known: Known) -> None:
    stop = _bound(share.stop, call, known)
    grains = -(-stop // share.grain)
    known[share.low] = grains * call.thread // call.threads * share.grain
    known[share.high] = min(grains * (call.thread + 1) // call.threads * share.grain, stop)


def _number(statement: Positions | Immediate | Compute, known: Known) -> None:
    """One that bounds are computed from."""
    if statement.out.kind != Kind(int64):
        return
    match statement:
        case Positions():
            known[statement.out] = _value(statement.position, known)
        case Immediate():
            known[statement.out] = int(statement.value)
        case Compute(primitive=primitive) if primitive in BETWEEN:
            known[statement.out] = BETWEEN[primitive](known[each] for each in statement.operands)
        case _:
            pass


def _bound(bound: Bound, call: Call, known: Known) -> int:
    if isinstance(bound, Index | Register):
        return known[bound]
    if isinstance(bound, Rows):
        count = bound.multiple * call.rows
        return -(-count // bound.rounded) * bound.rounded
    return bound


def _touch(address: Address, lanes: int, known: Known, *, stored: bool) -> Touch:
    start = _value(address.position, known)
    positions = tuple(
        start + lane * address.stride for lane in range(min(address.first or lanes, lanes))
    )
    return Touch(address.parameter, positions, stored)


def _value(position: Affine, known: Known) -> int:
    return position.constant + sum(known[variable] * n for variable, n in position.terms)


def loops_of(body: Iterable[Statement], depth: int = 0) -> Iterator[str]:
    """Each loop on a line, those inside it further to the right."""
    for statement in body:
        if isinstance(statement, Loop):
            yield "  " * depth + _head(statement)
            yield from loops_of(statement.body, depth + 1)


def _head(loop: Loop) -> str:
    bounds = [each.name if isinstance(each, Index) else each for each in (loop.start, loop.stop)]
    step = f" by {loop.step}" if loop.step > 1 else ""
    carried = f" carrying {len(loop.carried)}" if loop.carried else ""
    return f"for {loop.index.name} in {bounds[0]}..{bounds[1]}{step}{carried}"
