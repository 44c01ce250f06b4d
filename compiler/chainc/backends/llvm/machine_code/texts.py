"""Where functions begin in LLVM text and in assembly."""

from __future__ import annotations

import re

_NAME = r'"?(?P<name>[\w.]+)"?'
_DEFINITION = re.compile(rf"define [^@]*@{_NAME}\(")
_LABEL = re.compile(rf"{_NAME}:")
LOCAL = ".L"  # how labels inside of functions begin


def defined(line: str) -> str | None:
    """The function whose definition a line of LLVM text opens."""
    found = _DEFINITION.match(line)
    return found["name"] if found else None


def labelled(line: str) -> str | None:
    """The function that begins at a line of assembly."""
    found = _LABEL.match(line)
    return found["name"] if found and not found["name"].startswith(LOCAL) else None
