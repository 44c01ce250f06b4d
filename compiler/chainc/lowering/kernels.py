"""Kernels: what one loop nest writes from what it reads, and the facts that are asked of it.

The compiler makes and joins some kernels itself: maps, contractions, reductions, copies, fills,
and groups of these (`grouping.py`). All others are `Applied` families. Every fact stands in
`Kernel`, and is refused where a class does not state it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property

from chainc.dataclass import dataclass
from chainc.ir import Node, Origin
from chainc.ir.kernels import Family
from chainc.ir.types import Dim, DType, Shape, TensorType, named_axes, product, promote
from chainc.lowering.instructions import Argument, Instruction, Reference, Value
from chainc.lowering.naming import named_buffer
from chainc.lowering.views import Buffer, Operand, View

Part = tuple[tuple[int, ...], ...]  # of a buffer, by its starts and steps; empty: all of it
Names = Mapping[Buffer, Buffer]  # other buffers in the place of some


@dataclass(frozen=True)
class Kernel:
    """Writes `out` from its operands.

    `origin` says where that comes from, `node` for which node of the lowered graph it is done:
    None where storage alone asks for it. Neither decides what code is printed.
    """

    out: Buffer
    operands: tuple[Operand, ...]
    origin: Origin = field(default_factory=Origin, kw_only=True)
    node: Node | None = field(default=None, kw_only=True, compare=False, repr=False)

    @property
    def leads(self) -> bool:
        """May maps that go on with its elements be done with it?"""
        return False

    @cached_property
    def reads(self) -> tuple[View, ...]:
        return tuple(operand for operand in self.operands if isinstance(operand, View))

    @cached_property
    def outs(self) -> tuple[Buffer, ...]:
        """Every buffer that is written."""
        return tuple(target for _, target in self.stored)

    @property
    def stored(self) -> tuple[tuple[Buffer, Buffer], ...]:
        """Which results are written, and where."""
        return ((self.out, self.out),)

    @property
    def written(self) -> tuple[Part, ...]:
        """Which part of its buffer each of `stored` is."""
        return ((),) * len(self.stored)

    @property
    def single(self) -> tuple[Kernel, ...]:
        """The kernels that are done together: itself, or the members of a group."""
        return (self,)

    @property
    def root(self) -> Kernel:
        """The first of them, which computes elements."""
        return self.single[0]

    @property
    def followers(self) -> tuple[Map, ...]:
        """Those that go on with the root's elements."""
        return tuple(member for member in self.single[1:] if isinstance(member, Map))

    @property
    def subject(self) -> Kernel | Family:
        """What schedules and statements are chosen by."""
        return self

    @property
    def scalars(self) -> tuple[Instruction, ...]:
        """What is done at each element."""
        return ()

    @property
    def starts_alone(self) -> bool:
        """Does it compute something before the first of `scalars`?"""
        return True

    @property
    def takes_panels(self) -> bool:
        """May what it reads and writes lie in panels?"""
        return False

    @property
    def one_by_one(self) -> bool:
        """Does it read and write single elements, no vectors?"""
        return False

    @property
    def index(self) -> tuple[View, Dim] | None:
        """The operand that holds indices, and the bound that they must stay below."""
        return None

    @property
    def checks_indices(self) -> bool:
        """Must it refuse an index that is out of range?"""
        return False

    @property
    def multiplications(self) -> Dim:
        """How many there are in its contraction."""
        return 0

    @property
    def keeps_rows_apart(self) -> bool:
        """Is row i of the result computed from row i of the operands alone?"""
        return False

    def element_reads(self) -> Iterator[tuple[View, bool]]:
        """Every view that is read, and whether only the element that is being written is."""
        return ((view, False) for view in self.reads)

    def apart(self) -> Iterator[Kernel]:
        """The same as kernels of one scalar primitive each."""
        yield self

    def over(self, names: Names) -> Kernel:
        """The same kernel over other buffers; itself where none of its own has another name."""
        operands, out = renamed_all(self.operands, names), names.get(self.out, self.out)
        if operands is self.operands and out is self.out:
            return self
        return replace(self, out=out, operands=operands)

    def reading(self, view: View, instead: View) -> Kernel:
        """The same kernel with another view in the place of one."""
        return replace(self, operands=tuple(instead if x is view else x for x in self.operands))


