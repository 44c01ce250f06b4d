"""Code and its constants where free memory is in pieces, as large libraries leave it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, mmap
from pathlib import Path
import numpy as np
import chainrule as cr
from chainrule import nn

PAGE, GIGABYTE = mmap.PAGESIZE, 1 << 30
STACK = 1 << 26  # that of the first thread grows downwards from above all else
HERE_IF_FREE, NO_RESERVE, NO_ACCESS = 0x100000, 0x4000, 0
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]


def free():
    lines = Path("/proc/self/maps").read_text().splitlines()
    ends = [[int(end, 16) for end in line.split()[0].split("-")] for line in lines]
    return [(before[1], after[0]) for before, after in zip(ends, ends[1:]) if after[0] < 1 << 47]


def take(start, end):  # unless a thread has taken some since it was found to be free
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | HERE_IF_FREE | NO_RESERVE
    if end > start:
        libc.mmap(start, end - start, NO_ACCESS, flags, -1, 0)


model = nn.MLP(37, 64, 10, activation=nn.GELU)
loss = cr.mean(cr.square(model(cr.input("x", ("batch", 37)))))
gradient = cr.compile(cr.grad(loss, model[0].weight))
state = gradient.initial_state(seed=0)
low, high = max(free(), key=lambda gap: gap[1] - gap[0])
for gap in free():
    if gap[0] > high:
        take(gap[0], gap[1] - STACK if gap[1] - gap[0] > STACK else gap[1])
take(high - 8 * GIGABYTE, high - PAGE)  # a page above it, the rest below
print(np.shape(gradient.bind(state)(x=np.ones((4, 37), np.float32))))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is laid out by Linux's mmap")
def test_code_finds_its_constants_wherever_memory_is_free() -> None:
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )
    assert (found.stdout.strip(), found.stderr, found.returncode) == ("(37, 64)", "", 0)
