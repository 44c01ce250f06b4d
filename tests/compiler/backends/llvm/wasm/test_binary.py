"""Numbers and bytes as WebAssembly writes them."""

from __future__ import annotations

import pytest

from chainc.backends.llvm.wasm.binary import Reader, listed, signed, sized, unsigned
from chainc.ir.errors import LinkingError

UNSIGNED = [0, 1, 127, 128, 624485, 2**32 - 1]
SIGNED = [0, 1, -1, 63, 64, -64, -65, -123456, 2**31, -(2**63), 2**63 - 1]


@pytest.mark.parametrize("value", UNSIGNED)
def test_numbers_come_back(value: int) -> None:
    assert Reader(unsigned(value)).unsigned() == value


@pytest.mark.parametrize("value", SIGNED)
def test_numbers_with_a_sign_come_back(value: int) -> None:
    assert Reader(signed(value)).signed() == value


def test_numbers_are_written_as_the_specification_does() -> None:
    assert unsigned(624485) == b"\xe5\x8e\x26"
    assert signed(-123456) == b"\xc0\xbb\x78"
    assert listed(sized(b"ab"), sized(b"")) == b"\2\2ab\0"


def test_padded_numbers_are_read() -> None:
    assert Reader(b"\x85\x80\x80\x80\0").unsigned() == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\x80", "cut short"), (b"\xff" * 11, "no end"), (b"\xff\xff\xff\xff\x7f", "too large")],
)
def test_numbers_that_are_none_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(LinkingError, match=rf"{message}[^§]*\n  try: use a version of llvmlite"):
        Reader(content).unsigned()


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(LinkingError, match="a name before byte 3 is no text"):
        Reader(b"\2\xff\xfe").name()


def test_a_reader_inside_ends_where_it_should() -> None:
    reader = Reader(b"abcdef")
    inner = reader.inside(3)
    assert (inner.take(3), bool(inner), reader.take(1)) == (b"abc", False, b"d")
    with pytest.raises(LinkingError, match="cut short at byte 3"):
        inner.byte()
