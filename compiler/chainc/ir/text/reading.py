"""Graph text read back, also when a stranger wrote it.

Ops are looked up in the closed registry, nothing is evaluated, every type is inferred again, and
length, depth, ranks and counts are limited.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from types import NoneType, UnionType
from typing import TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import REGISTRY, Graph, Node, Op, Origin
from chainc.ir.errors import Location, MisfitError, ParseError, VerifyError
from chainc.ir.leaves import ConstantArray, Label, Slot
from chainc.ir.text.tokens import Token, Tokens
from chainc.ir.types import BY_NAME, Array, Dim, DType, Size, TensorType, named, product
from chainc.ir.verify import inferred, verify

T = TypeVar("T")

MAX_DEPTH = 16  # graphs inside ops inside graphs …
MAX_NODES = 1 << 18
MAX_RANK = 64  # NumPy's


def parse(text: str) -> Graph:
    """The graph that the text describes, verified.

    Raises:
        ParseError: the text is not a graph; with the line, and a caret below the place.
        GraphError: two state slots, or two different inputs, have one name.
    """
    reader = _Reader(Tokens(text))
    graph = reader.graph()
    reader.tokens.take("end")
    try:
        verify(graph)
    except VerifyError as error:
        raise ParseError(error.what, where=error.where, hint="mend the line") from error
    return graph


def array_of(numbers: Sequence[str], dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> Array:
    """The array that the numbers write; one that does not fit is a ValueError or OverflowError."""
    readers: Mapping[str, Callable[[str], float]] = {"f": float, "b": ("false", "true").index}
    read = readers.get(dtype.kind, int)
    with np.errstate(over="ignore", under="ignore"):
        return np.array([read(number) for number in numbers], dtype).reshape(shape)


@dataclass
class _Reader:
    """Reads graphs, and each attribute by the annotation of its field."""

    tokens: Tokens
    nodes: int = 0
    depth: int = 0
    annotations: dict[type[Op], Mapping[str, object]] = field(default_factory=dict)

    def graph(self) -> Graph:
        values: dict[str, Node] = {}
        self.tokens.skip_newlines()
        while self.tokens.next.kind == "node":
            self._node(values)
            self.tokens.skip_newlines()
        names, outputs = self._outputs(values)
        self.tokens.skip_newlines()
        updates: dict[Node, Node] = {}
        while self.tokens.take_if("word", "update"):
            self._update(values, updates)
            self.tokens.skip_newlines()
        return Graph(outputs, updates, names)

    def _node(self, values: dict[str, Node]) -> None:
        name = self.tokens.take("node")
        self.nodes += 1
        if name.text in values:
            raise self.tokens.error(
                f"{name.text} is defined twice", "give every node its own number", name
            )
        if self.nodes > MAX_NODES:
            raise self.tokens.error(f"more than {MAX_NODES} nodes", "split the graph", name)
        self.tokens.take("sign", ":")
        type_at = self.tokens.next
        type = self.type()
        self.tokens.take("sign", "=")
        op_at = self.tokens.next
        cls = self._op_class(Op)
        inputs = tuple(self._operands(values))
        op = self._op(cls, op_at, type)
        self.tokens.take("newline")
        self._check_type(op, inputs, type, op_at, type_at)
        values[name.text] = Node(op, inputs, type, Origin(Location("text", name.line)))

    def _check_type(
        self, op: Op, inputs: Sequence[Node], type: TensorType, op_at: Token, type_at: Token
    ) -> None:
        try:
            found = inferred(op, [operand.type for operand in inputs])
        except MisfitError as misfit:
            raise self.tokens.error(f"{op.name}: {misfit}", misfit.hint, op_at) from misfit
        if found != type:
            raise self.tokens.error(
                f"{op.name} gives {found}, and {type} is written", f"write {found}", type_at
            )

    def _operands(self, values: Mapping[str, Node]) -> Iterator[Node]:
        self.tokens.take("sign", "(")
        while self.tokens.next.kind == "node":
            yield self._defined(values)
            if not self.tokens.take_if("sign", ","):
                break
        self.tokens.take("sign", ")")

    def _defined(self, values: Mapping[str, Node]) -> Node:
        token = self.tokens.take("node")
        if token.text not in values:
            raise self.tokens.error(
                f"{token.text} is not defined above", "define a node before it is used", token
            )
        return values[token.text]

    def _outputs(self, values: Mapping[str, Node]) -> tuple[tuple[str, ...], tuple[Node, ...]]:
        self.tokens.take("word", "return")
        names: list[str] = []
        outputs: list[Node] = []
        while self.tokens.next.kind != "newline":
            if self.tokens.next.kind != "node":
                names.append(self.name())
                self.tokens.take("sign", "=")
            outputs.append(self._defined(values))
            if not self.tokens.take_if("sign", ","):
                break
        if names and len(names) != len(outputs):
            raise self.tokens.error(
                f"{len(outputs)} outputs have {len(names)} names",
                "name all outputs, or none",
                self.tokens.next,
            )
        self.tokens.take("newline")
        return tuple(names), tuple(outputs)

    def _update(self, values: Mapping[str, Node], updates: dict[Node, Node]) -> None:
        token = self.tokens.next
        slot = self._defined(values)
        self.tokens.take("sign", "=")
        value = self._defined(values)
        if not isinstance(slot.op, Slot) or slot in updates or slot.type != value.type:
            raise self.tokens.error(
                f"{token.text} cannot be updated so",
                "update a state slot once, with a node of its type",
                token,
            )
        updates[slot] = value

    def _op_class(self, base: type[Op]) -> type[Op]:
        token = self.tokens.take("word")
        cls = REGISTRY.get(token.text)
        if cls is None or not issubclass(cls, base):
            raise self.tokens.error(
                f"there is no op {token.text!r}", "use an op that this version has", token
            )
        if not all(_is_readable(hint) for hint in self._fields(cls).values()):
            raise self.tokens.error(
                f"{token.text} holds a Python function, which text cannot carry",
                "declare this part of the graph in Python",
                token,
            )
        return cls

    def _fields(self, cls: type[Op]) -> Mapping[str, object]:
        """The annotations of the fields that text carries."""
        if cls not in self.annotations:
            hints = get_type_hints(cls)
            names = [field.name for field in dataclasses.fields(cls) if field.repr]
            self.annotations[cls] = {name: hints[name] for name in names}
        return self.annotations[cls]

    def _op(self, cls: type[Op], op_at: Token, type: TensorType | None) -> Op:
        """The op with the attributes that follow; a type that is left out is the node's."""
        hints = self._fields(cls)
        given: dict[str, object] = {}
        while self.tokens.next.kind == "word":
            token = self.tokens.take("word")
            if token.text not in hints or token.text in given:
                expected = ", ".join(hints) or "none"
                raise self.tokens.error(
                    f"{cls.name} has no place for an attribute {token.text!r}",
                    f"its attributes are {expected}, each once",
                    token,
                )
            self.tokens.take("sign", "=")
            given[token.text] = self._value(hints[token.text], type)
        for missing in dataclasses.fields(cls):
            if missing.name in given or missing.default is not dataclasses.MISSING:
                continue
            if hints.get(missing.name) is not TensorType or type is None:
                raise self.tokens.error(
                    f"{cls.name} lacks its attribute {missing.name}",
                    f"write {missing.name}=... after the operands",
                    op_at,
                )
            given[missing.name] = type
        build: Callable[..., Op] = cls
        return build(**given)

    def _value(self, hint: object, type: TensorType | None) -> object:
        """A value of the annotated kind; `type` is the node's, which a literal has too."""
        alternatives = _alternatives(hint)
        if NoneType in alternatives and self.tokens.take_if("word", "none"):
            return None
        if ConstantArray in alternatives and type is not None:
            return self._literal(type)
        if get_origin(hint) is tuple:
            part = get_args(hint)[0]
            return tuple(self._bracketed(lambda: self._value(part, None)))
        for kind, read in _READERS.items():
            if kind in alternatives:
                return read(self)
        return self._nested_op(hint)

    def _nested_op(self, hint: object) -> Op:
        assert isinstance(hint, type)
        at = self.tokens.next
        cls = self._op_class(hint)
        self.tokens.take("sign", "(")
        op = self._op(cls, at, None)
        self.tokens.take("sign", ")")
        return op

    def _bracketed(self, read: Callable[[], T]) -> list[T]:
        """Values between brackets, with commas between them."""
        values: list[T] = []
        self.tokens.take("sign", "[")
        while not self.tokens.take_if("sign", "]"):
            values.append(read())
            if not self.tokens.take_if("sign", ","):
                self.tokens.take("sign", "]")
                break
        return values

    def block(self) -> Graph:
        at = self.tokens.take("sign", "{")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.tokens.error(
                f"graphs are nested more than {MAX_DEPTH} deep", "write them flat", at
            )
        graph = self.graph()
        self.tokens.take("sign", "}")
        self.depth -= 1
        return graph

    def type(self) -> TensorType:
        dtype = self.dtype()
        at = self.tokens.next
        dims = self._bracketed(self.dim)
        if len(dims) > MAX_RANK:
            raise self.tokens.error(f"more than {MAX_RANK} axes", "use fewer axes", at)
        return TensorType(tuple(dims), dtype)

    def dtype(self) -> DType:
        token = self.tokens.take("word")
        if token.text not in BY_NAME:
            raise self.tokens.error(
                f"{token} is no element type", f"use one of {', '.join(BY_NAME)}", token
            )
        return BY_NAME[token.text]

    def dim(self) -> Dim:
        at = self.tokens.next
        factors = [self._factor()]
        while self.tokens.take_if("sign", "*"):
            factors.append(self._factor())
            if len(factors) > MAX_RANK:
                raise self.tokens.error("a product of too many sizes", "use fewer names", at)
        return product(factors)

    def _factor(self) -> Dim:
        return self.tokens.size() if self.tokens.next.kind == "number" else named(self.name())

    def name(self) -> str:
        return self.tokens.take("word").text if self.tokens.next.kind == "word" else self.string()

    def string(self) -> str:
        token = self.tokens.take("string")
        with self._expecting("a string in double quotes, escaped as in JSON", token):
            return str(json.loads(token.text))

    def integer(self) -> int:
        return self.tokens.integer()

    def boolean(self) -> bool:
        token = self.tokens.take("word")
        with self._expecting("true or false", token):
            return bool(("false", "true").index(token.text))

    def number(self) -> float | int:
        """An integer where it is written as one."""
        token = self.tokens.next
        if token.text.lstrip("-").isdigit():
            return self.tokens.integer()
        with self._expecting("a number", token):
            return float(self._element())

    def label(self) -> Label:
        return Label(self.string())

    def _element(self) -> str:
        return self.tokens.take("word" if self.tokens.next.kind == "word" else "number").text

    def _literal(self, type: TensorType) -> ConstantArray:
        at = self.tokens.next
        shape = tuple(dim for dim in type.shape if isinstance(dim, int))
        with self._expecting(f"the elements of {type}, or base64 and their bytes", at):
            if len(shape) < type.ndim:
                raise ValueError("a constant has no named sizes")
            if self.tokens.take_if("word", "base64"):
                data = base64.b64decode(self.tokens.take("string").text[1:-1], validate=True)
                return ConstantArray(_array_of_bytes(data, type.dtype, shape))
            numbers = self._bracketed(self._element) if shape else [self._element()]
            return ConstantArray(array_of(numbers, type.dtype.numpy, shape))

    @contextmanager
    def _expecting(self, what: str, at: Token) -> Iterator[None]:
        """Turn a failed conversion of a token into an error at its place."""
        try:
            yield
        except ParseError:
            raise
        except (ValueError, OverflowError) as error:
            raise self.tokens.error(f"expected {what}: {error}", f"write {what}", at) from error


def _array_of_bytes(data: bytes, dtype: DType, shape: tuple[int, ...]) -> Array:
    array = np.frombuffer(data, dtype.numpy.newbyteorder("<")).astype(dtype.numpy)
    if dtype.is_bool and any(byte > 1 for byte in data):
        raise ValueError("a Boolean's byte is 0 or 1")
    return array.reshape(shape)


def _alternatives(hint: object) -> tuple[object, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _is_readable(hint: object) -> bool:
    if get_origin(hint) is tuple:
        return _is_readable(get_args(hint)[0])
    known = {*_READERS, ConstantArray}
    return any(kind in known for kind in _alternatives(hint)) or (
        isinstance(hint, type) and issubclass(hint, Op)
    )


# How to read an attribute, by its annotation; of a union the first one found here.
_READERS: Mapping[object, Callable[[_Reader], object]] = {
    Size: _Reader.dim,
    float: _Reader.number,
    int: _Reader.integer,
    bool: _Reader.boolean,
    str: _Reader.string,
    DType: _Reader.dtype,
    TensorType: _Reader.type,
    Label: _Reader.label,
    Graph: _Reader.block,
}
