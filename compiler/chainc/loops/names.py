"""Names for the registers and indices of a nest, as a person would choose them.

Registers are written once; what a loop carries is several of them: where it begins, what a pass
sees, what the next one gets, what is left. They get one name when never two of them are needed at
the same time, and so does a sum that goes on:

    following = fma(x, w, current)    reads    sum = fma(x, w, sum)

Names come from what the registers were called for, and are numbered where a scope has several.
A splat has the name of its scalar.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import field
from typing import TypeVar

from chainc.dataclass import dataclass
from chainc.loops.language import (
    Branch,
    Compute,
    Immediate,
    Load,
    Loop,
    Repeat,
    Splat,
    Statement,
    bodies_of,
    statements,
)
from chainc.loops.uses import read, written
from chainc.loops.values import Register, Rows, Variable

# What the result of a primitive is called.
_NOUNS: Mapping[str, str] = {
    "add": "sum",
    "fma": "sum",
    "subtract": "difference",
    "multiply": "product",
    "divide": "quotient",
    "select": "chosen",
    "cast": "converted",
    "bit_and": "masked",
    "bit_xor": "mixed",
    "shift_left": "shifted",
    "shift_right": "shifted",
}


@dataclass(frozen=True)
class Name:
    """A word, and a number where there are several."""

    base: str
    number: int | None = None

    @property
    def stem(self) -> str:
        return f"{self.base}_" if self.base[-1:].isdigit() else self.base

    def __str__(self) -> str:
        return self.base if self.number is None else f"{self.stem}{self.number}"


@dataclass(eq=False)
class _Group:
    """Variables with one name, and when each of them is needed."""

    members: list[Variable]
    spans: list[tuple[int, int]]

    def is_apart(self, other: _Group) -> bool:
        return all(_follow(a, b) for a in self.spans for b in other.spans)

    def is_over(self, later: _Group) -> bool:
        """Is it needed no more when the other is written?"""
        return max(end for _, end in self.spans) <= min(start for start, _ in later.spans)

    @property
    def base(self) -> str:
        words = [member.name for member in self.members if member.name]
        word = words[0] if words else "value"
        return re.sub(r"\W+", "_", _NOUNS.get(word, word))


def _follow(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Is one needed for the last time no later than the other is written?"""
    first, second = sorted((a, b))
    return first[0] < second[0] and first[1] <= second[0]


def first_free(wanted: str, taken: Container[str], separator: str) -> str:
    """A name that is not taken: the wanted one, or with the first number that makes it another."""
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}{separator}{count}"
    return name


def names(body: Sequence[Statement], given: Sequence[Register] = ()) -> Mapping[Variable, Name]:
    """A name for every variable; those of a scope that is left are used again.

    Registers that are given when the body begins have their own.
    """
    spans = _Spans({each.out: each.value for each in _all(body, Splat)})
    spans.begin(given)
    spans.walk(body)
    groups = _grouped(body, spans)
    loaded = {statement.out for statement in _all(body, Load)}
    found: dict[Variable, Name] = {}
    scope = _Scope(groups, spans, loaded, found)
    scope.begin(given)
    scope.walk(body)
    found.update({each: found[one] for each, one in spans.scalars.items() if one in found})
    return found


S = TypeVar("S", bound=Statement)


def _all(body: Iterable[Statement], kind: type[S]) -> Iterator[S]:
    return (statement for statement in statements(body) if isinstance(statement, kind))


def literals(body: Iterable[Statement]) -> Mapping[Register, float | int | bool]:
    """Registers that hold one number in every lane."""
    found: dict[Register, float | int | bool] = {}
    for statement in statements(body):
        if isinstance(statement, Immediate):
            found[statement.out] = statement.value
        elif isinstance(statement, Splat) and statement.value in found:
            found[statement.out] = found[statement.value]
    return found


