"""Exports what an example compiles: python -m tests.examples.exporting EXAMPLE FOLDER KIND...

Each kind of file gets a folder of its own. What is refused leaves the reason in a file.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

from tests.examples.running import load

import chainrule as cr

TARGETS = {"web": "wasm", "c": "c"}  # others are processors
KINDS = ("portable", "cortex-m4", *TARGETS)


class _Found(BaseException):
    """What an example was about to run."""

    def __init__(self, program: cr.TrainingProgram) -> None:
        super().__init__()
        self.program = program


Compiled = cr.TrainingProgram | cr.Function[Any]


def found_in(example: str, folder: Path) -> Compiled | None:
    """The first training, which is not run, or the last function that keeps nothing."""
    called: list[cr.Function[Any]] = []
    call = cr.Function.__call__

    def run(program: cr.TrainingProgram, *_: Any, **__: Any) -> cr.Result:
        raise _Found(program)

    def noted(function: cr.Function[Any], *given: object, **named: object) -> object:
        if not function._declared.updates:  # what it keeps between calls is no file's affair
            called.append(function)
        return call(function, *given, **named)

    with (
        mock.patch.object(cr.TrainingProgram, "run", run),
        mock.patch.object(cr.Function, "__call__", noted),
        redirect_stdout(StringIO()),
    ):
        try:
            load(example).main(folder)
        except _Found as stopped:
            return stopped.program
    return called[-1] if called else None


def for_target(found: Compiled, target: str) -> Compiled:
    """The same, compiled for a target."""
    if isinstance(found, cr.TrainingProgram):
        return cr.compile(found._training, target=target)
    function = cr.compile(found._declared, target=target)
    return function.bind(found.state) if found.slots else function


def main(example: str, folder: Path, kinds: Sequence[str]) -> None:
    """Exports it."""
    (folder / "run").mkdir(parents=True)
    found = found_in(example, folder / "run")
    if found is None:
        return
    for kind in kinds:
        place, processor = folder / kind, None if kind in TARGETS else kind
        try:
            program = for_target(found, TARGETS.get(kind, "llvm"))
            program.export(place, name="program", processor=processor)
        except cr.ChainruleError as refused:
            place.mkdir(exist_ok=True)
            (place / "refused").write_text(str(refused))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
