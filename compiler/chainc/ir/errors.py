"""The public exceptions: what went wrong, where in the user's own code, and what to try."""

from __future__ import annotations

import functools
import sys
import warnings
from dataclasses import field
from types import CodeType, FrameType
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass

if TYPE_CHECKING:
    from pathlib import Path

# frames of these are not the user's
PACKAGES = (
    "chainc", "chainrule", "contextlib", "functools", "jax", "numpy", "pandas", "polars", "torch",
)  # fmt: skip


@dataclass(frozen=True)
class Location:
    """A line of the user's program.

    Lines that are equal may still be told apart by what of the line was running.
    """

    file: str
    line: int
    instruction: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return self._in_cell() or f"{_shorten(self.file)}:{self.line}"

    @property
    def short(self) -> str:
        return self._in_cell() or f"{_path(self.file).name}:{self.line}"

    def _in_cell(self) -> str | None:
        """`Cell In[3], line 2`, as a notebook's own tracebacks say it; None of a file."""
        cell = _notebook_cell(self.file)
        return None if cell is None else f"{cell}, line {self.line}"


def _shorten(file: str) -> str:
    path = _path(file)
    if path.is_absolute() and path.is_relative_to(path.cwd()):
        return str(path.relative_to(path.cwd()))
    return file


def _path(file: str) -> Path:
    from pathlib import Path  # slow to import, and not needed while nothing is wrong

    return Path(file)


def _notebook_cell(file: str) -> str | None:
    """What IPython calls the code that it runs under the name of a temporary file."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    name_of = getattr(getattr(shell, "compile", None), "format_code_name", None)
    match name_of(file) if callable(name_of) else None:
        case (str() as label, str() as name):
            return f"{label} {name}"
    return None


def user_frame() -> FrameType | None:
    """The innermost frame that belongs to none of our packages, nor is what `dataclass` wrote."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (
        _is_our_module(frame.f_globals.get("__name__", "")) or _is_written(frame.f_code)
    ):
        frame = frame.f_back
    return frame


def _is_written(code: CodeType) -> bool:
    return code.co_filename == "<string>" and code.co_name == "__init__"


@functools.cache
def _is_our_module(name: str) -> bool:
    """Asked for every frame between a node and the line of the user that makes it."""
    return name.partition(".")[0] in PACKAGES


def user_location() -> Location | None:
    frame = user_frame()
    if frame is None:
        return None
    return Location(frame.f_code.co_filename, frame.f_lineno, frame.f_lasti)


def calling_location() -> Location:
    """The line, ours or the user's, that called the function which asks."""
    frame = sys._getframe(2)
    return Location(frame.f_code.co_filename, frame.f_lineno)


class ChainruleError(Exception):
    """Base of every error raised on purpose; its message says what, where and what to try."""

    def __init__(self, what: str, *, where: str | None = None, hint: str) -> None:
        self.what = what
        self.where = where if where is not None else str(user_location() or "unknown line")
        self.hint = hint
        super().__init__(f"{what}\n  where: {self.where}\n  try: {hint}")


def warn(category: type[Warning], what: str, *, hint: str) -> None:
    """A warning at the user's own line: what there is, and what to try."""
    frame = user_frame()
    if frame is None:
        return
    warnings.warn_explicit(
        f"{what}\n  try: {hint}",
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


class NonFiniteWarning(RuntimeWarning):
    """NaN or infinity in data, or in what a training that nobody watches has left."""


class MisfitError(Exception):
    """Raised by `Op.infer`, which knows types only; `ir.apply` adds operands and their lines."""

    def __init__(self, error: type[ChainruleError], what: str, hint: str) -> None:
        super().__init__(what)
        self.error = error
        self.hint = hint


class ShapeError(ChainruleError, ValueError):
    """Shapes or ranks that do not fit together."""


class DTypeError(ChainruleError, TypeError):
    """Element types that do not mix, or that an operation does not accept."""


class GraphError(ChainruleError, ValueError):
    """A graph that cannot be built or compiled as declared."""


class GradientError(ChainruleError, ValueError):
    """A derivative that does not exist or was asked for in the wrong way."""


class ParseError(ChainruleError, ValueError):
    """Text that is not a graph."""


class VerifyError(ChainruleError, ValueError):
    """An invariant of the IR that does not hold: a defect of a pass, not of the user's model."""


class InputError(ChainruleError, ValueError):
    """Values given to a compiled program, or to a public function, that do not fit."""


class StateError(ChainruleError, ValueError):
    """Parameter values that do not fit a program, or a file of them that cannot be trusted."""


class NonFiniteError(ChainruleError, ArithmeticError):
    """NaN or infinity in a training that is watched for them."""


class LinkingError(ChainruleError, RuntimeError):
    """A shared library that cannot be made on this machine."""


class ExportError(ChainruleError, OSError):
    """Files that cannot be written."""
