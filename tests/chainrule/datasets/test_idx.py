"""IDX files: the arrays in them, and that a damaged or hostile one is refused before it is read."""

from __future__ import annotations

import gzip
import os
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from chainc.ir.errors import InputError
from chainrule import datasets

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}
HERE = r"\n  where: .*test_idx\.py:\d+\n  try: give the path of a whole IDX file"


def header(code: int, *sizes: int) -> bytes:
    return struct.pack(f">HBB{len(sizes)}I", 0, code, len(sizes), *sizes)


def idx(array: npt.NDArray[np.generic], dtype: str = "u1") -> bytes:
    """The file by the letter of the format's description."""
    return header(CODES[dtype], *array.shape) + array.astype(dtype).tobytes()


def images(count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 3)).astype(np.uint8)


def folder_of(tmp_path: Path, parts: dict[str, int], compress: bool = True) -> Path:
    for part, count in parts.items():
        contents = {
            f"{part}-images-idx3-ubyte": idx(images(count)),
            f"{part}-labels-idx1-ubyte": idx(np.arange(count) % 10),
        }
        for name, content in contents.items():
            if compress:
                (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (tmp_path / name).write_bytes(content)
    return tmp_path


# --- one file


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dtype", list(CODES))
def test_every_element_type_is_read_in_the_machines_order(
    dtype: str, suffix: str, tmp_path: Path
) -> None:
    values = np.array([[-2, 0, 1], [3, 100, 127]]).astype(dtype)
    path = tmp_path / f"values{suffix}"
    content = idx(values, dtype)
    path.write_bytes(gzip.compress(content) if suffix else content)
    read = datasets.read_idx(path)
    assert read.dtype == np.dtype(dtype).newbyteorder("=")
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, values)


