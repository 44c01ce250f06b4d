"""What can be called between epochs, and what it sees.

A run without callbacks never leaves compiled code; with them it comes back when the turn of one
has come: see `turns.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from chainc.ir.errors import InputError, StateError
from chainc.ir.types import Array
from chainrule.compiled.state import State, holding
from chainrule.declare.arguments import count, several
from chainrule.reports.columns import Value


@dataclass(frozen=True)
class FinishedEpoch:
    """What a callback sees.

    One that is called after steps may see it in the middle of an epoch: number and values are those
    of the last epoch that is finished, 0 and none before the first; the state is that of now.

    Attributes:
        number: of the epochs that are finished, with those of the run that this one resumes.
        of: how many were asked for.
        values: what the epoch reported, by name.
    """

    number: int
    of: int
    values: Mapping[str, Value]
    _state: Mapping[str, Array] = field(repr=False)

    @property
    def state(self) -> State:
        """A copy of all slots as they are now, after the epoch."""
        return holding({name: np.array(value) for name, value in self._state.items()})


class Callback(Protocol):
    """Anything that can be called after an epoch; True ends the run.

    It may also have `every`, after how many epochs it is called, or `every_steps`, after how many
    steps instead; `left_out`, how many of these times it need not be called before the next, which
    counts if all callbacks have it, for others may end the run; `begin`, which is called before
    anything runs; and `end`, which is called when the run is over, whatever has ended it.
    """

    def __call__(self, epoch: FinishedEpoch) -> bool | None: ...


def checked_callbacks(given: Sequence[Callback]) -> tuple[Callback, ...]:
    """Refuse what cannot be called, and let each find out whether it can do its work.

    Raises:
        InputError: something cannot be called, or its `every` or `every_steps` is no number.
        StateError: a file could not be written.
    """
    hint = "give a list of functions of an epoch, such as [cr.TimeLimit(60)]"
    chosen: list[Callback] = []
    for callback in several("run", "callbacks", given, hint=hint):
        if not callable(callback) or isinstance(callback, type):
            raise _no_callback(callback)
        for name in ("every", "every_steps"):
            if (every := getattr(callback, name, None)) is not None:
                count("run", f"{name} of a callback", every, hint="give 1 or more")
        chosen.append(callback)
    for callback in chosen:
        begin = getattr(callback, "begin", None)
        if begin is not None:
            begin()
    return tuple(chosen)


def _no_callback(given: object) -> InputError:
    hint = "give functions of an epoch, such as lambda epoch: print(epoch.values)"
    if isinstance(given, type):
        hint = f"give an object of the class, {given.__name__}(...)"
    elif hasattr(given, "verdict"):
        hint = "declare it with the training, whose loop follows it: cr.training(..., stop=...)"
    return InputError(f"run: {given!r} is no callback", hint=hint)


def end_all(callbacks: Sequence[Callback]) -> None:
    """The run is over: each is told, whatever becomes of the others."""
    if not callbacks:
        return
    end = getattr(callbacks[0], "end", None)
    try:
        if end is not None:
            end()
    finally:
        end_all(callbacks[1:])


def check_file(what: str, path: Path) -> None:
    """Make its folder if need be, and see that a file can be written there."""
    if path.is_dir():
        raise StateError(
            f"{what}: cannot write to {path}: it is a folder",
            hint="give the name of a file in it",
        )
    check_folder(what, path.parent)


def check_folder(what: str, folder: Path) -> None:
    """Make it if need be, and see that a file can be written there."""
    probe = folder / f".{what}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise not_written(what, folder, error) from error


def not_written(what: str, path: str | os.PathLike[str], error: OSError) -> StateError:
    return StateError(
        f"{what}: cannot write to {path}: {error.strerror or error}",
        hint="choose a folder that is yours to write, on a disk that has room",
    )