def renamed_all(operands: tuple[Operand, ...], names: Names) -> tuple[Operand, ...]:
    """All of them over other buffers; the same tuple where none is over one of these."""
    if not any(isinstance(each, View) and each.buffer in names for each in operands):
        return operands
    return tuple([renamed(each, names) for each in operands])


def renamed(operand: Operand, names: Names) -> Operand:
    """The operand over another buffer."""
    if not isinstance(operand, View) or operand.buffer not in names:
        return operand
    return replace(operand, buffer=names[operand.buffer])


@dataclass(frozen=True)
class Map(Kernel):
    """An expression of scalar primitives per element; operands broadcast to `out`.

    The last instruction's value is written.
    """

    instructions: tuple[Instruction, ...]

    @property
    def leads(self) -> bool:
        return True

    @property
    def scalars(self) -> tuple[Instruction, ...]:
        return self.instructions

    @property
    def starts_alone(self) -> bool:
        return False

    @property
    def takes_panels(self) -> bool:
        return True

    @property
    def keeps_rows_apart(self) -> bool:
        return True

    def element_reads(self) -> Iterator[tuple[View, bool]]:
        return ((view, True) for view in self.reads)

    def apart(self) -> Iterator[Kernel]:
        return _one_by_one(self, self.operands, self.instructions)


@dataclass(frozen=True)
class Contraction(Kernel):
    """A two-operand einsum over operands 0 and 1, with an optional epilogue.

    The epilogue's argument 0 is the sum of products, the others are operands 2, 3, …. In pieces of
    so many products, sums are added to what `out` holds. Operand 0 may be `masked`, mostly zeros.
    """

    letters: tuple[str, str, str]
    epilogue: tuple[Instruction, ...] = ()
    product: Buffer | None = None  # for the sum of products, if the epilogue is done apart
    piece: int = 0
    masked: bool = False

    @property
    def leads(self) -> bool:
        return not self.piece

    @property
    def scalars(self) -> tuple[Instruction, ...]:
        return self.epilogue

    @property
    def takes_panels(self) -> bool:
        return True

    @property
    def extents(self) -> Mapping[str, Dim]:
        """The size of every axis letter."""
        factors = zip(self.letters[:2], self.reads[:2], strict=True)
        pairs = [zip(letters, view.type.shape, strict=True) for letters, view in factors]
        return {letter: dim for pair in pairs for letter, dim in pair}

    @property
    def multiplications(self) -> Dim:
        return product(self.extents.values())

    @property
    def factor_type(self) -> DType:
        """The element type of a product."""
        common = promote(*(view.type.dtype for view in self.reads[:2]))
        assert common is not None, "factors have a common type"
        return common

    @property
    def accumulator(self) -> DType:
        """The element type in which products are added up."""
        return self.factor_type.accumulator

    @property
    def keeps_rows_apart(self) -> bool:
        factors = zip(self.letters[:2], self.operands[:2], strict=True)
        rows = (letters[axis] for letters, x in factors for axis in named_axes(x.type.shape))
        return all(letter in self.letters[2] for letter in rows)

    def element_reads(self) -> Iterator[tuple[View, bool]]:
        return ((x, n > 1) for n, x in enumerate(self.operands) if isinstance(x, View))

    def apart(self) -> Iterator[Kernel]:
        if self.product is None:
            yield self
            return
        operands, sums = self.operands[:2], View(self.product, self.product.type)
        yield Contraction(self.product, operands, self.letters, origin=self.origin, node=self.node)
        yield from _one_by_one(self, (sums, *self.operands[2:]), self.epilogue)


