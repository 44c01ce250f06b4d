"""Which variables a statement gives a value, which values it needs, and for which part it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainc.loops.language import (
    Acquire,
    Across,
    Barrier,
    Branch,
    Call,
    Clock,
    Compute,
    Data,
    Entry,
    Fail,
    Immediate,
    Immediates,
    Lane,
    Leave,
    Load,
    Loop,
    Missing,
    Pause,
    Positions,
    Prefetch,
    Release,
    Repeat,
    RowCount,
    RuntimeCall,
    Share,
    Shuffle,
    Somewhere,
    Splat,
    Statement,
    Store,
    Table,
    Transpose,
    Within,
)
from chainc.loops.values import Affine, Bound, Register, Rows, Variable


def part_of(statement: Statement) -> int | None:
    """For which part of the kernel a statement is; None for what serves all of it."""
    match statement:
        case Store() | Release():
            return statement.value.part
        case Transpose() | RuntimeCall():
            return statement.outs[0].part
        case Prefetch() | Fail() | Share() | Loop() | Branch() | Repeat() | Barrier() | Call():
            return None
        case Within() | Entry() | Table() | Data() | Leave() | Pause():
            return None
    return statement.out.part


def written(statement: Statement) -> Sequence[Variable]:
    """The variables that a statement gives a value; of a loop, those it carries and its index."""
    match statement:
        case Store() | Release() | Prefetch() | Fail() | Branch():
            return ()
        case Within() | Entry() | Table() | Data() | Barrier() | Leave() | Pause():
            return ()
        case Transpose() | RuntimeCall():
            return statement.outs
        case Share():
            return (statement.low, statement.high)
        case Loop():
            return (statement.index, *(carried.current for carried in statement.carried))
        case Repeat():
            return tuple(carried.current for carried in statement.carried)
        case Call():
            return () if statement.out is None else (statement.out,)
        case _:
            return (statement.out,)


def read(statement: Statement) -> Iterable[Variable]:
    """The variables whose values a statement needs; of a loop or branch, at its beginning."""
    match statement:
        case Compute() | RuntimeCall():
            return statement.operands
        case Splat() | Lane() | Across() | Somewhere():
            return (statement.value,)
        case Shuffle() | Transpose():
            return statement.values
        case Fail() | Branch():
            return (statement.condition,)
        case Loop():
            return (*_initial(statement), *_variables(statement.start, statement.stop))
        case Repeat():
            return _initial(statement)
        case Share():
            return _variables(statement.stop)
        case Barrier():
            return (statement.thread, statement.threads)
        case Call():
            return (each for each in statement.arguments if isinstance(each, Register))
        case _:
            return _positioned(statement)


def _positioned(
    statement: Load
    | Store
    | Acquire
    | Release
    | Prefetch
    | Positions
    | Within
    | Entry
    | Table
    | Data
    | Missing
    | Pause
    | Immediate
    | Immediates
    | RowCount
    | Clock
    | Leave,
) -> Iterable[Variable]:
    match statement:
        case Load() | Acquire() | Prefetch():
            return _of(statement.address.position)
        case Store() | Release():
            return (statement.value, *_of(statement.address.position))
        case Leave():
            return (statement.condition, statement.value)
        case Positions():
            return _of(statement.position)
        case Within():
            return _of(statement.offset)
        case Entry():
            return _of(statement.position)
        case Immediate() | Immediates() | RowCount() | Clock() | Pause():
            return ()
        case Table() | Data() | Missing():
            return ()


def _initial(statement: Loop | Repeat) -> Sequence[Variable]:
    return [carried.initial for carried in statement.carried]


def _of(position: Affine) -> Iterable[Variable]:
    return (variable for variable, _ in position.terms)


def _variables(*bounds: Bound) -> Iterable[Variable]:
    return (bound for bound in bounds if not isinstance(bound, int | Rows))
