"""Records are read back as they were; bytes that say anything else make none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from chainc.backends import compiled_cache, records
from chainc.ir.types import Dim, DType, Size, TensorType, float32, int64, named


@dataclass(frozen=True)
class Inner:
    bound: Dim
    dtype: DType


@dataclass(frozen=True)
class Record:
    name: str
    count: int
    fine: bool
    block: int | None
    types: tuple[TensorType, ...]
    table: Mapping[str, int]
    inner: tuple[Inner, ...] = ()


RECORD = Record(
    name="π",
    count=-3,
    fine=True,
    block=None,
    types=(TensorType((named("batch"), 4), float32), TensorType((), int64)),
    table={"data/x": 0, "w": 1},
    inner=(Inner(7, float32), Inner(Size(2, ("batch", "time")), int64)),
)


def test_a_record_is_read_back() -> None:
    assert records.read(Record, records.written(RECORD)) == RECORD


def changed(place: int, value: object) -> bytes:
    plain = json.loads(records.written(RECORD))
    plain[place] = value
    return json.dumps(plain).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"{}",
        b"[]",
        b"[" * 100_000,
        b'["x"]',
        changed(0, 3),
        changed(1, True),
        changed(1, 1.0),
        changed(2, 1),
        changed(3, "no number"),
        changed(4, [[["batch"], "float32"]]),
        changed(4, [[[3], "float16"]]),
        changed(4, "text"),
        changed(5, [1]),
        changed(5, {"w": "1"}),
        changed(6, [[7]]),
        records.written(RECORD)[:-1],
    ],
)
def test_other_bytes_are_no_record(content: bytes) -> None:
    with pytest.raises(records.NoRecordError):
        records.read(Record, content)


def test_a_record_is_kept_for_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert records.kept(Record, "one") is None
    records.keep("one", RECORD)
    assert records.kept(Record, "one") == RECORD
    assert records.kept(Inner, "one") is None
    compiled_cache.store("one", b"something else")
    assert records.kept(Record, "one") is None
