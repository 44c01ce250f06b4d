"""Files as damage leaves them, for what must refuse them."""

from __future__ import annotations

import random


def broken(content: bytes, draws: random.Random) -> bytes:
    """Bytes are changed, left out, put in, or cut off."""
    changed = bytearray(content)
    for _ in range(draws.randint(1, 4)):
        place = draws.randrange(len(changed))
        match draws.randrange(4):
            case 0:
                changed[place] = draws.randrange(256)
            case 1:
                del changed[place : place + draws.randint(1, 8)]
            case 2:
                changed[place:place] = draws.randbytes(draws.randint(1, 5))
            case _:
                del changed[max(place, 1) :]
    return bytes(changed)
