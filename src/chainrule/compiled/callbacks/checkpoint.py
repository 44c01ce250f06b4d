"""Files of the state of a run while it goes on, and runs that go on from them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chainc.ir.errors import InputError
from chainrule.compiled.callbacks.calling import FinishedEpoch, check_file
from chainrule.compiled.callbacks.pace import Pace
from chainrule.compiled.state import HasState, State, not_saved, write_state
from chainrule.declare.arguments import count, path_of
from chainrule.writing.background import Background

__all__ = ["Checkpoint"]

EPOCH, STEP = "{epoch}", "{step}"  # in a path: the number of the epoch, or of the step


@dataclass
class Checkpoint:
    """Saves the state after every so many epochs or steps, each file whole or not at all.

    A file is written while the run goes on, until the next is begun; all are on the disk when the
    run is over. What goes wrong is raised by then.

    A single file is written over no oftener than takes half a percent of the run's time, so many
    of the epochs or steps that take a millisecond are left out; in the end it has the state of the
    last one. Numbered files are all written.

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
    _waiting: State | None = field(default=None, init=False, repr=False, compare=False)
    _pace: Pace = field(default_factory=Pace, init=False, repr=False, compare=False)
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

    @property
    def left_out(self) -> int:
        """See `Callback`."""
        return 0 if _is_numbered(self.path) else self._pace.left_out

    def begin(self) -> None:
        """See `Callback`."""
        self._written.clear()
        self._pace.begin()
        self._waiting = None
        check_file("Checkpoint", path_of("Checkpoint", self.path))

    def __call__(self, epoch: FinishedEpoch) -> None:
        """Begin to save, or keep the state for later; what was begun before is done then."""
        started = time.perf_counter()
        state, self._waiting = epoch.state, None
        if not _is_numbered(self.path) and not self._pace.is_due():
            self._waiting = state
        else:
            with self._told():
                self._background.wait()
            self._pace.doing()
            number, copied = epoch.number, time.perf_counter() - started
            self._background.begin(lambda: self._save(state, number, copied))
        self._pace.called()

    def end(self) -> None:
        """See `Callback`.

        Raises:
            StateError: the file cannot be written.
        """
        state, self._waiting = self._waiting, None
        with self._told():
            self._background.end()
        if state is not None:
            state.save(self.path)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What has gone wrong with the file before."""
        try:
            yield
        except OSError as error:
            raise not_saved(self._writing, error) from error

    def _save(self, state: State, epoch: int, copied: float) -> None:
        """Note what it takes: seconds of a processor, not those of waiting for the disk."""
        started = time.thread_time()
        named = str(self.path).replace(EPOCH, str(epoch)).replace(STEP, str(int(state["step"])))
        self._writing = path = Path(named)
        write_state(state, path)
        self._written.append(path)
        while self.keep is not None and len(self._written) > self.keep:
            self._written.pop(0).unlink(missing_ok=True)
        self._pace.took(copied + time.thread_time() - started)


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
