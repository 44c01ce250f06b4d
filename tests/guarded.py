"""Arrays between pages that cannot be touched, and children that may die of touching them."""

from __future__ import annotations

import ctypes
import faulthandler
import math
import mmap
import os
import sys
import traceback
from collections.abc import Callable

import numpy as np

from chainc.ir.types import Array

PAGE = mmap.PAGESIZE


class Guarded:
    """Makes arrays whose first or last byte is beside a page that cannot be touched."""

    def __init__(self, *, last: bool) -> None:
        self.last = last
        self.libc = ctypes.CDLL(None, use_errno=True)

    def array(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
        nbytes = math.prod(shape) * dtype.itemsize
        pages = max(1, -(-nbytes // PAGE))
        space = mmap.mmap(-1, (pages + 2) * PAGE)
        everything = np.frombuffer(space, np.uint8)
        for page in (0, pages + 1):
            address = ctypes.c_void_p(everything.ctypes.data + page * PAGE)
            assert self.libc.mprotect(address, ctypes.c_size_t(PAGE), 0) == 0
        start = PAGE + (pages * PAGE - nbytes if self.last else 0)
        return everything[start : start + nbytes].view(dtype).reshape(shape)

    def copy(self, values: Array) -> Array:
        result = self.array(values.shape, values.dtype)
        result[...] = values
        return result


def in_a_child(work: Callable[[], object]) -> int:
    """How a child of this process ends that does the work: 0, 1 after an error, or -signal."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        faulthandler.enable(file=2)
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
