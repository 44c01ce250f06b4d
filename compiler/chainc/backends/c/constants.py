"""Constants as arrays of C."""

from __future__ import annotations

import textwrap

import numpy as np

from chainc.backends.c.spelling import Type, element, literal
from chainc.loops.language import Data
from chainc.schedules.layout.machine import PADDING

WIDTH = 96


def array(name: str, data: Data) -> str:
    """With room behind it, so that a vector may stand out."""
    dtype = data.out.dtype
    type = Type(element(dtype))
    values = np.frombuffer(data.content, np.uint8 if dtype.is_bool else dtype.numpy)
    numbers = ", ".join(literal(value, type) for value in values.tolist())
    room = len(values) + PADDING // dtype.itemsize
    lines = textwrap.wrap(numbers, WIDTH)
    head = f"static const _Alignas(64) {type} {name}[{room}] = {{"
    return "\n".join([head, *(f"    {line}" for line in lines), "};"])
