"""The name of the variable that a call's result is about to be assigned to."""

from __future__ import annotations

import dis
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from types import CodeType, FrameType

_LOADS_NAME = ("LOAD_NAME", "LOAD_FAST", "LOAD_GLOBAL", "LOAD_DEREF")


def variable_assigned_from(frame: FrameType) -> str | None:
    """`model` while `frame` evaluates the call in `model = nn.Linear(3, 4)`.

    Read from the instruction after the call; None where the result goes elsewhere, or where this
    Python compiles an assignment in a way not known here.
    """
    instructions = _instructions(frame.f_code)
    after = bisect_right(instructions, frame.f_lasti, key=lambda each: each.offset)
    return _stored_name(instructions[after:])


@lru_cache(maxsize=64)
def _instructions(code: CodeType) -> Sequence[dis.Instruction]:
    """Of a function, once, however many layers it makes."""
    return [each for each in dis.get_instructions(code) if each.opname != "EXTENDED_ARG"]


def _stored_name(following: Sequence[dis.Instruction]) -> str | None:
    """`x` for STORE_FAST x; `layer` for LOAD_FAST self, STORE_ATTR layer."""
    if not following:
        return None
    first = following[0]
    if first.opname.startswith("STORE_FAST"):
        # before 3.13: "x"; since: ("x", "y") where a store or load of y was joined to it
        return first.argval if isinstance(first.argval, str) else str(first.argval[0])
    if first.opname in ("STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"):
        return str(first.argval)
    if not first.opname.startswith(_LOADS_NAME):
        return None
    return _stored_attribute(following[1:])


def _stored_attribute(following: Sequence[dis.Instruction]) -> str | None:
    for instruction in following:
        if instruction.opname == "STORE_ATTR":
            return str(instruction.argval)
        if instruction.opname != "LOAD_ATTR":
            return None
    return None
