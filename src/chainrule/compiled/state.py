"""Values of parameters and other slots: an immutable mapping, kept in safetensors files.

A safetensors file carries no checksum of its own. Here its metadata hold a SHA-256 of every
tensor and one of all names, types and shapes, and the header has one spelling only, so a change
of any byte is found. Loading runs no code and reads nothing but the file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from chainc.ir import Node
from chainc.ir.errors import InputError, StateError
from chainc.ir.leaves import Slot
from chainc.ir.types import (
    BY_NUMPY,
    Array,
    bool_,
    float32,
    float64,
    format_shape,
    int32,
    int64,
    uint8,
)
from chainrule.declare.arguments import array, count, path_of
from chainrule.declare.calls import answers_calls
from chainrule.writing.array_text import array_lines
from chainrule.writing.atomic import write_atomically
from chainrule.writing.html_table import html_table

BYTES_LIMIT = 4 * 2**30  # of a whole file, unless the caller allows more
HEADER_LIMIT = 16 * 2**20  # bytes
TENSORS_LIMIT = 100_000
LINES_SHOWN = 20  # of a state's values, when it prints itself

_METADATA = "__metadata__"  # where safetensors keeps text beside the tensors
_CHECKSUMS = "chainrule"  # our one entry there; one only, for safetensors fixes no order of them
# as safetensors spells ours, in the order in which it writes them
_DTYPES = {int64: "I64", float64: "F64", float32: "F32", int32: "I32", uint8: "U8", bool_: "BOOL"}


def _name_of(key: object) -> str:
    return str(key.op.key) if isinstance(key, Node) and isinstance(key.op, Slot) else str(key)


@answers_calls
class State(Mapping[str, Array]):
    """Names → read-only arrays: all that outlives a run. Equal if equal bit for bit.

    A slot's node is accepted in place of its name: `state[model[0].weight]`.
    """

    __slots__ = ("_arrays",)

    def __init__(self, values: Mapping[str, npt.ArrayLike]) -> None:
        """Copy the values.

        Raises:
            InputError: a name is no name, or a value is masked or no array.
            DTypeError: an element type is none of Chainrule's.
        """
        if not isinstance(values, Mapping):
            raise InputError(
                f"State: the values are a {type(values).__name__}, not a dictionary",
                hint='name each, such as {"layer/weight": array}',
            )
        for name in values:
            _check_name(name)
        self._arrays = {name: array("State", name, value) for name, value in values.items()}

    def __getitem__(self, key: str | Node) -> Array:
        name = _name_of(key)
        if name not in self._arrays:
            raise UnknownNameError(
                f"there is no value {name!r} in this state",
                hint=f"its names are {', '.join(self._arrays) or 'none'}",
            )
        return self._arrays[name]

    def __contains__(self, key: object) -> bool:
        return _name_of(key) in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, State):
            return NotImplemented
        return self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(self.digest())

    def __repr__(self) -> str:
        rows = [f"  {name}: {value.dtype} {value.shape}" for name, value in self.items()]
        more = len(rows) - LINES_SHOWN
        if more > 0:
            rows = [*rows[:LINES_SHOWN], f"  … and {more} more"]
        return "\n".join(["State(", *rows, ")"])

    def _repr_html_(self) -> str:
        rows = [
            (name, str(value.dtype), format_shape(value.shape), _value_text(value))
            for name, value in self.items()
        ]
        return html_table(("name", "type", "shape", "value"), rows)

    def digest(self) -> str:
        """A SHA-256 over names, types, shapes and bits, the same on every machine."""
        return _digest_of_all(self._arrays, _checksums(self._arrays))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file, whole or not at all: a crash leaves the file that was there.

        Raises:
            StateError: the file cannot be written; the message says why.
        """
        target = path_of("State.save", path)
        try:
            write_state(self, target)
        except OSError as error:
            raise not_saved(target, error) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, limit: int = BYTES_LIMIT) -> State:
        """Read a file written by `save`; nothing is returned unless every byte is as written.

        Args:
            path: the file.
            limit: bytes above which a file is refused before it is read.

        Raises:
            StateError: the file cannot be read, is damaged, cut short or too large, or was not
                written by `save`.
        """
        source = path_of("State.load", path)
        most = count("State.load", "limit", limit, at_least=0, hint="give a number of bytes")
        try:
            content = _read(source, most)
        except OSError as error:
            raise StateError(
                f"cannot read the state from {source}: {error.strerror or error}",
                hint="give the path of a file written by State.save",
            ) from error
        return cls(_Reader(source, content).arrays())


