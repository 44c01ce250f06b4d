"""What of a body is needed: C compilers complain of values that nobody reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Set

from chainc.loops.language import (
    Acquire,
    Barrier,
    Branch,
    Call,
    Data,
    Entry,
    Fail,
    Leave,
    Loop,
    Pause,
    Prefetch,
    Release,
    Repeat,
    Share,
    Statement,
    Store,
    Table,
    Within,
    statements,
)
from chainc.loops.uses import read, written
from chainc.loops.values import Variable

_LASTING = (Store, Prefetch, Fail, Share, Acquire, Release, Pause, Barrier, Call, Leave)


Reads = Callable[[Statement], Iterable[Variable]]


def needed(
    body: Sequence[Statement], results: Iterable[Variable] = (), reads: Reads = read
) -> Set[Variable]:
    """The variables from which something follows that lasts."""
    everything, found, before = list(statements(body)), set(results), -1
    while len(found) != before:
        before = len(found)
        for statement in reversed(everything):
            found.update(_asked_for(statement, found, reads))
    return found


def is_idle(statement: Statement, wanted: Set[Variable]) -> bool:
    """Does nothing follow from it?"""
    if isinstance(statement, (*_LASTING, Loop, Repeat, Branch, Within, Entry, Table, Data)):
        return False
    return not any(each in wanted for each in written(statement))


def _asked_for(statement: Statement, wanted: Set[Variable], reads: Reads) -> Iterator[Variable]:
    """What it needs, if it is needed itself."""
    match statement:
        case Loop() | Repeat():
            for carried in statement.carried:
                if carried.current in wanted or carried.result in wanted:
                    yield from (carried.initial, carried.current, carried.following)
            if isinstance(statement, Repeat):
                yield statement.again
            else:
                yield from _bounds(statement)
        case Branch():
            yield statement.condition
            for merged in statement.merged:
                if merged.result in wanted:
                    yield from (merged.then, merged.otherwise)
        case _:
            if not is_idle(statement, wanted):
                yield from reads(statement)


def _bounds(loop: Loop) -> Iterator[Variable]:
    initial = {carried.initial for carried in loop.carried}
    for variable in read(loop):
        if variable not in initial or variable in (loop.start, loop.stop):
            yield variable


def readings(body: Sequence[Statement]) -> Counter[Variable]:
    """How often each variable is read."""
    found: Counter[Variable] = Counter()
    for statement in statements(body):
        found.update(read(statement))
        if isinstance(statement, Loop | Repeat):
            found.update(carried.following for carried in statement.carried)
        if isinstance(statement, Repeat):
            found[statement.again] += 1
        if isinstance(statement, Branch):
            for merged in statement.merged:
                found.update((merged.then, merged.otherwise))
    return found
