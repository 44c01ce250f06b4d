"""What every layer is: parts with names, and a function from nodes to a node."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field, fields, replace
from types import FrameType
from typing import TYPE_CHECKING, ClassVar, TypeGuard

from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ir.errors import DTypeError, GraphError, InputError, Location
from chainc.ir.leaves import Label, Slot
from chainc.ir.python.foreign import NoAttributeError
from chainc.ir.types import BY_NAME, DType
from chainc.ops.movement import DimLike
from chainrule.declare.arguments import part_name
from chainrule.declare.calls import answering
from chainrule.nn.assignment import variable_assigned_from

if TYPE_CHECKING:
    from chainrule.nn.summary import Summary

__all__ = ["Module"]

DTypeLike = DType | str | None
Remembered = tuple[Node, ...]  # of the elements of sequences that a layer has read


class Adopting:
    """Attributes that are assigned one by one, as in `self.inner = nn.Linear(3, 4)`."""

    def __setattr__(self, name: str, value: object) -> None:
        # a frozen dataclass gets here only from a subclass that is none
        if "label" not in self.__dict__ and any(_parts_of(name, value)):
            raise _not_begun(self)
        object.__setattr__(self, name, value)
        for text, part in _parts_of(name, value):
            _adopt(self.__dict__["label"], text, part)


@dataclass(frozen=True, eq=False)
class Module(Adopting):
    """A layer: a frozen dataclass whose fields hold its parameters and inner layers.

    A subclass is a frozen dataclass too, and says in `forward` what it computes:

        @dataclass(frozen=True, eq=False)
        class Residual(nn.Module):
            inner: nn.Module

            def forward(self, x):
                return x + self.inner(x)

    or a plain class that assigns its parts in `__init__`, after `super().__init__()`.

    The parts are adopted under the names of their fields, so a parameter is called
    `block/inner/weight`. A layer that no other has adopted is named after the variable it is
    assigned to, or else after its class. A part keeps the first place it was given.

    Attributes:
        name: its own part of the full name, where it was given.
        dtype: the floating-point type of its parameters, and of those of the layers in it, where it
            was given: float32 or float64. Without, they stay as they were declared, float32.
        label: its full name, final once what contains it exists.

    Raises:
        InputError: the name is no name.
        DTypeError: the element type is not floating-point.
        GraphError: two parts have the same name.
    """

    name: str | None = field(default=None, kw_only=True, repr=False)
    dtype: DTypeLike = field(default=None, kw_only=True, repr=False)
    label: Label = field(init=False, repr=False)

    # (*nodes) -> node: what the layer computes.
    forward: ClassVar[Callable[..., Node]]

    def __post_init__(self) -> None:
        kind = type(self).__name__
        if self.name is not None:
            part_name(kind, self.name)
        if self.dtype is not None:
            self._retype(_floats(kind, self.dtype), {})
        text = self.name or self._assigned_name() or kind.lower()
        self._set(label=Label(text, given=self.name is not None))
        self._adopt_parts()

    def __call__(self, *inputs: Node, **named: Node | None) -> Node:
        """The layer's graph over its inputs, in a box with the layer's name.

        What a layer can do without, such as a mask, is given by name, or is None.
        """
        self._check_declared()
        self._adopt_parts()
        for value in (*inputs, *(each for each in named.values() if each is not None)):
            if not isinstance(value, Node):
                raise InputError(
                    f"{self.label}: a layer is applied to nodes, not to a {type(value).__name__}",
                    hint='declare an input, such as x = cr.input("x", ("batch", 64)); '
                    "the numbers are given when the compiled graph is called",
                )
        with scope(self.label.text):
            result = answering(self.forward, f"{self.label}")(*inputs, **named)
        if not isinstance(result, Node):
            raise GraphError(
                f"{self.label}: forward gave a {type(result).__name__}, not a node",
                hint="return the node that the layer computes",
            )
        return result

    def __getattr__(self, name: str) -> Node:
        # only reached where no field or method has this name
        parts = ", ".join(text for text, _ in self.parts()) if "label" in self.__dict__ else ""
        what = f"{type(self).__name__} has no part {name!r}"
        if name.startswith("_"):  # asked for by Python itself, to copy it or to show it
            raise AttributeError(what)
        raise NoAttributeError(what, hint=f"its parts are {parts or 'none'}")

    def parts(self) -> Iterator[tuple[str, Module | Node]]:
        """(name, part) for every layer and parameter that a field holds, in order."""
        declared = [item.name for item in fields(self)]
        for name in dict.fromkeys([*declared, *self.__dict__]):
            yield from _parts_of(name, self.__dict__.get(name))

    def children(self) -> tuple[Module, ...]:
        """The layers directly inside, each once."""
        # by identity: a subclass may compare, and so hash, by the values of its fields
        found = {id(part): part for _, part in self.parts() if isinstance(part, Module)}
        return tuple(found.values())

    def states(self) -> tuple[Node, ...]:
        """Every state slot in the layer and the layers inside it, each once, in order."""
        self._adopt_parts()
        found: list[Node] = []
        for _, part in self.parts():
            found.extend([part] if isinstance(part, Node) else part.states())
        return tuple(dict.fromkeys(found))

    def parameters(self) -> tuple[Node, ...]:
        """The trainable ones among `states()`."""
        return tuple(
            node for node in self.states() if isinstance(node.op, Slot) and node.op.trainable
        )

    def input_shape(self) -> tuple[DimLike, ...] | None:
        """The shape of the input where the layer alone decides it, else None."""
        return None

    def takes_any_shape(self) -> bool:
        """Whether its input may have the shape that a layer after it asks for."""
        return all(child.takes_any_shape() for child in self.children())

    def start(self, batch: int, length: int | None = None) -> Remembered:
        """What it remembers of some sequences before their first elements.

        Nothing, where it does the same with each element alone. A layer that reads elements before
        says it here, and in `step`.

        Args:
            batch: how many sequences.
            length: how many elements they have at most; None where that is not known.

        Raises:
            GraphError: a part of it remembers something, and it does not say how it goes on.
        """
        for child in self.children():
            if child.start(batch, length):
                raise GraphError(
                    f"{self.label}: {type(self).__name__} does not say how it goes on from one "
                    f"element to the next, as its part {child.label} does",
                    hint="define start(self, batch, length) and step(self, carry, x, position)",
                )
        return ()

    def step(self, carry: Sequence[Node], x: Node, position: Node) -> tuple[Remembered, Node]:
        """What it remembers after the next element of each sequence, and what it gives for it.

        Args:
            carry: what `start`, or the step before, gave.
            x: the elements, (batch, ...): no axis of time.
            position: a whole number, which elements they are; the first is 0.
        """
        return (), self(x)

    def read(self, x: Node, count: Node, length: int) -> tuple[Remembered, Node]:
        """What it remembers after the first elements of some sequences, and what it gives for each.

        Args:
            x: the sequences, (batch, time, ...).
            count: a whole number, how many elements there are; the others count for nothing.
            length: how many elements the sequences may have in the end.

        Raises:
            GraphError: it does not say how it goes through several elements at once.
        """
        batch = x.shape[0]
        assert isinstance(batch, int)
        if self.start(batch, length):
            raise GraphError(
                f"{self.label}: {type(self).__name__} does not say how it goes through several "
                "elements at once",
                hint="define read(self, x, count, length), as nn.MultiHeadAttention does",
            )
        return (), self(x)

    def longest(self) -> int | None:
        """How many elements a sequence may have; None: any number."""
        found = [child.longest() for child in self.children()]
        return min((each for each in found if each is not None), default=None)

    def summary(self, input: Node | Sequence[DimLike] | None = None, **sizes: int) -> Summary:
        """Shapes, parameters, FLOPs and bytes of every layer, as a table.

        Args:
            input: the input's shape, or the input; by default the layer's own `input_shape()`.
            sizes: values of named sizes, such as batch=32; 1 for those not given.
        """
        from chainrule.nn.summary import summarize

        return summarize(self, input, sizes)

    def _set(self, **values: object) -> None:
        """Fill fields while the layer is being built."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        shown = ", ".join(f"{text}={part!r}" for text, part in self.parts())
        return f"{type(self).__name__}({shown})"

    def _retype(self, dtype: DType, known: dict[Node, Node]) -> None:
        """Parameters of another type in the place of those that it and its parts have."""
        held = {key: _retyped(value, dtype, known) for key, value in self.__dict__.items()}
        self._set(**{**held, "dtype": dtype})

    def _check_declared(self) -> None:
        if "label" not in self.__dict__:
            raise _not_begun(self)
        if not hasattr(type(self), "forward"):
            raise GraphError(
                f"{self.label}: {type(self).__name__} does not say what it computes",
                hint="define forward(self, x) and return a node",
            )

    def _adopt_parts(self) -> None:
        """Adopt what is there now; a list may have grown since it was assigned."""
        parts = list(self.parts())
        for text, part in parts:
            _adopt(self.label, text, part)
        self._check_names([part for _, part in parts])

    def _check_names(self, parts: Iterable[Module | Node]) -> None:
        owner: dict[str, Module | Node] = {}
        for part in parts:
            path = str(_label_of(part))
            if owner.setdefault(path, part) is not part:
                frame = self._constructing_frame()
                raise GraphError(
                    f"{self.label}: two of its parts are named {path}",
                    where=frame and f"{Location(frame.f_code.co_filename, frame.f_lineno)}",
                    hint="give them different names with name=",
                )

    def _assigned_name(self) -> str | None:
        frame = self._constructing_frame()
        return None if frame is None else variable_assigned_from(frame)

    def _constructing_frame(self) -> FrameType | None:
        """The frame that builds this very object: no method of it, such as its `__init__`."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and _runs_method_of(frame, self):
            frame = frame.f_back
        return frame


def _not_begun(module: object) -> GraphError:
    kind = type(module).__name__
    return GraphError(
        f"{kind}: a layer begins with its name, which it does not have yet",
        hint=f"call super().__init__() first in {kind}.__init__",
    )


def _parts_of(name: str, value: object) -> Iterator[tuple[str, Module | Node]]:
    """A part, or those in a list or dictionary, however deep, each with its own name."""
    if _is_part(value):
        yield name, value
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value, start=1):
            yield from _parts_of(f"{name}{position}", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _parts_of(f"{name}_{key}".replace("/", "_"), item)


def _is_part(value: object) -> TypeGuard[Module | Node]:
    return isinstance(value, Module) or (isinstance(value, Node) and isinstance(value.op, Slot))


def _retyped(value: object, dtype: DType, known: dict[Node, Node]) -> object:
    """What a field holds, with parameters of another type; `known` are those made so far."""
    if isinstance(value, Module):
        value._retype(dtype, known)
    elif isinstance(value, Node) and isinstance(value.op, Slot) and value.dtype.is_float:
        if value not in known:
            op = replace(value.op, type=value.type.with_dtype(dtype))
            known[value] = Node(op, (), op.type, value.origin)
        return known[value]
    elif isinstance(value, list | tuple) and any(_parts_of("", value)):
        return type(value)(_retyped(each, dtype, known) for each in value)
    elif isinstance(value, dict):
        return {key: _retyped(each, dtype, known) for key, each in value.items()}
    return value


def _floats(kind: str, given: object) -> DType:
    found = given if isinstance(given, DType) else BY_NAME.get(str(given))
    if found is None or not found.is_float:
        raise DTypeError(
            f"{kind}: parameters cannot be of dtype {getattr(given, 'name', given)!r}",
            hint='give dtype="float64", or leave it out for float32',
        )
    return found


def _label_of(part: Module | Node) -> Label:
    if isinstance(part, Module):
        return part.label
    assert isinstance(part.op, Slot)
    return part.op.key


def _adopt(parent: Label, text: str, part: Module | Node) -> None:
    """A parameter and a layer with a given name keep it; another layer is called `text`."""
    keeps = isinstance(part, Node) or part.name is not None
    _label_of(part).adopt(parent, None if keeps else text)


def _runs_method_of(frame: FrameType, module: Module) -> bool:
    names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
    return bool(names) and frame.f_locals.get(names[0]) is module
