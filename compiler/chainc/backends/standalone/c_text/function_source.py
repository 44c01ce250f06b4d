"""A function as C source: its kernels and the values of its slots, and what the header declares."""

from __future__ import annotations

from chainc.backends.c.file import CFile
from chainc.backends.standalone.c_text.functions import functions
from chainc.backends.standalone.function_library import (
    ENTRIES,
    FunctionInterface,
    PlannedFunction,
    outside,
)
from chainc.dataclass import dataclass


@dataclass(frozen=True)
class FunctionText:
    """A file of C, and what its header must say."""

    text: str
    interface: FunctionInterface


def function_source(plan: PlannedFunction) -> FunctionText:
    """The file of a function."""
    name, entries = plan.wanted.name, plan.code.entries
    file = CFile((), reserved=[f"{name}_{each}" for each in ENTRIES])
    for routine in (*entries["bind"], *entries["run"]):
        file.routine(routine)
    interface = plan.interface(file.text())
    seen = outside(plan, interface)
    called = {each.routine.name: file.routine(each.routine) for each in seen}
    return FunctionText("\n".join([file.text(), *functions(name, seen, called)]), interface)
