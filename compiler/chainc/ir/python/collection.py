"""Python's search for cycles of garbage, which finds none in what a compiler makes."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Inside, garbage in cycles stays: to look for it again and again is a tenth of a compile.

    Who has turned it off before finds it so.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