def holding(arrays: Mapping[str, Array]) -> State:
    """A state of arrays that nobody writes any more: they are not copied."""
    state = State({})
    state._arrays = {name: np.asarray(each, order="C") for name, each in arrays.items()}
    for each in state._arrays.values():
        each.flags.writeable = False
    return state


class HasState(Protocol):
    """What holds a state, such as the result of a run."""

    @property
    def state(self) -> State:
        """It."""


def state_of(given: object) -> Mapping[str, Array]:
    """A state itself, or that of what holds one; values by name will do.

    Raises:
        StateError: it is neither.
    """
    held = getattr(given, "state", None) if not isinstance(given, Mapping) else given
    if not isinstance(held, Mapping):
        raise StateError(
            f"a {type(given).__name__} is no state",
            hint="give result.state, or program.initial_state(seed=0)",
        )
    return held


def _value_text(value: Array) -> str:
    """A small array in full, a row a line; of a large one the summary, without its shape."""
    lines = array_lines(value)
    return " · ".join(lines[1:]) if lines[0] == format_shape(value.shape) else "\n".join(lines)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name or not name.isprintable() or name == _METADATA:
        raise InputError(
            f"State: {name!r} is no name of a value",
            hint='give names such as "model/linear1/weight"',
        )


class UnknownNameError(StateError, KeyError):
    """A name that a state or a history does not hold."""

    __str__ = Exception.__str__


def write_state(state: State, target: Path) -> None:
    """`State.save` for a thread that is none of the user's; see `not_saved`.

    Raises:
        OSError: the file cannot be written.
    """
    write_atomically(target, *_pieces(dict(state)), durable=True)


def _pieces(arrays: Mapping[str, Array]) -> Iterator[bytes | memoryview]:
    """Of a safetensors file, byte for byte as its library writes it, which copies all tensors."""
    checksums = _checksums(arrays)
    told = {"all": _digest_of_all(arrays, checksums), "tensors": checksums}
    header: dict[str, object] = {_METADATA: {_CHECKSUMS: _json(told)}}
    spelled = {name: _DTYPES[BY_NUMPY[array.dtype]] for name, array in arrays.items()}
    order = [name for dtype in _DTYPES.values() for name in checksums if spelled[name] == dtype]
    end = 0
    for name in order:
        array, start = arrays[name], end
        end += array.nbytes
        place = {"shape": array.shape, "data_offsets": (start, end)}
        header[name] = {"dtype": spelled[name], **place}
    text = _json(header).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    yield from (_little(arrays[name]) for name in order if arrays[name].size)


def not_saved(target: Path, error: OSError) -> StateError:
    """What the user is told."""
    return StateError(
        f"cannot save the state to {target}: {error.strerror or error}",
        hint=_CURES.get(error.errno or 0, "choose another folder"),
    )


_CURES = {
    errno.ENOSPC: "free some space on this disk, or choose a folder on another one",
    errno.EDQUOT: "free some of your disk quota, or choose another folder",
    errno.EFBIG: "choose a folder on a file system that holds larger files, or raise the limit",
    errno.EACCES: "choose a folder in which you may write",
    errno.EPERM: "choose a folder in which you may write",
    errno.EROFS: "choose a folder that is not read-only",
    errno.ENOENT: "make the folder first",
    errno.ENOTDIR: "make the folder first",
    errno.EISDIR: "give the name of a file, not of a folder",
    errno.ENODEV: "give the name of a file",
    errno.ELOOP: "give the name of a file, or of a link that leads to one",
}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _checksums(arrays: Mapping[str, Array]) -> dict[str, str]:
    """SHA-256 of each tensor's bytes, little end first, by name in order."""
    return {name: hashlib.sha256(_little(arrays[name])).hexdigest() for name in sorted(arrays)}


