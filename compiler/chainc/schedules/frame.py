"""What the schedules of one kernel share: its parameters, its operands, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace

from chainc.dataclass import dataclass
from chainc.ir.types import Shape
from chainc.loops.builder import NestBuilder
from chainc.loops.values import Address, Affine, Kind, Parameter, Register
from chainc.lowering.instructions import Reference, Value
from chainc.lowering.kernels import Contraction, Kernel
from chainc.lowering.parts import parts_of
from chainc.lowering.views import Buffer, Literal, Operand, SizeValue, View
from chainc.schedules.layout.access import Access, Capacity, Point, access, part_of, whole
from chainc.schedules.layout.machine import Machine


@dataclass(eq=False)
class Frame:
    """One kernel while its nest is written; `root` computes elements, `followers` go on.

    `first_part` is the number of the kernel's first part. A nest over rows has a frame for each of
    its stages: `around` is where its loops stand along the first axes, `before` a map whose
    elements are computed and written where this stage reads them, and `asked` what is asked for
    so many rows before it is read, wherever the root is computed.
    """

    kernel: Kernel
    capacity: Capacity
    machine: Machine
    builder: NestBuilder = field(default_factory=NestBuilder)
    _even: dict[Address, Register] | None = None  # elements to be stored with the odd ones
    parameters: dict[Buffer, Parameter] = field(default_factory=dict)
    first_part: int = 0
    around: tuple[Affine, ...] = ()
    before: Frame | None = None
    asked: tuple[tuple[View, int], ...] = ()

    def __post_init__(self) -> None:
        parts = enumerate(parts_of(self.kernel), self.first_part)
        self._parts = {part.key: number for number, part in parts}
        self._readers = dict(self._first_readers())
        self.builder.part = self.first_part
        self._place: Place | None = None  # of the last element that anything was read for
        self._written: tuple[Place, Register] | None = None  # the root's last element, read at once
        self._known: tuple[Access, Register] | None = None  # what has been loaded, and turned
        self._read_there: dict[Operand, Register] = {}  # which nothing is written over before
        followers = enumerate(self.kernel.followers, 1)
        self._last_reads = {x.buffer: done for done, each in followers for x in each.reads}

    def _first_readers(self) -> Iterator[tuple[tuple[Buffer, int], int]]:
        """The number of the part that is the first to read an argument of a member."""
        for member in self.kernel.single:
            for instruction in reversed(member.scalars):
                for value in instruction.arguments:
                    yield (member.out, value.index), self._parts[member.out, instruction.node]

    @property
    def root(self) -> Kernel:
        return self.kernel.root

    def part(self, member: Kernel) -> int:
        """The number of what a member is but for its scalars."""
        return self._parts[member.out, None]

    def parameter(self, buffer: Buffer) -> Parameter:
        """A buffer as an argument; arrays of the caller have no padding."""
        if buffer not in self.parameters:
            padded = buffer.role not in ("input", "output")
            name = buffer.name or "value"
            self.parameters[buffer] = Parameter(name, buffer.type.dtype, padded)
        return self.parameters[buffer]

    def access(self, view: View) -> Access:
        return access(view, self.parameter(view.buffer), self.capacity)

    def whole(self, buffer: Buffer) -> Access:
        return whole(buffer, self.parameter(buffer), self.capacity)

    def accesses(self, shape: Shape) -> list[Access]:
        """Of all that is read or written element by element, broadcast to the elements' shape.

        The two operands of a contraction and the operand of a reduction are not among them.
        """
        members = sorted(self.kernel.single, key=lambda member: member.starts_alone)
        views = self._element_views(members)
        outside = [self.access(view).broadcast(shape) for view, own in views if not own]
        return [*outside, *(target.found for target in self._targets(shape))]

    def reads(self, shape: Shape) -> Iterator[Access]:
        """Of those that are read, each from memory: what is written over in the end too."""
        for view, _ in self._element_views(self.kernel.single):
            yield self.access(view).broadcast(shape)

    def _element_views(self, members: Sequence[Kernel]) -> Iterator[tuple[View, bool]]:
        """What each reads element by element, and is it what it writes itself?

        What another member has computed is in a register.
        """
        inside = {member.out for member in members}
        for member in members:
            for view, at_element in member.element_reads():
                own = view.buffer is member.out
                if at_element and (own or view.buffer not in inside):
                    yield view, own

    def _targets(self, shape: Shape) -> Iterator[_Target]:
        """The results that are written, and where."""
        for (result, buffer), part in zip(self.kernel.stored, self.kernel.written, strict=True):
            found = self.whole(buffer)
            there = part_of(found, shape, *part) if part else found.broadcast(shape)
            yield _Target(result, buffer, there)

    def value(self, operand: Operand, place: Place) -> Register:
        """An operand at a place: a register of `place.lanes` lanes, or a scalar alike for all."""
        if isinstance(operand, Literal):
            return self.builder.constant(operand.value, Kind(operand.type.dtype))
        if isinstance(operand, SizeValue):
            return self.builder.size(operand.dim, operand.type.dtype)
        found = self.access(operand).broadcast(place.shape)
        return self.load(found, place)

    def load(self, found: Access, place: Place) -> Register:
        """An element a lane; one scalar where all lanes read the same."""
        if self._known is not None and self._known[0] == found:
            return self._known[1]
        address = self.address(found, place)
        alike = place.lanes == 1 or address.stride == 0
        return self.builder.load(address, 1 if alike else place.lanes)

    def address(self, found: Access, place: Place) -> Address:
        """Of the elements at a place; with masks, every other one is a few loads or stores."""
        address = found.address(place.point, place.vector_axis)
        other = self.machine.masks and address.stride == 2 and place.lanes > 2
        first = place.first or (place.lanes if other else 0)
        return replace(address, first=first) if first and address.stride else address

    def folded(self, kernel: Kernel, place: Place) -> Register:
        """What a reduction folds at a place, as a map's value or as it is read."""
        if kernel.scalars:
            return self.map(kernel, place, {})
        return self._read(kernel, 0, kernel.operands[0], place, {})

    def map(self, kernel: Kernel, place: Place, known: Mapping[Buffer, Register]) -> Register:
        """A map's value at a place; `known` are values that need no load."""
        operands = enumerate(kernel.operands)
        arguments = [self._read(kernel, i, operand, place, known) for i, operand in operands]
        if kernel is self.root and place.lanes > 1:
            for view, rows in self.asked:
                self.builder.prefetch(self._rows_ahead(view, rows, place))
        return self.expression(kernel, arguments)

    def _rows_ahead(self, view: View, rows: int, place: Place) -> Address:
        last = len(self.around) - 1
        position = self.around[last] + rows
        point = (*place.point[:last], position, *place.point[last + 1 :])
        return self.address(self.access(view).broadcast(place.shape), replace(place, point=point))

    def written(self, place: Place) -> Register:
        """The root's value at a place, where it is written as well."""
        if self._written is None or self._written[0] is not place:
            value = self.map(self.root, place, {})
            self.finish(value, place)
            self._written = place, value
        return self._written[1]

    def epilogue(self, kernel: Contraction, value: Register, place: Place) -> Register:
        """What a contraction's epilogue makes of a sum of products at a place."""
        if not kernel.epilogue:
            return value
        operands = enumerate(kernel.operands[2:], 1)
        others = [self._read(kernel, i, operand, place, {}) for i, operand in operands]
        return self.expression(kernel, [value, *others])

    def _read(
        self,
        kernel: Kernel,
        argument: int,
        operand: Operand,
        place: Place,
        known: Mapping[Buffer, Register],
    ) -> Register:
        if isinstance(operand, View) and operand.whole and operand.buffer in known:
            return known[operand.buffer]
        if self.before is not None and operand == View(self.before.root.out, operand.type):
            return self.before.written(place)
        if place is not self._place:
            self._place, self._read_there = place, {}
        if operand not in self._read_there:
            part = self._readers.get((kernel.out, argument), self.builder.part)
            with self.builder.writing(part):
                self._read_there[operand] = self.value(operand, place)
        return self._read_there[operand]

    def expression(self, kernel: Kernel, arguments: Sequence[Register]) -> Register:
        """The value of the kernel's last instruction."""
        results: list[Register] = []
        with self.builder.writing(None):
            for instruction in kernel.scalars:
                self.builder.part = self._parts[kernel.out, instruction.node]
                operands = [self._argument(x, arguments, results) for x in instruction.operands]
                dtype = instruction.type.dtype
                results.append(self.builder.compute(instruction.primitive, *operands, dtype=dtype))
        return results[-1]

    def _argument(
        self, value: Value, arguments: Sequence[Register], results: Sequence[Register]
    ) -> Register:
        if isinstance(value, Reference):
            return value.among(arguments, results)
        return self.builder.constant(value.value, Kind(value.type.dtype))

    def finish(self, value: Register, place: Place) -> None:
        """Hand the root's value at a place to the followers; then write what is kept."""
        self.finish_all({self.root.out: value}, place)

    def finish_all(self, values: Mapping[Buffer, Register], place: Place) -> None:
        """The same with the values of several that are computed together.

        Each is written once what it is written over has been read: it gives its register back.
        """
        known, left = dict(values), list(self._targets(place.shape))
        for done, member in enumerate((None, *self.kernel.followers)):
            if member is not None:
                known[member.out] = self.map(member, place, known)
            for target in list(left):
                if target.result in known and self._last_reads.get(target.buffer, 0) <= done:
                    self._store(known[target.result], target.found, place)
                    left.remove(target)

    def _store(self, value: Register, found: Access, place: Place) -> None:
        with self.builder.writing(value.part):
            self.store(self.builder.splat(value, place.lanes), self.address(found, place))

    def store(self, value: Register, address: Address) -> None:
        """Every other element; then, if those between them follow, all of them side by side."""
        if self._even is None or address.stride != 2 or not address.first:
            self.builder.store(value, address)
            return
        before = self._even.pop(replace(address, position=address.position + -1), None)
        if before is None:
            self._even[address] = value
        else:
            self._store_both(before, value, address)

    @contextmanager
    def knowing(self, found: Access, value: Register) -> Iterator[None]:
        """The elements of an access are in a register wherever it is read."""
        self._known = found, value
        yield
        self._known = None

    @contextmanager
    def interleaved(self) -> Iterator[None]:
        """Stores of even elements wait for those of the odd ones between them."""
        self._even = {}
        yield
        for address, value in self._even.items():
            self.builder.store(value, address)
        self._even = None

    def _store_both(self, even: Register, odd: Register, address: Address) -> None:
        lanes, start, count = odd.kind.lanes, address.position + -1, 2 * address.first
        for first in range(0, count, lanes):
            half = [(first + i) // 2 + (i % 2) * lanes for i in range(lanes)]
            inside = min(count - first, lanes) % lanes
            there = replace(address, position=start + first, stride=1, first=inside)
            self.builder.store(self.builder.shuffle((even, odd), half), there)


@dataclass(frozen=True)
class _Target:
    """Where a result is written: in which buffer, and at which of its elements."""

    result: Buffer
    buffer: Buffer
    found: Access


@dataclass(frozen=True)
class Place:
    """Where elements stand in the iteration space of `shape`; lanes go along `vector_axis`."""

    shape: Shape
    point: Point
    lanes: int = 1
    vector_axis: int | None = None
    first: int = 0  # so many of the lanes are elements; 0: all are