@dataclass
class _Spans:
    """For each variable, the positions where it is written and where it is needed last."""

    scalars: dict[Register, Register]  # that vectors are splat from
    first: dict[Variable, int] = field(default_factory=dict)
    last: dict[Variable, int] = field(default_factory=dict)
    ends: dict[Loop, int] = field(default_factory=dict)
    clock: int = 0

    def begin(self, given: Iterable[Register]) -> None:
        self._write(given)

    def walk(self, body: Sequence[Statement]) -> None:
        for statement in body:
            self.clock += 1
            self._use(read(statement))
            self._write(written(statement))
            if isinstance(statement, Loop | Repeat):
                self._loop(statement)
            elif isinstance(statement, Branch):
                self._branch(statement)

    def _loop(self, loop: Loop | Repeat) -> None:
        head = self.clock
        self.walk(loop.body)
        self.clock += 1
        self._use(carried.following for carried in loop.carried)
        self._use([loop.again] if isinstance(loop, Repeat) else [])
        for variable, position in self.last.items():
            if position > head and self.first[variable] < head:
                self.last[variable] = self.clock  # needed by every pass
        if isinstance(loop, Loop):
            self._use(bound for bound in (loop.stop,) if not isinstance(bound, int | Rows))
            self.ends[loop] = self.clock
        self._write(carried.result for carried in loop.carried)

    def _branch(self, branch: Branch) -> None:
        """A side without statements comes first: it needs what is kept no longer."""
        thens = (merged.then for merged in branch.merged)
        others = (merged.otherwise for merged in branch.merged)
        sides = [(branch.then, thens), (branch.otherwise, others)]
        for body, values in sorted(sides, key=lambda side: bool(side[0])):
            self.walk(body)
            self.clock += 1
            self._use(values)
        self._write(merged.result for merged in branch.merged)

    def _use(self, variables: Iterable[Variable]) -> None:
        for variable in variables:
            self.last[self.source(variable)] = self.clock

    def _write(self, variables: Iterable[Variable]) -> None:
        for variable in variables:
            if variable not in self.scalars:
                self.first[variable] = self.last[variable] = self.clock

    def source(self, variable: Variable) -> Variable:
        """What the name stands for."""
        while isinstance(variable, Register) and variable in self.scalars:
            variable = self.scalars[variable]
        return variable

    def outlives(self, loop: Loop) -> bool:
        """Is the loop's index needed after it?"""
        return self.last[loop.index] > self.ends[loop]


def _grouped(body: Sequence[Statement], spans: _Spans) -> dict[Variable, _Group]:
    groups = {
        variable: _Group([variable], [(start, spans.last[variable])])
        for variable, start in spans.first.items()
    }
    for known in literals(body):
        groups.pop(known, None)
    for loop in statements(body):
        for carried in loop.carried if isinstance(loop, Loop | Repeat) else ():
            for other in (carried.result, carried.initial, carried.following):
                _join(groups, carried.current, spans.source(other))
    for branch in _all(body, Branch):
        for merged in branch.merged:
            for value in (merged.otherwise, merged.then):
                _join(groups, merged.result, spans.source(value))
    for compute in _all(body, Compute):
        if compute.primitive == "fma":
            _join(groups, spans.source(compute.operands[2]), compute.out)
    return groups


def _join(groups: dict[Variable, _Group], a: Variable, b: Variable) -> None:
    if a not in groups or b not in groups or groups[a] is groups[b]:
        return
    if not groups[a].is_apart(groups[b]):
        return
    one, other = groups[a], groups[b]
    one.members += other.members
    one.spans += other.spans
    for member in other.members:
        groups[member] = one


@dataclass
class _Scope:
    """The names that can be seen where a body is, with the next number of each word."""

    groups: Mapping[Variable, _Group]
    spans: _Spans
    loaded: Set[Variable]
    found: dict[Variable, Name]
    taken: dict[str, int] = field(default_factory=dict)

    def begin(self, given: Iterable[Register]) -> None:
        self._name(given)

    def walk(self, body: Sequence[Statement]) -> None:
        self._name(variable for statement in body for variable in self._own(statement))
        for statement in body:
            for inside in bodies_of(statement):
                inner = _Scope(self.groups, self.spans, self.loaded, self.found, dict(self.taken))
                if isinstance(statement, Loop) and not self.spans.outlives(statement):
                    inner._name([statement.index])
                inner.walk(inside)

    def _own(self, statement: Statement) -> Iterable[Variable]:
        """What can be seen after the statement."""
        if isinstance(statement, Branch):
            yield from (merged.result for merged in statement.merged)
        for variable in written(statement):
            if (
                not isinstance(statement, Loop)
                or variable is not statement.index
                or self.spans.outlives(statement)
            ):
                yield variable

    def _name(self, variables: Iterable[Variable]) -> None:
        known = (self.groups[each] for each in variables if each in self.groups)
        new = [each for each in dict.fromkeys(known) if each.members[0] not in self.found]
        by_base: dict[str, list[_Group]] = {}
        for group in new:
            by_base.setdefault(group.base, []).append(group)
        for base, groups in by_base.items():
            self._number(base, groups)

    def _number(self, base: str, groups: Sequence[_Group]) -> None:
        """What is loaded gets the number of a load that is needed no more, if there is one."""
        first = self.taken.get(base, 0)
        holders: list[_Group] = []
        numbers: dict[_Group, int] = {}
        for group in groups:
            number = next((n for n, one in enumerate(holders) if self._gives_way(one, group)), None)
            if number is None:
                number = len(holders)
                holders.append(group)
            holders[number] = group
            numbers[group] = number
        self.taken[base] = first + len(holders)
        several = first > 0 or len(holders) > 1
        for group, number in numbers.items():
            name = Name(base, first + number if several else None)
            self.found.update(dict.fromkeys(group.members, name))

    def _gives_way(self, old: _Group, new: _Group) -> bool:
        return self._is_load(old) and self._is_load(new) and old.is_over(new)

    def _is_load(self, group: _Group) -> bool:
        return len(group.members) == 1 and group.members[0] in self.loaded
