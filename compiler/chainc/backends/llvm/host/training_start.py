"""A training as it starts: made of its loop, or with the code that an earlier process has kept.

What lowers and prints is imported when code has to be made: not where it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from chainc.backends import compiled_cache, records
from chainc.backends.llvm.arena import arrays_found
from chainc.backends.llvm.host.memory import LoopCode
from chainc.backends.llvm.host.training import ENTRIES, NativeTraining, threads_for
from chainc.backends.llvm.machine_code.code import NativeCode
from chainc.backends.llvm.machine_code.emission import object_files
from chainc.backends.llvm.machine_code.jit import (
    Functions,
    identity,
    kept_objects,
    loaded,
    machine_code,
)
from chainc.backends.llvm.places import KeptTraining, LoopPlaces, findable
from chainc.backends.llvm.processors.native import host
from chainc.backends.signature import Signature
from chainc.backends.target import ExecutableTraining, Known
from chainc.dataclass import dataclass
from chainc.ir.types import Array

if TYPE_CHECKING:
    from chainc.backends.llvm.training_code import TrainingCode
    from chainc.backends.storage import Storage
    from chainc.lowering.program import TrainingLoop
    from chainc.schedules.program.failures import Failures

EVALUATION = "evaluate.all"  # the function that is compiled when it is first needed


@dataclass(frozen=True, eq=False)
class KeptLoop:
    """The code of a loop that an earlier process has made; `make` makes it again, to be shown."""

    places: LoopPlaces
    outside: tuple[Array, ...]
    make: Callable[[], TrainingCode]

    @cached_property
    def whole(self) -> TrainingCode:
        """The same with its text."""
        return self.make()

    @property
    def failures(self) -> Failures:
        """What the codes mean that a run may leave."""
        return self.whole.failures


@dataclass(frozen=True, eq=False)
class Objects:
    """The object files of a loop: what trains, and what evaluates, made when it is first needed."""

    key: str
    code: Callable[[], TrainingCode]

    @cached_property
    def train(self) -> Sequence[bytes]:
        """They call what evaluates, and are linked without it where that is not reached."""
        return kept_objects(
            f"{self.key}-train", lambda: object_files(WhatTrains(self.code()), host())
        )

    @cached_property
    def evaluation(self) -> Sequence[bytes]:
        """What evaluates, as one: its kernels may have the names of those that train."""
        return kept_objects(
            f"{self.key}-evaluation",
            lambda: [machine_code(self.code().evaluation_module.text(), host())],
        )

    def library(self, *, evaluates: bool) -> Functions:
        """What trains, with what evaluates too or without it."""
        if not evaluates:
            return loaded(self.train, ENTRIES, absent=[EVALUATION])
        return loaded([*self.train, *self.evaluation], ENTRIES)


@dataclass(frozen=True, eq=False)
class WhatTrains:
    """Of a loop, which may still have to be written."""

    code: TrainingCode

    def text(self) -> str:
        """As one module."""
        return self.code.train_module.text()

    def hand_over(self, size: int, take: Callable[[str], None]) -> None:
        """In parts."""
        self.code.hand_over(size, take)


Executable = Callable[
    [LoopCode, str, int, Callable[[], "TrainingCode"]], ExecutableTraining
]  # of a loop by its fingerprint, for some threads, and its text where that is needed


def started(
    known: Known, make: Callable[[], TrainingLoop], threads: int | None
) -> tuple[Signature, ExecutableTraining]:
    """A training of this process; it is kept for others."""
    return started_as(_executable, (), known, make, threads)


def started_as(
    executable: Executable,
    further: Sequence[str],
    known: Known,
    make: Callable[[], TrainingLoop],
    threads: int | None,
) -> tuple[Signature, ExecutableTraining]:
    """The same where the code is not all that LLVM makes: `further` is what it depends on, too."""
    choice = f"{threads_for(threads)} {threads is None}"
    name = f"training-{compiled_cache.key(known.key, *identity(host()), choice, *further)}"
    kept = records.kept(KeptTraining, name)
    outside = None if kept is None else arrays_found(kept.places.outside, known.constants)
    if kept is not None and outside is not None:
        again = KeptLoop(kept.places, outside, lambda: _code(make(), kept.threads))
        return kept.signature, executable(again, kept.code, kept.threads, lambda: again.whole)
    loop = make()
    code = written(loop, threads)
    signature, places = Signature.of_training(loop), code.places
    made = executable(code, code.fingerprint, code.threads, lambda: code)
    if findable(places.outside, known.constants):
        records.keep(name, KeptTraining(signature, places, code.threads, code.fingerprint))
    return signature, made


def written(loop: TrainingLoop, threads: int | None) -> TrainingCode:
    """The code of a loop, for as many threads as are of use.

    Raises:
        GraphError: a view depends on the number of rows as native code cannot have it.
    """
    from chainc.backends.llvm.training_code import worth_sharing

    return _code(loop, threads_for(threads if threads is not None or worth_sharing(loop) else 1))


def made(code: TrainingCode) -> ExecutableTraining:
    """What runs it; an object file that the cache has is not compiled again."""
    return _executable(code, code.fingerprint, code.threads, lambda: code)


def _code(loop: TrainingLoop, threads: int) -> TrainingCode:
    from chainc.backends.llvm.training_code import training_code
    from chainc.schedules.program.memory import MOST_IN_CODE

    return training_code(loop, host(), threads, most_in_code=MOST_IN_CODE)


def _executable(
    code: LoopCode, key: str, threads: int, whole: Callable[[], TrainingCode]
) -> ExecutableTraining:
    objects = Objects(key, whole)
    runner = NativeTraining(
        code, objects.library(evaluates=False), threads, lambda: objects.library(evaluates=True)
    )
    return ExecutableTraining(runner, NativeCode(whole, lambda: _storage(whole()), host()))


def _storage(code: TrainingCode) -> Storage:
    from chainc.backends.llvm.host.storage import storage_of_training

    return storage_of_training(code)
