"""Records as bytes and back: frozen dataclasses of numbers, texts, types, and tuples of those.

They are JSON, read by the types that the fields of the record are declared with: bytes that say
something else make no record, whoever wrote them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import TypeVar, get_args, get_origin, get_type_hints

from chainc.backends import compiled_cache
from chainc.ir.types import BY_NAME, DType

T = TypeVar("T")


class NoRecordError(Exception):
    """The bytes are none of the record that was asked for."""


def keep(name: str, record: object) -> None:
    """For the processes after this one."""
    compiled_cache.store(name, written(record))


def kept(kind: type[T], name: str) -> T | None:
    """The record that an earlier process kept under a name; None where there is none."""
    content = compiled_cache.load(name)
    if content is None:
        return None
    try:
        return read(kind, content)
    except NoRecordError as error:
        _note("%s is not used: %s", name, error)
        return None


def written(record: object) -> bytes:
    """A record as bytes."""
    return json.dumps(_plain(record), separators=(",", ":")).encode()


def read(kind: type[T], content: bytes) -> T:
    """The record of a class that `written` made these bytes of.

    Raises:
        NoRecordError: they are none.
    """
    try:
        found = _made(kind, json.loads(content))
    except (ValueError, RecursionError) as error:  # no JSON, or no text
        raise NoRecordError(str(error)) from None
    assert isinstance(found, kind)
    return found


def _plain(value: object) -> object:
    if isinstance(value, DType):
        return value.name
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [_plain(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value


def _made(kind: object, plain: object) -> object:
    """What a declared type makes of plain JSON."""
    if isinstance(kind, UnionType):
        return _one_of(get_args(kind), plain)
    if kind is DType:
        return _checked(BY_NAME.get(plain) if isinstance(plain, str) else None, DType)
    if get_origin(kind) is tuple:
        return tuple(_made(get_args(kind)[0], each) for each in _list(plain))
    if get_origin(kind) is Mapping:
        inner = get_args(kind)[1]
        return {key: _made(inner, each) for key, each in _table(plain).items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _record(kind, plain)
    return _checked(plain, kind)


def _one_of(kinds: tuple[object, ...], plain: object) -> object:
    for kind in kinds:
        try:
            return _made(kind, plain)
        except NoRecordError:
            continue
    raise NoRecordError(f"{plain!r} is none of {kinds}")


def _record(kind: type, plain: object) -> object:
    declared, values = _declared(kind), _list(plain)
    if len(values) != len(declared):
        raise NoRecordError(f"{len(values)} values for {len(declared)} fields of {kind.__name__}")
    return kind(*map(_made, declared, values))


@cache
def _declared(kind: type) -> tuple[object, ...]:
    """The types of a record's fields, which take longer to find out than a record to make."""
    hints = get_type_hints(kind)
    return tuple(hints[field.name] for field in dataclasses.fields(kind))


def _list(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    raise NoRecordError(f"{value!r} is no list")


def _table(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise NoRecordError(f"{value!r} is no table")


def _checked(value: object, kind: object) -> object:
    """A value of exactly that type: a truth value is no number."""
    if type(value) is not (NoneType if kind is None else kind):
        raise NoRecordError(f"{value!r} is no {kind}")
    return value


def _note(text: str, *parts: object) -> None:
    """For who reads logs; mostly there is nothing to say, and then logging is not imported."""
    import logging

    logging.getLogger(__name__).info(text, *parts)
