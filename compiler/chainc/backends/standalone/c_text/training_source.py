"""A training as C source: its kernels and routines, and behind them what the header declares."""

from __future__ import annotations

from collections.abc import Iterator

from chainc.backends.c.file import CFile
from chainc.backends.standalone.c_text.functions import functions
from chainc.backends.standalone.interface import Interface
from chainc.backends.standalone.library import Planned
from chainc.dataclass import dataclass
from chainc.loops.language import Routine


@dataclass(frozen=True)
class Source:
    """A file of C, and what its header must say."""

    text: str
    interface: Interface
    version: str


def training_source(plan: Planned) -> Source:
    """The file of a training."""
    interface = plan.interface
    shown = (*interface.functions, "data", "job")
    file = CFile((), reserved=[f"{interface.name}_{each}" for each in shown])
    for routine in _routines(plan):
        file.routine(routine)
    version = plan.version(file.text())
    seen = plan.outside(version)
    called = {each.routine.name: file.routine(each.routine) for each in seen}
    text = "\n".join([file.text(), *functions(interface.name, seen, called)])
    return Source(text, interface, version)


def _routines(plan: Planned) -> Iterator[Routine]:
    """What the functions call."""
    yield plan.first
    for pair in plan.exchange:
        yield from pair
    yield plan.code.written.loop.train
    yield from (plan.job, plan.step, plan.means)
    if plan.predict is not None:
        yield plan.predict