def _little(array: Array) -> memoryview:
    """With the little end of each number first."""
    return (array if sys.byteorder == "little" else array.byteswap()).data


def _digest_of_all(arrays: Mapping[str, Array], checksums: Mapping[str, str]) -> str:
    rows = [
        [name, BY_NUMPY[arrays[name].dtype].name, list(arrays[name].shape), checksum]
        for name, checksum in checksums.items()
    ]
    return hashlib.sha256(_json(rows).encode()).hexdigest()


def _read(source: Path, limit: int) -> bytes:
    status = source.stat()
    if not stat.S_ISREG(status.st_mode):
        raise StateError(f"{source} is no regular file", hint="give a file written by State.save")
    if status.st_size > limit:
        raise StateError(
            f"{source} holds {status.st_size:,} bytes, more than the limit of {limit:,}",
            hint="pass a higher limit= if you trust the file",
        )
    with source.open("rb") as file:
        return file.read(limit)


class _Reader:
    """Takes a file's bytes apart and believes nothing before it is checked."""

    def __init__(self, source: Path, content: bytes) -> None:
        self.source = source
        self.content = content

    def arrays(self) -> dict[str, Array]:
        header = self._header()
        checksums, whole = self._expected_checksums(header)
        arrays = self._tensors()
        found = _checksums(arrays)
        if list(found) != list(checksums):
            raise self._damaged("the checksums are not those of its tensors")
        for name, checksum in found.items():
            if checksum != checksums[name]:
                raise self._damaged(f"the bytes of {name!r} do not match their checksum")
        if _digest_of_all(arrays, found) != whole:
            raise self._damaged("names, types or shapes do not match their checksum")
        return {name: arrays[name] for name in found}

    def _header(self) -> dict[str, object]:
        length = int.from_bytes(self.content[:8], "little")
        if len(self.content) < 8 or length > min(len(self.content) - 8, HEADER_LIMIT):
            raise self._damaged("it is cut short, or its header is too long")
        text = self.content[8 : 8 + length]
        try:
            header = json.loads(text)
            spelling = _json(header).encode()
        except (ValueError, RecursionError) as error:
            raise self._damaged("its header is not readable") from error
        # one spelling only: no other spaces, no repeated keys
        if not isinstance(header, dict) or spelling != text.rstrip(b" "):
            raise self._damaged("its header is not as written")
        if len(header) > TENSORS_LIMIT:
            raise self._damaged(f"it declares more than {TENSORS_LIMIT:,} tensors")
        return header

    def _expected_checksums(self, header: Mapping[str, object]) -> tuple[dict[str, str], str]:
        for name, entry in header.items():
            if name != _METADATA and not _is_tensor_entry(entry):
                raise self._damaged(f"it describes {name!r} in a way that State.save does not")
        metadata = header.get(_METADATA)
        if not isinstance(metadata, dict) or list(metadata) != [_CHECKSUMS]:
            raise StateError(
                f"{self.source} carries no checksums: State.save did not write it",
                hint="if you trust it, read it with safetensors.numpy.load_file and pass the "
                "result to cr.State",
            )
        try:
            told = json.loads(metadata[_CHECKSUMS])
            return dict(told["tensors"]), str(told["all"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise self._damaged("its checksums are not readable") from error

    def _tensors(self) -> dict[str, Array]:
        import safetensors.numpy

        try:
            arrays: dict[str, Array] = safetensors.numpy.load(self.content)
        except (safetensors.SafetensorError, ValueError, OverflowError) as error:
            raise self._damaged(str(error)) from error
        for name, values in arrays.items():
            if values.dtype == bool and (values.view("uint8") > 1).any():
                raise self._damaged(f"{name!r} holds bytes that are no Booleans")
        return arrays

    def _damaged(self, reason: str) -> StateError:
        return StateError(
            f"{self.source} is damaged or no state file: {reason}",
            hint="load another copy; State.save keeps the old file until the new one is complete",
        )


def _is_tensor_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and set(entry) == {"dtype", "shape", "data_offsets"}
        and entry["dtype"] in _DTYPES.values()
    )
