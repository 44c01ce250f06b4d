"""Sequences of calls that are made again and again with other buffers: the layers of a network."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from chainc.dataclass import dataclass

LONGEST = 128  # calls of a sequence: a layer of a transformer has some forty on the way back
LEAST = 8  # times that it is made
FEWER = 3  # times are enough
MANY = 64  # where there are so many calls in all


@dataclass(frozen=True)
class Stretch:
    """Calls from `start` on: `count` times a sequence of `length`, or `length` different ones."""

    start: int
    length: int
    count: int = 1


def stretches(calls: Sequence[Hashable | None]) -> Iterator[Stretch]:
    """All calls in order; equal ones differ in their buffers alone, None is like no other."""
    following = _following(calls)
    start = position = 0
    while position < len(calls):
        length, count = _repeated(calls, position, following)
        if count == 1:
            position += 1
            continue
        if start < position:
            yield Stretch(start, position - start)
        yield Stretch(position, length, count)
        start = position = position + length * count
    if start < len(calls):
        yield Stretch(start, len(calls) - start)


def _following(calls: Sequence[Hashable | None]) -> Sequence[int]:
    """Of each call where the next equal one is, or the end."""
    last: dict[Hashable, int] = {}
    found = [len(calls)] * len(calls)
    for position in reversed(range(len(calls))):
        call = calls[position]
        if call is not None:
            found[position] = last.get(call, len(calls))
            last[call] = position
    return found


def _repeated(
    calls: Sequence[Hashable | None], first: int, following: Sequence[int]
) -> tuple[int, int]:
    """The sequence that begins here and covers most calls: its length, and how often it comes."""
    best = (1, 1)
    again = following[first]
    while again < min(len(calls), first + LONGEST + 1):
        length = again - first
        count = _count(calls, first, length)
        enough = count >= LEAST or (count >= FEWER and length * count >= MANY)
        if enough and length * count > best[0] * best[1]:
            best = length, count
        again = following[again]
    return best


def _count(calls: Sequence[Hashable | None], first: int, length: int) -> int:
    end = first + length
    while end < len(calls) and calls[end] is not None and calls[end] == calls[end - length]:
        end += 1
    return (end - first) // length
