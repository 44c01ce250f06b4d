"""Text files, and the one that is bundled with the package."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path
from typing import NoReturn

from chainc.ir.errors import ChainruleError, InputError
from chainrule.declare.arguments import path_of

BUNDLE = Path(__file__).parents[1] / "datasets" / "data" / "shakespeare.txt.gz"
BUNDLE_SHA256 = "45befa3558a4dc4189ca1ba1987e795123ea49ea9b445e50e0cb21a5845da63b"


def read_text(function: str, path: str | os.PathLike[str]) -> str:
    """What is in a file of UTF-8, with line ends as they stand there.

    Raises:
        InputError: it cannot be read, is empty, or no text.
    """
    place = path_of(function, path)
    try:
        content = place.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse(function, place, f"is no text in UTF-8: byte {error.start} is none of a character")
    except (OSError, ValueError) as error:  # a path may hold a zero byte
        _refuse(function, place, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if not content:
        _refuse(function, place, "is empty")
    return content


def _refuse(function: str, place: Path, reason: str) -> NoReturn:
    raise InputError(
        f"{function}: the file {place} {reason}",
        hint="give the path of a text file, or none for a piece of Shakespeare",
    )


def bundled_text() -> str:
    """The first 100,000 characters or so of Shakespeare's plays; the checksum vouches for each.

    Raises:
        ChainruleError: the file is missing or damaged.
    """
    try:
        content = BUNDLE.read_bytes()
    except OSError as error:
        raise _unusable(f"cannot be read ({error.strerror})") from error
    if hashlib.sha256(content).hexdigest() != BUNDLE_SHA256:
        raise _unusable("is damaged: its SHA-256 checksum is not the one of this version")
    return gzip.decompress(content).decode("ascii")


def _unusable(reason: str) -> ChainruleError:
    return ChainruleError(
        f"text.Characters(): the bundled file {BUNDLE.name} {reason}",
        hint="install Chainrule again from its source, which brings a sound copy of the file",
    )
