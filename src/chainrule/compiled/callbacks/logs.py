"""What each epoch reports, written where others read it."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chainc.ir.errors import InputError
from chainrule.compiled.callbacks.calling import (
    FinishedEpoch,
    check_file,
    check_folder,
    not_written,
)
from chainrule.declare.arguments import path_of

__all__ = ["CSVLog", "TensorBoardLog"]


@dataclass
class CSVLog:
    """Writes what each epoch reports as a line of a table: the scalars, in the order of names.

    A run begins the file anew; one that is resumed goes on with it.
    """

    path: str | os.PathLike[str]
    _begun: bool = field(default=False, init=False, repr=False)

    def begin(self) -> None:
        """See `Callback`."""
        check_file("CSVLog", path_of("CSVLog", self.path))
        self._begun = False

    def __call__(self, epoch: FinishedEpoch) -> None:
        """A line; the first has the names."""
        scalars = _scalars(epoch)
        lines: list[Sequence[object]] = [[epoch.number, *scalars.values()]]
        if not self._begun:
            lines = [["epoch", *scalars], *self._lines_before(epoch.number), *lines]
        mode, self._begun = "a" if self._begun else "w", True
        try:
            with Path(self.path).open(mode, newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(lines)
        except OSError as error:
            raise not_written("CSVLog", self.path, error) from error

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
        check_folder("TensorBoardLog", Path(folder))
        self._writer = SummaryWriter(str(folder))

    def __call__(self, epoch: FinishedEpoch) -> None:
        """A point of each curve."""
        for name, value in _scalars(epoch).items():
            self._writer.add_scalar(name, value, epoch.number)
        self._writer.flush()


def _scalars(epoch: FinishedEpoch) -> dict[str, float]:
    return {name: float(v) for name, v in epoch.values.items() if np.ndim(v) == 0}
