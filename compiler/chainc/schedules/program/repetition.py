"""Sequences of calls that are made again and again with other buffers: the layers of a network."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from chainc.dataclass import dataclass

LONGEST = 8  # calls of a sequence: a layer on the way back has three, its first values five
LEAST = 8  # times that it is made


@dataclass(frozen=True)
class Stretch:
    """Calls from `start` on: `count` times a sequence of `length`, or `length` different ones."""

    start: int
    length: int
    count: int = 1


def stretches(calls: Sequence[Hashable | None]) -> Iterator[Stretch]:
    """All calls in order; equal ones differ in their buffers alone, None is like no other."""
    start = position = 0
    while position < len(calls):
        length, count = _repeated(calls, position)
        if count < LEAST:
            position += 1
            continue
        if start < position:
            yield Stretch(start, position - start)
        yield Stretch(position, length, count)
        start = position = position + length * count
    if start < len(calls):
        yield Stretch(start, len(calls) - start)


def _repeated(calls: Sequence[Hashable | None], first: int) -> tuple[int, int]:
    """The sequence that begins here and covers most calls: its length, and how often it comes."""
    counts = [(length, _count(calls, first, length)) for length in range(1, LONGEST + 1)]
    return max(counts, key=lambda found: found[0] * found[1] if found[1] >= LEAST else 0)


def _count(calls: Sequence[Hashable | None], first: int, length: int) -> int:
    if None in calls[first : first + length]:
        return 1
    end = first + length
    while end < len(calls) and calls[end] == calls[end - length]:
        end += 1
    return (end - first) // length
