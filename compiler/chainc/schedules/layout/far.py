"""What has left the nearest caches before it is read, and is better asked for ahead of time.

A step of a training finds there only what it has used last: what the way forward leaves for the
way back is as far as the memory is large.
"""

from __future__ import annotations

import math

from chainc.loops.values import Address
from chainc.schedules.layout.access import Access, Capacity
from chainc.schedules.layout.machine import Machine

LINE = 64  # bytes that come from memory at once
KEPT = 2  # of the second-level cache, the part that what was used before may have


def comes_from_afar(found: Access, machine: Machine, capacity: Capacity) -> bool:
    """Is it so much that what was used meanwhile has taken its place?"""
    extents = zip(capacity.shape(found.shape), found.strides, strict=True)
    nbytes = math.prod(n for n, stride in extents if stride) * found.parameter.dtype.itemsize
    return machine.asks and nbytes * KEPT >= machine.second_level


def starts_line(address: Address, machine: Machine) -> bool:
    """Is a vector there the first one of a line, as far as is known?"""
    place = address.position.constant * address.parameter.dtype.itemsize
    return place % LINE < machine.vector_bytes
