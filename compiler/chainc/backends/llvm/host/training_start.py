"""A training as it starts: made of its loop, or with the code that an earlier process has kept.

What lowers and prints is imported when code has to be made: not where it is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from chainc.backends import compiled_cache, records
from chainc.backends.llvm.arena import arrays_found
from chainc.backends.llvm.host.memory import LoopCode
from chainc.backends.llvm.host.training import ENTRIES, NativeTraining, threads_for
from chainc.backends.llvm.machine_code.code import NativeCode
from chainc.backends.llvm.machine_code.jit import (
    Library,
    identity,
    kept_object,
    machine_code,
    object_of,
)
from chainc.backends.llvm.places import KeptTraining, LoopPlaces, findable
from chainc.backends.llvm.processor import host
from chainc.backends.signature import Signature
from chainc.backends.target import ExecutableTraining, Known
from chainc.ir.types import Array

if TYPE_CHECKING:
    from chainc.backends.llvm.training_code import TrainingCode
    from chainc.backends.storage import Storage
    from chainc.lowering.program import TrainingLoop
    from chainc.schedules.program.failures import Failures


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


@dataclass(frozen=True)
class Made:
    """A training whose code was made in this process."""

    code: TrainingCode
    object_file: bytes

    @property
    def executable(self) -> ExecutableTraining:
        """What runs it."""
        return _executable(self.code, self.object_file, self.code.threads, lambda: self.code)


def started(
    known: Known, make: Callable[[], TrainingLoop], threads: int | None
) -> tuple[Signature, ExecutableTraining]:
    """A training of this process; it is kept for others."""
    choice = f"{threads_for(threads)} {threads is None}"
    name = f"training-{compiled_cache.key(known.key, *identity(host()), choice)}"
    kept = records.kept(KeptTraining, name)
    found = None if kept is None else _found(kept, known, make)
    if kept is not None and found is not None:
        return kept.signature, found
    loop = make()
    fresh = made(loop, threads)
    signature, places = Signature.of_training(loop), fresh.code.places
    if findable(places.outside, known.constants):
        records.keep(
            name, KeptTraining(signature, places, fresh.code.threads, fresh.code.fingerprint)
        )
    return signature, fresh.executable


def made(loop: TrainingLoop, threads: int | None) -> Made:
    """Of a loop; an object file that the cache has is not compiled again."""
    from chainc.backends.llvm.training_code import worth_sharing

    used = threads_for(threads if threads is not None or worth_sharing(loop) else 1)
    code = _code(loop, used)
    return Made(code, kept_object(code.fingerprint, lambda: machine_code(code.text, host())))


def _code(loop: TrainingLoop, threads: int) -> TrainingCode:
    from chainc.backends.llvm.training_code import training_code
    from chainc.schedules.program.memory import MOST_IN_CODE

    return training_code(loop, host(), threads, most_in_code=MOST_IN_CODE)


def _found(
    kept: KeptTraining, known: Known, make: Callable[[], TrainingLoop]
) -> ExecutableTraining | None:
    """None if some of what belongs to it is not there any more."""
    object_file = object_of(kept.code)
    outside = arrays_found(kept.places.outside, known.constants)
    if object_file is None or outside is None:
        return None
    code = KeptLoop(kept.places, outside, lambda: _code(make(), kept.threads))
    return _executable(code, object_file, kept.threads, lambda: code.whole)


def _executable(
    code: LoopCode, object_file: bytes, threads: int, whole: Callable[[], TrainingCode]
) -> ExecutableTraining:
    runner = NativeTraining(code, Library(object_file, ENTRIES), threads)
    return ExecutableTraining(runner, NativeCode(whole, lambda: _storage(whole()), host()))


def _storage(code: TrainingCode) -> Storage:
    from chainc.backends.llvm.host.storage import storage_of_training

    return storage_of_training(code)
