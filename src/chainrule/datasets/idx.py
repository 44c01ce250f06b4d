"""Arrays from IDX files, the format of MNIST and its relatives.

A file is a header and the elements. The header is two zero bytes, a byte for the element type, a
byte for the number of axes, and the size of each axis; all numbers have the big end first. Source:
Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits. Files that end in ".gz"
are decompressed while they are read.
"""

from __future__ import annotations

import gzip
import math
import os
import stat
import zlib
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np

from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule.datasets.dataset import Dataset, Split
from chainrule.declare.arguments import count, path_of

BYTES_LIMIT = 4 * 2**30  # of an array, unless the caller allows more
AXES_LIMIT = 32
DEFLATE_RATIO = 1032  # no byte of a compressed file stands for more (zlib, Technical Details)
BRIGHTEST = 255

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_DESCRIPTION = "Handwritten digits as 28x28 grey images, 0 for paper and 1 for ink, from {folder}."


def mnist(folder: str | os.PathLike[str], *, limit: int = BYTES_LIMIT) -> Dataset:
    """MNIST from a folder of its IDX files; also Fashion-MNIST, and others of the same form.

    The files are `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k` in
    the place of `train`, each plain or with ".gz" behind it. Where only the `t10k` files are
    there, the first four fifths of them become the training data and the rest the test data.

    `x` is float32 (n, height * width) in [0, 1], an image row by row; `y` is int32 (n,).

    Args:
        folder: where the files are.
        limit: bytes above which the elements of a file are refused before they are read.

    Raises:
        InputError: a file is missing, is damaged or too large, or holds no images or labels.
    """
    place = path_of("mnist", folder)
    x, y = _samples(place, "t10k", limit)
    if _found(place, "train-images-idx3-ubyte") is None:
        border = len(y) * 4 // 5
        train, test = _split(x[:border], y[:border]), _split(x[border:], y[border:])
    else:
        train, test = _split(*_samples(place, "train", limit)), _split(x, y)
    classes = tuple(str(label) for label in range(1 + int(max(train.y.max(), test.y.max()))))
    return Dataset(train, test, "mnist", classes, _DESCRIPTION.format(folder=place.name))


def read_idx(path: str | os.PathLike[str], *, limit: int = BYTES_LIMIT) -> Array:
    """The array in an IDX file, of the element type that the file names.

    Args:
        path: the file; one that ends in ".gz" is decompressed.
        limit: bytes above which the array is refused before anything of it is read.

    Raises:
        InputError: the file cannot be read, is no IDX file, is damaged, cut short or longer than
            its header says, or its array is larger than the limit.
    """
    count("read_idx", "limit", limit, hint="give a number of bytes, such as limit=2**30")
    return _Reader(path_of("read_idx", path), limit).array()


class _Reader:
    """Believes no size before it is checked, and no element before the file has ended well."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.limit = limit

    def array(self) -> Array:
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):
                self._refuse("is no regular file")
            with self.path.open("rb") as file:
                return self._array(file)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            self._refuse(f"is damaged: {error}", cause=error)
        except OSError as error:
            self._refuse(f"cannot be read: {error.strerror or error}", cause=error)

    def _array(self, file: BinaryIO) -> Array:
        stored = os.fstat(file.fileno()).st_size
        if self.path.suffix != ".gz":
            return self._elements(file, stored)
        with gzip.GzipFile(fileobj=file) as content:
            return self._elements(content, stored * DEFLATE_RATIO)

    def _elements(self, file: BinaryIO | gzip.GzipFile, most: int) -> Array:
        dtype, shape = self._header(file)
        size = dtype.itemsize * math.prod(shape)
        if size > self.limit:
            self._refuse(f"declares {size:,} bytes of elements, over the limit of {self.limit:,}")
        if size > most:
            self._refuse(f"is cut short: it declares {size:,} bytes of elements")
        content = file.read(size + 1)  # one more: nothing may follow, and gzip checks its end
        if len(content) != size:
            wrong = "is cut short" if len(content) < size else "is longer than its header says"
            self._refuse(f"{wrong}: it declares {size:,} bytes of elements")
        elements = np.frombuffer(content, dtype).reshape(shape)
        return elements.astype(dtype.newbyteorder("="))

    def _header(
        self, file: BinaryIO | gzip.GzipFile
    ) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
        magic = file.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES:
            self._refuse(f"is no IDX file: it starts with the bytes {magic.hex(' ') or 'of none'}")
        axes = magic[3]
        if not 1 <= axes <= AXES_LIMIT:
            self._refuse(f"declares {axes} axes, not 1 to {AXES_LIMIT}")
        sizes = file.read(4 * axes)
        if len(sizes) < 4 * axes:
            self._refuse("is cut short within its header")
        return np.dtype(_TYPES[magic[2]]), tuple(np.frombuffer(sizes, ">u4").tolist())

    def _refuse(self, reason: str, cause: Exception | None = None) -> NoReturn:
        raise InputError(
            f"the file {self.path} {reason}",
            hint="give the path of a whole IDX file, such as train-images-idx3-ubyte.gz; a higher "
            "limit= allows larger ones",
        ) from cause


def _found(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.exists()), None)


def _file(folder: Path, name: str) -> Path:
    path = _found(folder, name)
    if path is None:
        raise InputError(
            f"datasets.mnist: there is no file {name} or {name}.gz in {folder}",
            hint="give the folder that holds the IDX files",
        )
    return path


def _samples(folder: Path, part: str, limit: int) -> tuple[Array, Array]:
    """The images (n, height, width) and the labels (n,), as uint8."""
    files = [_file(folder, f"{part}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1")]
    images, labels = (read_idx(file, limit=limit) for file in files)
    _check(files[0], "images, uint8 (n, height, width)", images, axes=3)
    _check(files[1], "labels, uint8 (n,)", labels, axes=1)
    if len(images) != len(labels):
        raise InputError(
            f"datasets.mnist: {files[0].name} holds {len(images)} images and "
            f"{files[1].name} {len(labels)} labels",
            hint="give two files of the same set",
        )
    return images, labels


def _split(images: Array, labels: Array) -> Split:
    if len(labels) == 0:
        raise InputError(
            "datasets.mnist: a single image cannot be split into training and test data",
            hint="put the train files beside the t10k files",
        )
    shares = images.reshape(len(images), -1).astype(np.float32)
    shares /= np.float32(BRIGHTEST)
    return Split(shares, labels.astype(np.int32))


def _check(file: Path, wanted: str, array: Array, axes: int) -> None:
    if array.dtype != np.uint8 or array.ndim != axes or array.size == 0:
        raise InputError(
            f"datasets.mnist: {file.name} holds {array.dtype} {array.shape}, not {wanted}",
            hint="give the files of MNIST, or of a set in the same form",
        )
