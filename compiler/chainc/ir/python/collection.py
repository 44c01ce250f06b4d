"""Python's search for cycles of garbage, which finds none in what a compiler makes."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

FEW = 20_000  # objects, through which the search goes in 5 ms
MOST = 1_000_000  # that grow old unseen

_unseen = [0]  # since all were looked through


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
        _grow_old()
        gc.enable()


def _grow_old() -> None:
    """What was made goes to the oldest objects, without the search that Python begins with.

    It would look through all of it at once, half a million objects in 0.15 s, and nearly all of
    them are needed. Of very many, and of many compiles, it is made here.
    """
    made, _, _ = gc.get_count()
    if made < FEW:
        return
    _unseen[0] += made
    if _unseen[0] > MOST:
        _unseen[0] = 0
        gc.collect()
    elif gc.get_freeze_count() == 0:  # else what the user has frozen would thaw
        gc.freeze()
        gc.unfreeze()
