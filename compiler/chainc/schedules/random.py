"""Random bits and pseudo-random orders, by functions of the runtime that keep no state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from chainc.dataclass import dataclass
from chainc.ir.types import Dim, Shape, TensorType, int32, int64, product
from chainc.loops.values import Affine, Bound, Kind, Register, affine
from chainc.lowering.kernels import Applied, Kernel
from chainc.lowering.views import Buffer, View
from chainc.ops.families.philox import WORDS
from chainc.ops.families.random import Draw, Permutation, RandomWords
from chainc.schedules.elementwise import WORTH_SHARING, Sweep
from chainc.schedules.frame import Frame, Place
from chainc.schedules.layout.access import Access, PanelPosition, Point, bound_of
from chainc.schedules.layout.positions import element

COST = 8  # elements of other kernels that take as long as one here

# Of a0 a1 a2 a3 b0 b1 b2 b3.
_FIRST_TWO, _LAST_TWO = (0, 4, 1, 5), (2, 6, 3, 7)  # in turn
_FIRST_HALF, _LAST_HALF = (0, 1, 4, 5), (2, 3, 6, 7)


def schedule_random_bits(_family: RandomWords, frame: Frame) -> None:
    """Philox words, and the maps that go on with them."""
    shape = frame.root.out.type.shape
    if 0 in shape:
        return
    accesses = frame.accesses(shape)
    words = _words(frame)
    if _side_by_side(shape, accesses):
        _in_order(words, shape)
    elif _in_whole_vectors(words.lanes, shape, accesses):
        _by_panels(words, shape)
    else:
        _anywhere(words, shape, accesses)


def schedule_permutation(_family: Permutation, frame: Frame) -> None:
    """A pseudo-random order; each entry is found without the others."""
    root = frame.root
    type, builder = root.out.type, frame.builder
    seed, step, stream = _numbers(frame)
    (keys,) = builder.call("permutation.keys", (seed, stream, step), [Kind(int32, 12)])
    count = builder.size(type.shape[0], int64)

    def body(place: Place) -> None:
        index = builder.positions(element(place.point[0]), place.lanes)
        function = f"permuted.v{place.lanes}"
        (entry,) = builder.call(function, (index, count, keys), [index.kind])
        frame.finish(entry, place)

    lanes = frame.machine.lanes(int64)
    accesses = frame.accesses(type.shape)
    Sweep(frame, type.shape, accesses, lanes, weight=COST).run(body)


def _numbers(frame: Frame) -> tuple[Register, Register, Register]:
    """Seed, step and stream."""
    seed, step, stream = (frame.value(each, Place((), ())) for each in frame.root.operands)
    return frame.builder.cast(seed, int64), frame.builder.cast(step, int64), stream


def with_stream(kernel: Kernel) -> Kernel:
    """Draws read their stream from memory, so that those of the same shape share their code."""
    if not isinstance(kernel, Applied) or not isinstance(kernel.family, Draw):
        return kernel
    type = TensorType((), int32)
    data = (kernel.family.stream & 0xFFFFFFFF).to_bytes(4, "little")
    stream = View(Buffer("stream", type, "constant", data=data), type)
    family = replace(kernel.family, stream=0)
    return replace(kernel, operands=(*kernel.operands, stream), family=family)


def _side_by_side(shape: Shape, accesses: Sequence[Access]) -> bool:
    """All elements lie in row-major order without gaps, or are the same element."""
    axes = [axis for axis, dim in enumerate(shape) if dim != 1]
    if not axes or any(found.panels is not None for found in accesses):
        return False
    for outer, inner in pairwise(axes):
        dim = shape[inner]
        if not isinstance(dim, int):
            return False
        if any(found.strides[outer] != found.strides[inner] * dim for found in accesses):
            return False
    return True


def _in_whole_vectors(lanes: int, shape: Shape, accesses: Sequence[Access]) -> bool:
    """Vectors lie along the last axis, and can all be done whole; no block straddles a row."""
    if len(shape) < 2 or not all(isinstance(dim, int) for dim in shape[1:]):
        return False
    last, width = len(shape) - 1, shape[-1]
    assert isinstance(width, int)

    def past_end(found: Access) -> bool:
        own = found.splits(last) or not any(found.strides)
        return own and found.parameter.padded

    def vectors(found: Access) -> bool:
        if found.panels is not None:
            return found.splits(last) and found.lanes == lanes
        return found.strides[last] in (0, 1)

    whole = width % lanes == 0 or all(map(past_end, accesses))
    return whole and width % WORDS == 0 and all(map(vectors, accesses))


@dataclass(frozen=True)
class _Words:
    """The words of Philox for one stream, seed and step."""

    frame: Frame
    counter: Sequence[Register]  # stream, low and high word of the step and of the seed

    @property
    def lanes(self) -> int:
        return self.frame.machine.lanes(int32)

    def of_blocks(self, blocks: Register) -> Sequence[Register]:
        """The four words of each block."""
        function, kinds = f"philox.v{blocks.kind.lanes}", [blocks.kind] * WORDS
        return self.frame.builder.call(function, (blocks, *self.counter), kinds)

    @property
    def at_once(self) -> int:
        """Calls of Philox: each waits for its own products. Short vectors leave no room for two."""
        return 2 if self.lanes > WORDS else 1

    def fours(self, firsts: Sequence[Affine], apart: int) -> Sequence[Register]:
        """Four vectors for each of these first blocks."""
        return [vector for first in firsts for vector in self.rows(first, apart)]

    def rows(self, first: Affine, apart: int) -> Sequence[Register]:
        """Four vectors: number i begins with block `first` + i · `apart` and goes on from there.

        Of 8 lanes: the words of blocks 0, 2, 4, 6, 1, 3, 5, 7, and of each four lanes they are
        transposed, which leaves them in order.
        """
        builder = self.frame.builder
        lane = builder.positions(Affine(), self.lanes, int32)
        four, distance = (builder.constant(each, lane.kind) for each in (WORDS, apart))
        further = builder.compute("divide", lane, four)
        number = builder.compute("subtract", lane, builder.compute("multiply", further, four))
        blocks = builder.compute("add", further, builder.compute("multiply", number, distance))
        start = builder.cast(builder.positions(first, 1), int32)
        a, b, c, d = self.of_blocks(builder.compute("add", start, blocks))
        low, low_behind = self._paired(a, b, _FIRST_TWO), self._paired(c, d, _FIRST_TWO)
        high, high_behind = self._paired(a, b, _LAST_TWO), self._paired(c, d, _LAST_TWO)
        return [
            self._paired(front, behind, half)
            for front, behind in ((low, low_behind), (high, high_behind))
            for half in (_FIRST_HALF, _LAST_HALF)
        ]

    def _paired(self, a: Register, b: Register, picked: Sequence[int]) -> Register:
        """Of each four lanes of `a` and of `b`, which count on from those."""
        fours = range(0, self.lanes, WORDS)
        chosen = [
            four + place if place < WORDS else self.lanes + four + place - WORDS
            for four in fours
            for place in picked
        ]
        return self.frame.builder.shuffle([a, b], chosen)

    def of_elements(self, positions: Register) -> Register:
        """Of any elements, counted in row-major order: a whole block for each."""
        builder = self.frame.builder
        four = builder.constant(WORDS, Kind(int64))
        blocks = builder.compute("divide", positions, four)
        start = builder.compute("multiply", blocks, four)
        within = builder.cast(builder.compute("subtract", positions, start), int32)
        first, *others = self.of_blocks(builder.cast(blocks, int32))
        value = first
        for place, word in enumerate(others, 1):
            here = builder.compare("equal", within, builder.constant(place, Kind(int32)))
            value = builder.compute("select", here, word, value)
        return value

    def shared(self, shape: Shape, stop: Bound, grain: int = 1) -> tuple[Bound, Bound]:
        elements = self.frame.capacity.dim(product(shape))
        if elements * COST < WORTH_SHARING:
            return 0, stop
        return self.frame.builder.share(stop, grain)


def _words(frame: Frame) -> _Words:
    builder = frame.builder
    seed, step, stream = _numbers(frame)
    counter = [stream]
    for number in (step, seed):
        unit = builder.constant(1 << 32, Kind(int64))
        high = builder.compute("floor_divide", number, unit)
        counter += [builder.cast(number, int32), builder.cast(high, int32)]
    return _Words(frame, counter)


def _in_order(words: _Words, shape: Shape) -> None:
    """One run through memory: four vectors at a time, then vectors, then elements."""
    frame, builder, lanes = words.frame, words.frame.builder, words.lanes
    axis = max(axis for axis, dim in enumerate(shape) if dim != 1)
    total = product(shape)

    def finish(value: Register, position: Affine) -> None:
        point: Point = tuple(position if each == axis else Affine() for each in range(len(shape)))
        count = value.kind.lanes
        frame.finish(value, Place(shape, point, count, axis if count > 1 else None))

    four = builder.constant(WORDS, Kind(int64))
    start, stop = words.shared(shape, bound_of(total), words.at_once * WORDS * lanes)
    for calls in _calls(total, WORDS * lanes, words.at_once):
        with builder.loop("four", start, stop, calls * WORDS * lanes) as loop:
            here = affine(loop.index)
            block = affine(builder.compute("divide", builder.positions(here, 1), four))
            firsts = [block + call * lanes for call in range(calls)]
            for number, value in enumerate(words.fours(firsts, lanes // WORDS)):
                finish(value, here + number * lanes)
        start = loop.index
    for name, count, before in (("vector", lanes, WORDS * lanes), ("element", 1, lanes)):
        if isinstance(total, int) and total % before < count:
            continue
        with builder.loop(name, start, stop, count) as loop:
            here = affine(loop.index)
            finish(words.of_elements(builder.positions(here, count)), here)
        start = loop.index


def _by_panels(words: _Words, shape: Shape) -> None:
    """Panel by panel: four rows at a time, then row by row."""
    lanes, width = words.lanes, shape[-1]
    assert isinstance(width, int)
    bounds = words.shared(shape, -(-width // lanes))
    with words.frame.builder.loop("panel", *bounds) as loop:
        _rows_of_panel(words, shape, affine(loop.index), ())


def _rows_of_panel(words: _Words, shape: Shape, panel: Affine, outer: tuple[Affine, ...]) -> None:
    frame, builder, lanes, axis = words.frame, words.frame.builder, words.lanes, len(outer)
    if axis < len(shape) - 2:
        with builder.loop(f"i{axis}", 0, bound_of(shape[axis])) as loop:
            _rows_of_panel(words, shape, panel, (*outer, affine(loop.index)))
        return

    def finish(value: Register, row: Affine) -> None:
        point: Point = (*outer, row, PanelPosition(panel, Affine(), lanes))
        frame.finish(value, Place(shape, point, lanes, axis + 1))

    rows, blocks = bound_of(shape[axis]), _blocks_of_rows(shape)
    start: Bound = 0
    for calls in _calls(shape[axis], WORDS, words.at_once):
        with builder.loop("four", start, rows, calls * WORDS) as loop:
            row = affine(loop.index)
            first = _block(shape, (*outer, row)) + panel * (lanes // WORDS)
            firsts = [first + call * WORDS * blocks for call in range(calls)]
            for number, value in enumerate(words.fours(firsts, blocks)):
                finish(value, row + number)
        start = loop.index
    count = shape[axis]
    if isinstance(count, int) and count % WORDS == 0:
        return
    with builder.loop("row", start, rows) as loop:
        row = affine(loop.index)
        element_of_row = _block(shape, (*outer, row)) * WORDS + panel * lanes
        finish(words.of_elements(builder.positions(element_of_row, lanes)), row)


def _calls(total: Dim, each: int, at_once: int) -> Iterator[int]:
    """How many calls the passes of each loop have; of a known number those that are needed."""
    for calls in sorted({at_once, 1}, reverse=True):
        if not isinstance(total, int):
            yield calls
            continue
        left = total if calls == at_once else total % (at_once * each)
        if left >= calls * each:
            yield calls


def _blocks_of_rows(shape: Shape) -> int:
    """How many blocks a row along the last axis takes."""
    assert isinstance(shape[-1], int)
    return shape[-1] // WORDS


def _block(shape: Shape, point: Sequence[Affine]) -> Affine:
    """The first block of a row along the last axis; only the first axis has a named size."""
    block = Affine()
    for position, dim in zip(point, (*shape[1:-1], _blocks_of_rows(shape)), strict=True):
        assert isinstance(dim, int)
        block = (block + position) * dim
    return block


def _anywhere(words: _Words, shape: Shape, accesses: Sequence[Access]) -> None:
    """Element by element: four times the work, for any layout."""
    frame, builder = words.frame, words.frame.builder

    def body(place: Place) -> None:
        flat = builder.constant(0, Kind(int64))
        for axis, position in enumerate(place.point):
            lanes = place.lanes if axis == place.vector_axis else 1
            scaled = builder.compute("multiply", flat, builder.size(shape[axis], int64))
            here = builder.positions(element(position), lanes)
            flat = builder.compute("add", scaled, here)
        frame.finish(words.of_elements(flat), place)

    Sweep(frame, shape, accesses, words.lanes, weight=COST).run(body)
