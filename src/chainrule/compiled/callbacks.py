"""What a run calls in Python between epochs: files of its state, logs, a limit of time.

A run without callbacks never leaves compiled code; with them it comes back after every `every`
epochs, or `every_steps` steps.
"""

from __future__ import annotations

import csv
import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from chainc.ir.errors import InputError, StateError
from chainc.ir.types import Array
from chainrule.compiled.state import HasState, State, not_saved, write_state
from chainrule.declare.arguments import count, number, path_of, several
from chainrule.reports.columns import Value
from chainrule.writing.background import Background

__all__ = ["CSVLog", "Checkpoint", "FinishedEpoch", "TensorBoardLog", "TimeLimit"]

EPOCH, STEP = "{epoch}", "{step}"  # in a path: the number of the epoch, or of the step


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
    _state: Mapping[str, Array]

    @property
    def state(self) -> State:
        """A copy of all slots as they are now, after the epoch."""
        return State(self._state)


class Callback(Protocol):
    """Anything that can be called after an epoch; True ends the run.

    It may also have `every`, after how many epochs it is called, or `every_steps`, after how many
    steps instead, `begin`, which is called before anything runs, and `end`, which is called when
    the run is over, whatever has ended it.
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
        if not callable(callback):
            raise InputError(
                f"run: {callback!r} is no callback",
                hint="give functions of an epoch, such as lambda epoch: print(epoch.values)",
            )
        for name in ("every", "every_steps"):
            if (every := getattr(callback, name, None)) is not None:
                count("run", f"{name} of a callback", every, hint="give 1 or more")
        chosen.append(callback)
    for callback in chosen:
        begin = getattr(callback, "begin", None)
        if begin is not None:
            begin()
    return tuple(chosen)


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


def epochs_between(callbacks: Sequence[Callback]) -> int | None:
    """How many epochs are done without looking at any of these; None without any."""
    each = [_every(callback) for callback in callbacks if _steps(callback) is None]
    return math.gcd(*each) if each else None


def steps_between(callbacks: Sequence[Callback], done: int) -> int | None:
    """How many steps, after so many, until one of these is called; None without any."""
    each = [steps for callback in callbacks if (steps := _steps(callback)) is not None]
    return min(steps - done % steps for steps in each) if each else None


def between_epochs(
    callbacks: Sequence[Callback], done: int, *, over: bool = False
) -> Sequence[Callback]:
    """Those that are called after so many epochs; all of them where the run is over."""
    after = [each for each in callbacks if _steps(each) is None]
    return [each for each in after if over or done % _every(each) == 0]


def between_steps(
    callbacks: Sequence[Callback], done: int, *, over: bool = False
) -> Sequence[Callback]:
    """The same of steps."""
    after = [(each, steps) for each in callbacks if (steps := _steps(each)) is not None]
    return [each for each, steps in after if over or done % steps == 0]


def _every(callback: Callback) -> int:
    return int(getattr(callback, "every", 1))


def _steps(callback: Callback) -> int | None:
    steps = getattr(callback, "every_steps", None)
    return None if steps is None else int(steps)


@dataclass
class Checkpoint:
    """Saves the state after every so many epochs or steps, each file whole or not at all.

    A file is written while the run goes on, until the next is begun; all are on the disk when the
    run is over. What goes wrong is raised by then.

    A run that goes on from one leaves the bits of a run that was never interrupted, also from the
    middle of an epoch: `program.run(data, resume=path)` does so.

    Args:
        path: of the file. With "{epoch}" or "{step}" in it each has that number, else each takes
            the place of the one before.
        every: so many epochs.
        keep: with "{epoch}" or "{step}", how many of the newest files of this run to leave; None
            for all.
        every_steps: so many steps instead, counted from the first of the training.

    Raises:
        InputError: a number is out of range, `keep` is given for a single file, or files of one
            epoch would have the same name.
    """

    path: str | os.PathLike[str]
    every: int = 1
    keep: int | None = None
    every_steps: int | None = None
    _written: list[Path] = field(default_factory=list, init=False, repr=False)
    _writing: Path = field(default=Path(), init=False, repr=False, compare=False)
    _background: Background = field(
        default_factory=Background, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        count("Checkpoint", "every", self.every, hint="save after every epoch: every=1")
        if self.every_steps is not None:
            self._check_steps(self.every_steps)
        if self.keep is None:
            return
        count("Checkpoint", "keep", self.keep, hint="keep at least the newest: keep=1")
        if not _is_numbered(self.path):
            place = EPOCH if self.every_steps is None else STEP
            raise InputError(
                f"Checkpoint: {str(self.path)!r} is one file, so there are none to keep",
                hint=f'put {place} into the path, such as "run/{place}.safetensors"',
            )

    def _check_steps(self, steps: int) -> None:
        count("Checkpoint", "every_steps", steps, hint="save after every step: every_steps=1")
        if self.every != 1:
            raise InputError(
                f"Checkpoint: every={self.every} counts epochs, and every_steps={steps} steps",
                hint="give one of them, or two checkpoints",
            )
        if EPOCH in str(self.path) and STEP not in str(self.path):
            raise InputError(
                f"Checkpoint: {str(self.path)!r} is one file for all steps of an epoch",
                hint=f'put {STEP} in the place of {EPOCH}, such as "run/{STEP}.safetensors"',
            )

    def begin(self) -> None:
        """See `Callback`."""
        self._written.clear()
        _check_folder("Checkpoint", Path(self.path).parent)

    def __call__(self, epoch: FinishedEpoch) -> None:
        """Begin to save; what was begun before is done then."""
        state = epoch.state
        path = path_of("Checkpoint", self.path)
        for place, reached in ((EPOCH, epoch.number), (STEP, int(state["step"]))):
            path = Path(str(path).replace(place, str(reached)))
        self.end()
        self._writing = path
        self._background.begin(lambda: self._save(state, path))

    def end(self) -> None:
        """See `Callback`.

        Raises:
            StateError: the file cannot be written.
        """
        try:
            self._background.wait()
        except OSError as error:
            raise not_saved(self._writing, error) from error

    def _save(self, state: State, path: Path) -> None:
        write_state(state, path)
        self._written.append(path)
        while self.keep is not None and len(self._written) > self.keep:
            self._written.pop(0).unlink(missing_ok=True)


def newest_checkpoint(path: str | os.PathLike[str]) -> Path | None:
    """The file of the highest number that a `Checkpoint` of this path has left, if any."""
    given = Path(path)
    if not _is_numbered(given.name):
        return given if given.exists() else None
    pattern = re.escape(given.name)
    for place in (EPOCH, STEP):
        pattern = pattern.replace(re.escape(place), "([0-9]+)")
    numbered = {
        tuple(map(int, found.groups())): each
        for each in (given.parent.iterdir() if given.parent.is_dir() else ())
        if (found := re.fullmatch(pattern, each.name))
    }
    return numbered[max(numbered)] if numbered else None


def _is_numbered(path: str | os.PathLike[str]) -> bool:
    return EPOCH in str(path) or STEP in str(path)


def resumed(
    path: str | os.PathLike[str], state: State | HasState | None, steps: int, epochs: int
) -> tuple[State | HasState | None, int]:
    """The state to continue from, and how many epochs of so many steps are left.

    Raises:
        InputError: none is left.
    """
    newest = newest_checkpoint(path_of("run", path))
    if newest is None:
        return state, epochs
    found = State.load(newest)
    left = epochs - int(found["step"]) // steps
    if left < 1:
        raise InputError(
            f"run: {newest} is from the end of all {epochs} epochs, so there are none left",
            hint="ask for more with epochs=, or run without resume",
        )
    return found, left


@dataclass
class CSVLog:
    """Writes what each epoch reports as a line of a table: the scalars, in the order of names.

    A run begins the file anew; one that is resumed goes on with it.
    """

    path: str | os.PathLike[str]
    _begun: bool = field(default=False, init=False, repr=False)

    def begin(self) -> None:
        """See `Callback`."""
        _check_folder("CSVLog", Path(self.path).parent)
        self._begun = False

    def __call__(self, epoch: FinishedEpoch) -> None:
        """A line; the first has the names."""
        scalars = _scalars(epoch)
        lines: list[Sequence[object]] = [[epoch.number, *scalars.values()]]
        if not self._begun:
            lines = [["epoch", *scalars], *self._lines_before(epoch.number), *lines]
        mode, self._begun = "a" if self._begun else "w", True
        with Path(self.path).open(mode, newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(lines)

    def _lines_before(self, number: int) -> list[list[str]]:
        """Those of the run that this one resumes."""
        if number == 1 or not Path(self.path).exists():
            return []
        with Path(self.path).open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))
        return [line for line in lines if line and line[0].isdecimal() and int(line[0]) < number]


class TensorBoardLog:
    """Writes what each epoch reports for TensorBoard, with the writer of `tensorboardX`."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Raises `InputError` where there is no writer."""
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise InputError(
                "TensorBoardLog: there is no tensorboardX here",
                hint="pip install tensorboardX, or log with cr.CSVLog",
            ) from None
        _check_folder("TensorBoardLog", Path(folder))
        self._writer = SummaryWriter(str(folder))

    def __call__(self, epoch: FinishedEpoch) -> None:
        """A point of each curve."""
        for name, value in _scalars(epoch).items():
            self._writer.add_scalar(name, value, epoch.number)
        self._writer.flush()


@dataclass
class TimeLimit:
    """Ends the run after the epoch in which so many seconds have passed.

    Raises:
        InputError: the number is not positive.
    """

    seconds: float
    _start: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        number("TimeLimit", "seconds", self.seconds, above=0, hint="give seconds, such as 60")

    def begin(self) -> None:
        """See `Callback`."""
        self._start = time.monotonic()

    def __call__(self, epoch: FinishedEpoch) -> bool:
        """Is the time over?"""
        return time.monotonic() - self._start >= self.seconds


def _scalars(epoch: FinishedEpoch) -> dict[str, float]:
    return {name: float(v) for name, v in epoch.values.items() if np.ndim(v) == 0}


def _check_folder(what: str, folder: Path) -> None:
    """Make it if need be, and see that a file can be written there."""
    probe = folder / f".{what}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StateError(
            f"{what}: cannot write to {folder}: {error.strerror or error}",
            hint="choose a folder that is yours to write",
        ) from error
