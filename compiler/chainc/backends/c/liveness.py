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
_NEVER_IDLE = (*_LASTING, Loop, Repeat, Branch, Within, Entry, Table, Data)

Reads = Callable[[Statement], Iterable[Variable]]


def needed(
    body: Sequence[Statement], results: Iterable[Variable] = (), reads: Reads = read
) -> Set[Variable]:
    """The variables from which something follows that lasts."""
    left, found, before = list(statements(body))[::-1], set(results), -1
    while len(found) != before:
        before = len(found)
        left = [each for each in left if not _is_done(each, found, reads)]
    return found


def _is_done(statement: Statement, found: set[Variable], reads: Reads) -> bool:
    """Add what it needs: is that all it may ever need?"""
    if isinstance(statement, Loop | Repeat | Branch):
        found.update(_asked_for(statement, found))
        return False
    if is_idle(statement, found):
        return False
    found.update(reads(statement))
    return True


def is_idle(statement: Statement, wanted: Set[Variable]) -> bool:
    """Does nothing follow from it?"""
    return not isinstance(statement, _NEVER_IDLE) and wanted.isdisjoint(written(statement))


def _asked_for(statement: Loop | Repeat | Branch, wanted: Set[Variable]) -> Iterator[Variable]:
    """What it needs of what is around it and inside, for what is wanted of it."""
    if isinstance(statement, Branch):
        yield statement.condition
        for merged in statement.merged:
            if merged.result in wanted:
                yield from (merged.then, merged.otherwise)
        return
    for carried in statement.carried:
        if carried.current in wanted or carried.result in wanted:
            yield from (carried.initial, carried.current, carried.following)
    if isinstance(statement, Repeat):
        yield statement.again
    else:
        yield from _bounds(statement)


def _bounds(loop: Loop) -> Iterator[Variable]:
    initial = {carried.initial for carried in loop.carried}
    for variable in read(loop):
        if variable not in initial or variable in (loop.start, loop.stop):
            yield variable


def readings(body: Sequence[Statement]) -> Counter[Variable]:
    """How often each variable is read."""
    return Counter(each for statement in statements(body) for each in _all_read(statement))


def _all_read(statement: Statement) -> Iterable[Variable]:
    """By the statement, and by what hands values on from inside of it."""
    if not isinstance(statement, Loop | Repeat | Branch):
        return read(statement)
    found = [*read(statement)]
    if isinstance(statement, Branch):
        for merged in statement.merged:
            found += merged.then, merged.otherwise
        return found
    found += [carried.following for carried in statement.carried]
    return [*found, statement.again] if isinstance(statement, Repeat) else found
