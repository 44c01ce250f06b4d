"""What all networks share: the images that they take, and weights from files of others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from chainc.backends.llvm.arena import aligned_empty
from chainc.ir import Node
from chainc.ir.errors import InputError, StateError
from chainc.ir.leaves import Slot
from chainc.ir.types import Array, format_shape, static
from chainc.ops.movement import DimLike
from chainrule.compiled.state import State, holding
from chainrule.declare.arguments import count, is_one_of, path_of
from chainrule.nn import Linear, Module, Sequential

Names = Literal["torchvision"]

COUNTED = "num_batches_tracked"  # of a batch normalisation in PyTorch; nothing depends on it
STRIP = 64  # rows of a weight that are turned at once


class Network(Module):
    """A network for images of a certain size."""

    def __init__(self, channels: int, height: int, width: int, name: str | None = None) -> None:
        super().__init__(name=name)
        self.image = (channels, height, width)

    def input_shape(self) -> tuple[DimLike, ...]:
        """The images that it was made for; many networks take others too."""
        return ("batch", *self.image)

    def load(self, path: str | os.PathLike[str], names: Names | None = None) -> State:
        """The weights in a safetensors file, as a state to bind or to start from.

        Args:
            path: the file.
            names: "torchvision" for the names and layouts of torchvision's networks, or None for
                a file that was saved from a state of this network.

        Raises:
            StateError: the file cannot be read, or its tensors are not those of the network.
            InputError: `names` is neither.
        """
        if names is None:
            return State.load(path)
        if not is_one_of(names, ("torchvision",)):
            raise InputError(
                f"Network.load: names must be 'torchvision' or None, got {names!r}",
                hint='load a file of torchvision\'s with names="torchvision"',
            )
        return holding(dict(_loaded(self, os.fspath(path_of("Network.load", path)))))


class _Stored(Protocol):
    """A tensor of a file, of which rows can be read."""

    def get_shape(self) -> Sequence[int]: ...

    def __getitem__(self, rows: slice) -> Array: ...


def torch_names(module: Module, before: str = "") -> Iterator[tuple[str, Node, bool]]:
    """Every slot under the name that PyTorch gives it, and whether it lies transposed there.

    PyTorch counts the layers of a sequence from 0, and keeps weights of linear layers as (out, in).
    """
    numbered = isinstance(module, Sequential)
    for position, (text, part) in enumerate(module.parts()):
        name = before + (str(position) if numbered else text)
        if isinstance(part, Module):
            yield from torch_names(part, f"{name}.")
        else:
            yield name, part, isinstance(module, Linear) and text == "weight"


def _loaded(network: Module, path: str) -> Iterator[tuple[str, Array]]:
    """(our name, value) of every slot of the network."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            wanted = list(torch_names(network))
            _require_names(path, {name for name, _, _ in wanted}, set(file.keys()))
            for name, slot, transposed in wanted:
                yield _key(slot), _fitting(path, name, slot, file.get_slice(name), transposed)
    except (OSError, SafetensorError) as error:
        raise StateError(
            f"cannot read weights from {path}: {error}",
            hint="give the path of a safetensors file",
        ) from error


def _key(slot: Node) -> str:
    assert isinstance(slot.op, Slot)
    return str(slot.op.key)


def _require_names(path: str, wanted: set[str], found: set[str]) -> None:
    missing = sorted(wanted - found)
    unknown = sorted(name for name in found - wanted if not name.endswith(COUNTED))
    if not missing and not unknown:
        return
    lacking = f"it has no {missing[0]!r}" if missing else f"no layer has its {unknown[0]!r}"
    raise StateError(
        f"{path} holds the weights of another network: {lacking} "
        f"({len(missing)} missing, {len(unknown)} too many)",
        hint="declare the network that the file was saved from, with its number of classes",
    )


def _fitting(path: str, name: str, slot: Node, stored: _Stored, transposed: bool) -> Array:
    shape = tuple(stored.get_shape())
    shape = shape[::-1] if transposed else shape
    if shape != static(slot.shape):
        raise StateError(
            f"{path}: {name!r} has the shape {format_shape(shape)}, the network needs "
            f"{format_shape(slot.shape)}",
            hint="declare the network with the number of classes that the file was saved with",
        )
    value = _turned(stored, shape) if transposed else stored[:]
    return value.astype(slot.type.dtype.numpy, copy=False)


def _turned(stored: _Stored, shape: tuple[int, ...]) -> Array:
    """Rows as columns, a few at a time: the largest layer is not in memory twice."""
    value = aligned_empty(shape, stored[:1].dtype)
    for start in range(0, shape[1], STRIP):
        rows = slice(start, min(start + STRIP, shape[1]))
        value[:, rows] = stored[rows].T
    return value


def classes_of(function: str, classes: int) -> int:
    """A number of classes.

    Raises:
        InputError: it is no positive whole number.
    """
    return count(f"zoo.{function}", "classes", classes, hint="give a number, such as classes=10")
