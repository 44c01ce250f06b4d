"""Lines that repeat with steady numbers, printed once.

x0 = load x[k]                      unrolled for u in 0..3:
sum0 = fma(x0, w, sum0)                 x{u} = load x[k + 784*u]
x1 = load x[k + 784]          →         sum{u} = fma(x{u}, w, sum{u})
sum1 = fma(x1, w, sum1)
…
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from chainc.dataclass import dataclass
from chainc.loops.names import Name

LONGEST_PERIOD = 64  # lines
FEWEST_TIMES = 3
INDENT = "    "


@dataclass(frozen=True)
class Offset:
    """The constant of an address: ` + 3` behind other terms, or all there is."""

    value: int
    alone: bool

    def __str__(self) -> str:
        if self.alone:
            return str(self.value)
        return _signed(self.value)


@dataclass(frozen=True)
class Steady:
    """A name or an offset whose number grows by a step with each counter."""

    first: Name | Offset
    steps: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        first = self.first
        if isinstance(first, Name):
            number = "".join(_term(step, counter) for counter, step in self.steps)
            linear = (number + _signed(first.number or 0)).replace(" ", "").removeprefix("+")
            return f"{first.stem}{{{linear}}}"
        moving = "".join(_term(step, f"*{counter}") for counter, step in self.steps)
        if first.alone:
            moving = moving.removeprefix(" + ").replace(" - ", "-", 1 if moving[1] == "-" else 0)
        return moving + _signed(first.value)


@dataclass(frozen=True)
class PartMark:
    """For which part of a kernel a line is; that is not printed."""

    part: int | None

    def __str__(self) -> str:
        return ""


Piece = str | Name | Offset | Steady | PartMark
Line = tuple[Piece, ...]


@dataclass(frozen=True)
class Block:
    """Lines under a heading."""

    head: Line
    body: Sequence[Line | Block]


@dataclass(frozen=True)
class Rendered:
    """A line of text, and for which part of the kernel it is."""

    text: str
    part: int | None


def rendered(lines: Sequence[Line | Block], indent: str = "") -> Iterator[Rendered]:
    """A heading is for the part for which all below it is."""
    for line in lines:
        if isinstance(line, Block):
            body = list(rendered(line.body, indent + INDENT))
            parts = {below.part for below in body}
            yield Rendered(_text(line.head, indent), parts.pop() if len(parts) == 1 else None)
            yield from body
        else:
            marks = [piece.part for piece in line if isinstance(piece, PartMark)]
            yield Rendered(_text(line, indent), marks[0] if marks else None)


def _text(line: Line, indent: str) -> str:
    return indent + "".join(map(str, line))


def folded(lines: Sequence[Line], counters: Sequence[str]) -> list[Line | Block]:
    """The same lines with repetitions under a heading, each with a counter of its own."""
    found: list[Line | Block] = []
    position = 0
    forms = [tuple(map(_form, line)) for line in lines] if counters else []
    while position < len(lines):
        period, times = _repetition(lines, forms, position) if counters else (1, 1)
        if times < FEWEST_TIMES:
            found.append(lines[position])
            position += 1
            continue
        counter, *inner = counters
        once = lines[position : position + period]
        again = lines[position + period : position + 2 * period]
        body = [_steady(a, b, counter) for a, b in zip(once, again, strict=True)]
        found.append(Block((f"unrolled for {counter} in 0..{times}:",), folded(body, inner)))
        position += period * times
    return found


def _form(piece: Piece) -> Hashable:
    """Equal for pieces of which the one may be the other some steps on."""
    match piece:
        case Name():
            return piece.base
        case Offset():
            return Offset
        case Steady():
            return piece.steps, _form(piece.first)
    return piece


def _repetition(lines: Sequence[Line], forms: Sequence[Hashable], start: int) -> tuple[int, int]:
    """The period that covers most of the lines from `start` on, and how often it occurs."""
    best = (1, 1)
    for period in range(1, min(LONGEST_PERIOD, (len(lines) - start) // FEWEST_TIMES) + 1):
        second, last = start + period, start + (FEWEST_TIMES - 1) * period
        if forms[start:last] != forms[second : last + period]:  # most periods are none
            continue
        times = _times(lines, start, period)
        if times >= FEWEST_TIMES and times * period > best[0] * best[1]:
            best = (period, times)
    return best


def _times(lines: Sequence[Line], start: int, period: int) -> int:
    """How often the next `period` lines occur with steady numbers, one behind the other."""
    steps = [_steps(lines[start + place], lines[start + place + period]) for place in range(period)]
    times = 1
    while start + (times + 1) * period <= len(lines):
        here, there = start + (times - 1) * period, start + times * period
        for place in range(period):
            step = _steps(lines[here + place], lines[there + place])
            if step is None or step != steps[place]:
                return times
        times += 1
    return times


def _steps(a: Line, b: Line) -> tuple[int, ...] | None:
    """By how much each number grows from one line to the other; None if they differ otherwise."""
    if len(a) != len(b):
        return None
    steps = [_step(x, y) for x, y in zip(a, b, strict=True)]
    known = tuple(step for step in steps if step is not None)
    return known if len(known) == len(steps) else None


def _step(a: Piece, b: Piece) -> int | None:
    if a == b:
        return 0
    if isinstance(a, Name) and isinstance(b, Name) and a.base == b.base:
        return None if a.number is None or b.number is None else b.number - a.number
    if isinstance(a, Offset) and isinstance(b, Offset):
        return b.value - a.value
    if isinstance(a, Steady) and isinstance(b, Steady) and a.steps == b.steps:
        return _step(a.first, b.first)
    return None


def _steady(a: Line, b: Line, counter: str) -> Line:
    steps = _steps(a, b) or ()
    return tuple(_moving(piece, step, counter) for piece, step in zip(a, steps, strict=True))


def _moving(piece: Piece, step: int, counter: str) -> Piece:
    if step == 0 or isinstance(piece, str | PartMark):
        return piece
    if isinstance(piece, Steady):
        return Steady(piece.first, (*piece.steps, (counter, step)))
    return Steady(piece, ((counter, step),))


def _term(step: int, counter: str) -> str:
    """` + 3u`, ` - 784*u`."""
    factor = "" if abs(step) == 1 else str(abs(step))
    return f" {'+' if step > 0 else '-'} {factor}{counter if factor else counter.lstrip('*')}"


def _signed(value: int) -> str:
    if value == 0:
        return ""
    return f" + {value}" if value > 0 else f" - {-value}"
