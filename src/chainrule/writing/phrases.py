"""Pieces of a line that tells of many things in few words."""

from __future__ import annotations

from collections.abc import Sequence

LISTED = 4  # things that a line names


def listed(texts: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(texts) - LISTED
    shown = ", ".join(texts[:LISTED])
    return f"{shown} and {more} more" if more > 0 else shown


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