def test_the_bytes_of_a_file_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "values"
    path.write_bytes(
        b"\x00\x00\x0c\x02\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x01\x02\xff\xff\xff\xff"
    )
    assert datasets.read_idx(path).tolist() == [[258, -1]]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", r"is no IDX file: it starts with the bytes of none"),
        (b"\x00\x00\x08", r"is no IDX file"),
        (b"\x89PNG....", r"is no IDX file: it starts with the bytes 89 50 4e 47"),
        (header(0x0A, 2) + b"ab", r"is no IDX file: it starts with the bytes 00 00 0a 01"),
        (header(0x08), r"declares 0 axes, not 1 to 32"),
        (header(0x08, *[1] * 33) + b"a", r"declares 33 axes"),
        (header(0x08, 2, 2)[:-1], r"is cut short within its header"),
        (header(0x08, 2, 2) + b"abc", r"is cut short: it declares 4 bytes of elements"),
        (header(0x08, 2, 2) + b"abcde", r"is longer than its header says: it declares 4 bytes"),
        (header(0x0E, *[2**32 - 1] * 3), r"declares 633,825,299,672,252,604,863,107,768,320 bytes"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_what_is_no_whole_idx_file_is_refused(
    content: bytes, what: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"values{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    if content.startswith(header(0x0E, *[2**32 - 1] * 3)):
        what = r"declares [\d,]+ bytes of elements, over the limit of 4,294,967,296"
    with pytest.raises(InputError, match=rf"^the file .*values(\.gz)? {what}.*{HERE}"):
        datasets.read_idx(path)


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def truncated(content: bytes) -> bytes:
    return content[:-9]


def of_another_kind(content: bytes) -> bytes:
    return b"x" + content


@pytest.mark.parametrize("damage", [flipped, truncated, of_another_kind])
def test_a_damaged_compressed_file_is_refused(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "values.gz"
    path.write_bytes(damage(gzip.compress(idx(images(50)))))
    with pytest.raises(InputError, match=r"values\.gz is (damaged|cut short).*" + HERE):
        datasets.read_idx(path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_size_that_the_file_cannot_hold_is_refused_before_it_is_allocated(
    suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"values{suffix}"
    content = header(0x08, 2**31)
    path.write_bytes(gzip.compress(content) if suffix else content)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"is cut short: it declares 2,147,483,648 bytes"):
        datasets.read_idx(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_a_file_that_grows_without_end_is_read_no_further_than_it_declares(tmp_path: Path) -> None:
    path = tmp_path / "values.gz"
    path.write_bytes(gzip.compress(header(0x08, 100) + bytes(2**26)))  # 64 MiB in 64 KiB
    tracemalloc.start()
    with pytest.raises(InputError, match=r"is longer than its header says"):
        datasets.read_idx(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**21


def test_the_limit_is_the_callers(tmp_path: Path) -> None:
    path = tmp_path / "values"
    path.write_bytes(idx(np.arange(100)))
    assert len(datasets.read_idx(path, limit=100)) == 100
    with pytest.raises(InputError, match=r"declares 100 bytes .* limit of 99.*" + HERE):
        datasets.read_idx(path, limit=99)
    with pytest.raises(InputError, match=r"read_idx: limit must be a whole number, at least 1"):
        datasets.read_idx(path, limit=0)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read: No such file.*" + HERE):
        datasets.read_idx(tmp_path / "missing")
    with pytest.raises(InputError, match=r"is no regular file.*" + HERE):
        datasets.read_idx(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"pipe is no regular file.*" + HERE):
        datasets.read_idx(tmp_path / "pipe")


# --- a folder of MNIST's form


@pytest.mark.parametrize("compress", [True, False])
def test_mnist_has_the_promised_values(compress: bool, tmp_path: Path) -> None:
    mnist = datasets.mnist(folder_of(tmp_path, {"train": 20, "t10k": 10}, compress))
    assert (len(mnist.train), len(mnist.test)) == (20, 10)
    assert mnist.train.x.dtype == np.float32
    assert mnist.train.y.dtype == np.int32
    expected = images(20).reshape(20, 12) / np.float32(255)
    np.testing.assert_array_equal(mnist.train.x, expected)
    np.testing.assert_array_equal(mnist.test.x, expected[:10])
    assert mnist.test.y.tolist() == list(range(10))
    assert mnist.classes == tuple("0123456789")
    assert mnist.name == "mnist"
    assert tmp_path.name in mnist.description


def test_the_test_part_alone_is_split_in_order(tmp_path: Path) -> None:
    mnist = datasets.mnist(folder_of(tmp_path, {"t10k": 13}))
    assert mnist.train.y.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert mnist.test.y.tolist() == [0, 1, 2]
    assert mnist.train.x[9].tolist() == (images(13)[9].reshape(12) / np.float32(255)).tolist()


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("t10k-images-idx3-ubyte.gz", None, "there is no file t10k-images-idx3-ubyte or"),
        ("t10k-labels-idx1-ubyte.gz", None, "there is no file t10k-labels-idx1-ubyte or"),
        ("t10k-labels-idx1-ubyte.gz", idx(np.arange(9)), r"holds 10 images and .* 9 labels"),
        ("t10k-labels-idx1-ubyte.gz", idx(images(2)), r"holds uint8 \(2, 4, 3\), not labels"),
        ("t10k-images-idx3-ubyte.gz", idx(np.zeros((10, 9))), r"\(10, 9\), not images"),
        ("t10k-images-idx3-ubyte.gz", idx(np.zeros((0, 4, 3))), r"\(0, 4, 3\), not images"),
        ("t10k-images-idx3-ubyte.gz", idx(np.zeros((2, 2, 2)), ">f4"), r"float32 .*, not images"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(
    name: str, content: bytes | None, what: str, tmp_path: Path
) -> None:
    path = folder_of(tmp_path, {"t10k": 10}) / name
    path.unlink()
    if content is not None:
        path.write_bytes(gzip.compress(content))
    with pytest.raises(InputError, match=rf"^datasets\.mnist: .*{what}") as caught:
        datasets.mnist(tmp_path)
    assert re.search(r"where: .*test_idx\.py:\d+\n  try: ", str(caught.value))


def test_one_image_is_too_few_to_split(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a single image cannot be split"):
        datasets.mnist(folder_of(tmp_path, {"t10k": 1}))
