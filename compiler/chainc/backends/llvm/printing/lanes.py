"""Functions on lanes as LLVM text."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from chainc.backends.math.lanes import BITS, LaneFunction, Number, Value

SHORT = {"float": "f32", "double": "f64", "i64": "i64"}


class LlvmLanes(LaneFunction):
    """An LLVM function while it is being built, for the always-inliner."""

    def __init__(self, lanes: int) -> None:
        super().__init__(lanes)
        self.lines = ["entry:"]
        self.block = "entry"
        self._names = 0

    def append(self, element: str, instruction: str, lanes: int) -> Value:
        name = f"%{self._fresh()}"
        self.lines.append(f"  {name} = {instruction}")
        return Value(self, element, name, lanes)

    # operands

    def parameter(self, element: str, name: str, lanes: int | None = None) -> Value:
        return Value(self, element, f"%{name}", self.lanes if lanes is None else lanes)

    def constant(self, element: str, number: Number, lanes: int | None = None) -> Value:
        lanes = self.lanes if lanes is None else lanes
        one = literal(element, number)
        return Value(self, element, one if lanes == 1 else f"splat ({element} {one})", lanes)

    def constants(self, element: str, numbers: Sequence[int]) -> Value:
        each = ", ".join(f"{element} {number}" for number in numbers)
        return Value(self, element, f"<{each}>", len(numbers))

    # instructions

    def binary(self, instruction: str, a: Value, b: Value) -> Value:
        return self.append(a.element, f"{instruction} {_typed(a)}, {b.text}", a.lanes)

    def compared(self, relation: str, a: Value, b: Value) -> Value:
        compare = "fcmp" if a.is_float else "icmp"
        return self.append("i1", f"{compare} {relation} {_typed(a)}, {b.text}", a.lanes)

    def negative(self, x: Value) -> Value:
        return self.append(x.element, f"fneg {_typed(x)}", x.lanes)

    def converted(self, instruction: str, x: Value, element: str) -> Value:
        line = f"{instruction} {_typed(x)} to {vector_type(element, x.lanes)}"
        return self.append(element, line, x.lanes)

    def intrinsic(self, name: str, *operands: Value) -> Value:
        first = operands[0]
        kind = _type(first)
        full = f"@llvm.{name}.{'' if first.lanes == 1 else f'v{first.lanes}'}{SHORT[first.element]}"
        kinds, arguments = [kind] * len(operands), [_typed(operand) for operand in operands]
        if name == "ctlz":
            kinds.append("i1")
            arguments.append("i1 false")
        self.declares.add(f"declare {kind} {full}({', '.join(kinds)})")
        line = f"call {kind} {full}({', '.join(arguments)})"
        return self.append(first.element, line, first.lanes)

    def splat(self, scalar: Value) -> Value:
        if scalar.lanes == self.lanes:
            return scalar
        kind = vector_type(scalar.element, self.lanes)
        first = f"insertelement {kind} poison, {_typed(scalar)}, i32 0"
        one = self.append(scalar.element, first, self.lanes)
        line = (
            f"shufflevector {kind} {one.text}, {kind} poison, <{self.lanes} x i32> zeroinitializer"
        )
        return self.append(scalar.element, line, self.lanes)

    def lane(self, vector: Value, place: int) -> Value:
        return self.append(vector.element, f"extractelement {_typed(vector)}, i32 {place}", 1)

    def shuffled(self, a: Value, b: Value, order: Sequence[int]) -> Value:
        places = ", ".join(f"i32 {place}" for place in order)
        line = f"shufflevector {_typed(a)}, {_typed(b)}, <{len(order)} x i32> <{places}>"
        return self.append(a.element, line, len(order))

    def chosen(self, condition: Value, a: Value, b: Value) -> Value:
        line = f"select {_typed(condition)}, {_typed(a)}, {_typed(b)}"
        return self.append(a.element, line, a.lanes)

    def any(self, mask: Value) -> Value:
        if mask.lanes == 1:
            return mask
        word = f"i{mask.lanes}"
        bits = self.append(word, f"bitcast {_typed(mask)} to {word}", 1)
        return bits.differs(0)

    # blocks

    def repeat(
        self,
        start: Sequence[Value],
        step: Callable[[Sequence[Value]], tuple[Sequence[Value], Value]],
    ) -> Sequence[Value]:
        before, head, after = self.block, self._fresh("loop"), self._fresh("done")
        self._jump(f"br label %{head}", head)
        place = len(self.lines)
        carried = [Value(self, v.element, f"%{self._fresh()}", v.lanes) for v in start]
        following, unfinished = step(carried)
        again, tail = self.any(unfinished), self.block
        self.lines[place:place] = [
            f"  {now.text} = phi {_type(now)} [ {first.text}, %{before} ], [ {last.text}, %{tail} ]"
            for now, first, last in zip(carried, start, following, strict=True)
        ]
        self._jump(f"br i1 {again.text}, label %{head}, label %{after}", after)
        return following

    def where_any(
        self, mask: Value, otherwise: Sequence[Value], body: Callable[[], Sequence[Value]]
    ) -> list[Value]:
        before, rare, after = self.block, self._fresh("rare"), self._fresh("joined")
        self._jump(f"br i1 {self.any(mask).text}, label %{rare}, label %{after}", rare)
        found = [self.select(mask, a, b) for a, b in zip(body(), otherwise, strict=True)]
        tail = self.block
        self._jump(f"br label %{after}", after)
        return [
            self.append(
                a.element,
                f"phi {_type(a)} [ {b.text}, %{before} ], [ {a.text}, %{tail} ]",
                a.lanes,
            )
            for a, b in zip(found, otherwise, strict=True)
        ]

    # the whole

    def text(self, name: str, parameters: Sequence[Value], results: Sequence[Value]) -> str:
        kind, result = _type(results[0]), results[0].text
        if len(results) > 1:
            kind, result = self._together(results)
        head = ", ".join(map(_typed, parameters))
        return "\n".join([
            f"define internal {kind} @{name}({head}) alwaysinline nounwind memory(none) {{",
            *self.lines,
            f"  ret {kind} {result}",
            "}",
        ])  # fmt: skip

    def _together(self, results: Sequence[Value]) -> tuple[str, str]:
        """Several results as a structure."""
        kind = f"{{ {', '.join(map(_type, results))} }}"
        together = "poison"
        for place, result in enumerate(results):
            line = f"insertvalue {kind} {together}, {_typed(result)}, {place}"
            together = self.append(kind, line, 1).text
        return kind, together

    def _fresh(self, word: str = "v") -> str:
        self._names += 1
        return f"{word}{self._names}"

    def _jump(self, branch: str, label: str) -> None:
        self.lines += [f"  {branch}", f"{label}:"]
        self.block = label


class Avx512Lanes(LlvmLanes):
    """With AVX-512's instruction that multiplies by powers of two."""

    def scaled(self, x: Value, n: Value) -> Value | None:
        """See `LaneFunction`: for whole vectors."""
        found = {("float", 16): ("ps", "i16"), ("double", 8): ("pd", "i8")}.get(
            (x.element, x.lanes)
        )
        if found is None:
            return None
        (name, mask), kind = found, _type(x)
        full = f"@llvm.x86.avx512.mask.scalef.{name}.512"
        self.declares.add(f"declare {kind} {full}({kind}, {kind}, {kind}, {mask}, i32 immarg)")
        rounded = f"{kind} zeroinitializer, {mask} -1, i32 4"  # all lanes, as is set
        return self.append(
            x.element, f"call {kind} {full}({_typed(x)}, {_typed(n)}, {rounded})", x.lanes
        )


def _type(value: Value) -> str:
    return vector_type(value.element, value.lanes)


def _typed(value: Value) -> str:
    return f"{_type(value)} {value.text}"


def vector_type(element: str, lanes: int) -> str:
    return element if lanes == 1 else f"<{lanes} x {element}>"


def literal(element: str, number: Number) -> str:
    """A number as LLVM writes it: bits in hexadecimal for floating point, always of a double."""
    if element not in BITS:
        return str(number)
    rounded = struct.unpack("<f", struct.pack("<f", number))[0] if element == "float" else number
    return f"0x{struct.unpack('<Q', struct.pack('<d', rounded))[0]:016X}"