@dataclass(frozen=True)
class Reduction(Kernel):
    """Folds along `axes` with a scalar primitive: operand 0, or what `terms` make of all."""

    primitive: str
    axes: tuple[int, ...]
    keepdims: bool
    terms: tuple[Instruction, ...] = ()

    @property
    def leads(self) -> bool:
        return True

    @property
    def scalars(self) -> tuple[Instruction, ...]:
        return self.terms

    @property
    def folded(self) -> TensorType:
        """The type of what is folded."""
        return self.terms[-1].type if self.terms else self.operands[0].type

    @property
    def accumulator(self) -> DType:
        """The element type in which elements are folded."""
        dtype = self.folded.dtype
        return dtype if self.primitive in ("maximum", "minimum") else dtype.accumulator

    @property
    def takes_panels(self) -> bool:
        return True

    @property
    def keeps_rows_apart(self) -> bool:
        return not set(self.axes) & set(named_axes(self.folded.shape))


@dataclass(frozen=True)
class Copy(Kernel):
    """Operand 0 written to `out` from `starts` on, every `steps`-th element apart."""

    starts: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()

    def element_reads(self) -> Iterator[tuple[View, bool]]:
        return ((view, not self.starts) for view in self.reads)

    @property
    def takes_panels(self) -> bool:
        return True

    @property
    def keeps_rows_apart(self) -> bool:
        return True


@dataclass(frozen=True)
class Fill(Kernel):
    """One value everywhere, or around the part from `starts` on of shape `inside`."""

    value: float = 0.0
    starts: tuple[int, ...] = ()
    inside: Shape = ()

    @property
    def takes_panels(self) -> bool:
        return True

    @property
    def keeps_rows_apart(self) -> bool:
        return True


@dataclass(frozen=True)
class Applied(Kernel):
    """What a family makes of the operands, which are those of the family and its tables.

    Of a family that updates, operand 0 has been copied to `out` before, and is not listed.
    """

    family: Family
    checked: bool = True  # the kernel itself must refuse an index out of range

    @property
    def subject(self) -> Family:
        return self.family

    @property
    def leads(self) -> bool:
        return self.family.leads(self.out.type.shape)

    @property
    def takes_panels(self) -> bool:
        return self.family.takes_panels

    @property
    def one_by_one(self) -> bool:
        return self.family.one_by_one

    @property
    def index(self) -> tuple[View, Dim] | None:
        found = self.family.index(self.out.type.shape, self._shapes)
        if found is None:
            return None
        position, bound = found
        indices = self.operands[position - self.family.updates]
        assert isinstance(indices, View), "indices are tensors"
        return indices, bound

    @property
    def checks_indices(self) -> bool:
        return self.checked

    @property
    def keeps_rows_apart(self) -> bool:
        return self.family.keeps_rows_apart(self.out.type.shape, self._shapes)

    @property
    def _shapes(self) -> Sequence[Shape]:
        """Of the operands as the family counts them."""
        shapes = tuple(operand.type.shape for operand in self.operands)
        return (self.out.type.shape, *shapes) if self.family.updates else shapes


def _one_by_one(
    kernel: Kernel, arguments: Sequence[Operand], instructions: Sequence[Instruction]
) -> Iterator[Kernel]:
    results: list[Operand] = []
    for index, instruction in enumerate(instructions):
        last = index == len(instructions) - 1
        origin = instruction.origin
        out = kernel.out if last else named_buffer(origin, instruction.primitive, instruction.type)
        operands = tuple(_operand(value, arguments, results) for value in instruction.operands)
        references = tuple(Argument(i, operand.type) for i, operand in enumerate(operands))
        alone = replace(instruction, operands=references)
        yield Map(out, operands, (alone,), origin=origin, node=kernel.node)
        results.append(View(out, out.type))


def _operand(value: Value, arguments: Sequence[Operand], results: Sequence[Operand]) -> Operand:
    return value.among(arguments, results) if isinstance(value, Reference) else value
