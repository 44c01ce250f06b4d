"""A graph printed as text, one line a node."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator

from chainc.ir import Graph, Op, Origin
from chainc.ir.leaves import ConstantArray, Label
from chainc.ir.text.reading import array_of
from chainc.ir.text.tokens import is_word
from chainc.ir.types import Array, Dim, DType, Size, TensorType

WRITTEN_IN_FULL = 16  # elements; a larger constant is written as its bytes


def to_text(graph: Graph, *, comments: bool = True) -> str:
    """The graph as text that `parse` reads back; `comments` tell where each node comes from."""
    return "".join(f"{line}\n" for line in _graph_lines(graph, comments))


def same(a: Graph, b: Graph) -> bool:
    """Do both have the same ops, attributes, types, wiring, outputs and updates?

    Constants and attributes are the same when their bits are; a state slot is known by its name.
    """
    if to_text(a, comments=False) != to_text(b, comments=False):
        return False
    return all(_functions(x.op) == _functions(y.op) for x, y in zip(a.nodes, b.nodes, strict=True))


def _graph_lines(graph: Graph, comments: bool) -> Iterator[str]:
    number = {node: f"%{index}" for index, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        operands = ", ".join(number[operand] for operand in node.inputs)
        op = f"{node.op.name}({operands}){_attributes(node.op, node.type, comments)}"
        comment = _comment(node.origin) if comments else ""
        yield f"{number[node]}: {_type(node.type)} = {op}{comment}"
    names = [f"{_name(name)}=" for name in graph.names] or [""] * len(graph.outputs)
    outputs = zip(names, graph.outputs, strict=True)
    yield f"return {', '.join(name + number[node] for name, node in outputs)}".rstrip()
    for slot, value in graph.updates.items():
        yield f"update {number[slot]} = {number[value]}"


def _comment(origin: Origin) -> str:
    parts = (
        origin.location.short if origin.location else "",
        origin.scope,
        origin.derivative.rule if origin.derivative else "",
        origin.rewrite.rule if origin.rewrite else "",
    )
    text = " ".join(part for part in parts if part)
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return f"  # {printable}" if text else ""


def _attributes(op: Op, type: TensorType | None, comments: bool) -> str:
    """The fields as ` name=value`, without defaults, what `repr` hides, and the node's type."""
    texts: list[str] = []
    for field in dataclasses.fields(op):
        value = getattr(op, field.name)
        if not field.repr or (type is not None and value == type):
            continue
        text = _value(value, comments)
        if field.default is dataclasses.MISSING or text != _value(field.default, comments):
            texts.append(f" {field.name}={text}")
    return "".join(texts)


def _value(value: object, comments: bool) -> str:
    if isinstance(value, Graph):
        lines = "".join(f"\n{line}" for line in _graph_lines(value, comments))
        return "{" + lines.replace("\n", "\n  ") + "\n}"
    if isinstance(value, Op):
        return f"{value.name}({_attributes(value, None, comments).lstrip()})"
    if isinstance(value, tuple):
        return f"[{','.join(_value(part, comments) for part in value)}]"
    if isinstance(value, ConstantArray):
        return _literal(value.array)
    return _atom(value)


def _atom(value: object) -> str:
    match value:
        case None | bool():
            return str(value).lower()
        case int() | Size():
            return _dim(value)
        case float():
            return repr(float(value))
        case str() | Label():
            return _quoted(str(value))
        case TensorType():
            return _type(value)
        case DType():
            return value.short
    return f"<{getattr(value, '__qualname__', type(value).__name__)}>"


def _type(type: TensorType) -> str:
    return f"{type.dtype.short}[{','.join(map(_dim, type.shape))}]"


def _dim(dim: Dim) -> str:
    if isinstance(dim, int):
        return str(dim)
    head = [] if dim.coefficient == 1 else [str(dim.coefficient)]
    return "*".join([*head, *map(_name, dim.names)])


def _name(name: str) -> str:
    return name if is_word(name) else _quoted(name)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _literal(array: Array) -> str:
    """Numbers where they say every bit, else the bytes, little-endian."""
    if array.size <= WRITTEN_IN_FULL:
        numbers = [str(element).lower() for element in array.reshape(-1)]
        if array_of(numbers, array.dtype, array.shape).tobytes() == array.tobytes():
            return f"[{','.join(numbers)}]" if array.shape else numbers[0]
    data = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return f'base64"{base64.b64encode(data).decode()}"'


def _functions(op: Op) -> tuple[object, ...]:
    """The attributes that text cannot carry."""
    values = (getattr(op, field.name) for field in dataclasses.fields(op) if field.repr)
    return tuple(value for value in values if callable(value))
