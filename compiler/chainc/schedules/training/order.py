"""The order of the rows: entries of `philox.permutation`, or one after the other.

    order.given(order, start, count)
    order.slot(count)
    order.keys(keys, seed, epoch, slot)
    order.rows(order, keys, start, count, slot)

Few rows do not fill the lanes, so those of several epochs are ordered together: each epoch has a
slot of lanes, the power of two from 4 to 64 that holds `count` rows, or 64 for more of them.
`keys` is room for KEYS_BYTES: for each round of the network a key for every lane, then Philox's
words; behind it is room for entries that are outside after a pass. `rows` writes entries start … of
the order, or for few rows all entries of the orders of 64 / slot epochs, each at a multiple of
`slot`.

Rounds are loops, not unrolled as in kernels: they are compiled in a fraction of the time, and
independent lanes hide their latency.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainc.ir.types import bool_, int32, int64
from chainc.loops.language import Routine
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, Affine, Kind, Parameter, Register, affine
from chainc.ops.families import philox
from chainc.schedules.layout.machine import Machine
from chainc.schedules.training.layout import (
    KEYS_BYTES,
    LANES,
    ROUNDS,
    WORDS_AT,
    order_room,
)

GIVEN_LANES = 8
MOST_WALKING = 32
BLOCK = 4  # lanes of an epoch: its three blocks, and an idle one
EPOCHS = 2  # whose words are made together: those of more do not fit into registers
PHILOX = Kind(int64, BLOCK * EPOCHS)


def walking(machine: Machine) -> int:
    """Lanes that walk together: more of them do not fit into registers."""
    return min(MOST_WALKING, 4 * machine.lanes(int32))


def given_order(rows: int) -> Routine:
    """Rows start … start + `rows` - 1, or those of them that there are."""
    to = RoutineBuilder()
    order = to.buffer("order", int64, padded=True)
    start, count = to.number("start"), to.number("count")
    wanted = to.smaller(to.minus(count, start), rows)
    with to.loop("some", 0, _parts(to, wanted, GIVEN_LANES)) as loop:
        place = affine(loop.index) * GIVEN_LANES
        row = to.positions(place + affine(start), GIVEN_LANES)
        to.store(row, Address(order, place))
    return to.routine("order.given", "rows one after the other")


def slot_of() -> Routine:
    """How many lanes an epoch has."""
    to = RoutineBuilder()
    count = to.number("count")
    bits = to.minus(64, _leading_zeros(to, to.minus(count, 1)), "bits")
    slot = _bits(to, "shift_left", 1, to.smaller(to.larger(bits, 2), 6), "slot")
    return to.routine("order.slot", "lanes of an epoch", result=slot, inlined=True)


def order_keys(stream: int) -> Routine:
    """Philox's words for the orders of a stream in some epochs, and from them keys for lanes."""
    to = RoutineBuilder()
    keys = to.buffer("keys", int32, padded=True)
    seed, epoch, slot = to.number("seed"), to.number("epoch"), to.number("slot")
    words = to.within(keys, WORDS_AT, "words", int32, padded=True)
    orders = to.quotient(LANES, slot, "orders")
    with to.loop("group", 0, _parts(to, orders, EPOCHS)) as loop:
        first = to.plus(epoch, to.positions(affine(loop.index) * EPOCHS, 1))
        numbers = to.constants([lane // BLOCK for lane in range(PHILOX.lanes)], int64)
        epochs = to.compute("add", first, numbers, name="epochs")
        for word, found in enumerate(_philox(to, stream, seed, epochs)):
            place = affine(loop.index) * (philox.WORDS * PHILOX.lanes) + PHILOX.lanes * word
            to.store(to.cast(found, int32), Address(words, place))
    _spread(to, keys, words, slot)
    return to.routine("order.keys", "keys of the orders of some epochs")


def _philox(
    to: RoutineBuilder, stream: int, seed: Register, epochs: Register
) -> Sequence[Register]:
    """Four words a lane.

    Words are the lower halves of 64 bits, so products keep their carry.
    """
    blocks = to.constants([*philox.KEY_BLOCKS, philox.MASK] * EPOCHS, int64)
    streams = to.constant(stream, PHILOX)
    high = _bits(to, "shift_right", seed, 32, "high")
    counter = [blocks, streams, epochs, _bits(to, "shift_right", epochs, 32)]
    with to.loop("round", 0, philox.ROUNDS, 1, [*counter, seed, high]) as loop:
        c0, c1, c2, c3, low, high = loop.values
        p0, p1 = (
            to.compute("multiply", _bits(to, "bit_and", word, philox.MASK), to.integer(factor))
            for word, factor in zip((c0, c2), philox.MULTIPLIERS, strict=True)
        )
        d0, d2 = (
            _bits(to, "bit_xor", _bits(to, "bit_xor", _bits(to, "shift_right", p, 32), c), key)
            for p, c, key in ((p1, c1, low), (p0, c3, high))
        )
        low, high = (to.plus(key, more) for key, more in zip((low, high), philox.WEYL, strict=True))
        loop.carry(d0, p1, d2, p0, low, high)
    return loop.results[:4]


def _spread(to: RoutineBuilder, keys: Parameter, words: Parameter, slot: Register) -> None:
    """Every lane gets the twelve words of its epoch, as they follow each other in three blocks."""
    with to.loop("four", 0, LANES // 4) as loop:
        lane = affine(loop.index) * 4
        order = to.quotient(to.positions(lane, 1), slot, "order")
        group, within = (_bits(to, "bit_and", order, mask) for mask in (-EPOCHS, EPOCHS - 1))
        first = affine(group) * (philox.WORDS * BLOCK) + affine(within) * BLOCK
        for number in range(ROUNDS + 1):
            block, word = divmod(number, 4)
            key = to.load(Address(words, first + PHILOX.lanes * word + block), name="key")
            to.store(to.splat(key, 4), Address(keys, lane + LANES * number))


def order_of_rows(rows: int, lanes: int) -> Routine:
    """So many entries at a time, or those of them that there are; so many lanes walk together."""
    to = RoutineBuilder()
    order = to.buffer("order", int64, padded=True)
    keys = to.buffer("keys", int32, padded=True)
    start, count, slot = to.number("start"), to.number("count"), to.number("slot")
    last = to.minus(count, 1, "last")
    network = _Network(to, keys, last, lanes)
    within = to.minus(slot, 1)
    end = to.splat(count, lanes)
    wanted = to.smaller(to.minus(count, start), rows)
    few = to.is_less(slot, LANES, "few")
    with (
        to.loop("some", 0, _parts(to, wanted, LANES)) as loop,
        to.loop("half", 0, to.integer(LANES // lanes)) as half,
    ):
        first, place = affine(half.index) * lanes, affine(loop.index) * LANES
        lane = to.compute("add", to.positions(first, 1), to.constants(range(lanes), int64))
        lane = _bits(to, "bit_and", within, lane, "lane")
        index = to.compute("add", to.positions(place + affine(start), 1), lane, name="index")
        inside = to.compare("less", index, end)
        zero = to.constant(0, network.word)
        begin = to.compute("select", inside, to.cast(index, int32), zero, name="values")
        row = _row(to, network.walked(begin, first, few))
        to.store(row, Address(order, place + first))
    with to.when(to.opposite(few)):
        _Outside(to, network, order, rows).walk(wanted, last)
    return to.routine("order.rows", "entries of the orders of some epochs")


def _row(to: RoutineBuilder, values: Register) -> Register:
    return _bits(to, "bit_and", to.cast(values, int64), philox.MASK, "row")


class _Outside:
    """The entries of one order that are outside after a pass, and go through the network again.

    Only they: with a row in four inside, vectors whose lanes all wait for the last one of them
    take three times as many passes. `values` holds what they are by now, `places` where they stand
    in the order.
    """

    def __init__(self, to: RoutineBuilder, network: _Network, order: Parameter, rows: int) -> None:
        self.to, self.network, self.order = to, network, order
        self.values = to.within(network.keys, KEYS_BYTES, "values", int32, padded=True)
        behind = KEYS_BYTES + order_room(rows) // 2
        self.places = to.within(network.keys, behind, "places", int32, padded=True)

    def walk(self, wanted: Register, last: Register) -> None:
        """Until all of the order's entries are inside 0 … last."""
        to = self.to
        with to.loop("entry", 0, wanted, 1, [to.integer(0)]) as loop:
            row = to.load(Address(self.order, affine(loop.index)), name="row")
            place = to.cast(to.positions(loop.index, 1), int32)
            loop.carry(self._kept(row, place, loop.values[0], last))
        with to.when(to.is_less(0, loop.results[0])), to.repeat([loop.results[0]]) as walk:
            count = self._pass(walk.values[0], last)
            walk.carry(count, again=to.is_less(0, count))

    def _pass(self, count: Register, last: Register) -> Register:
        """Of so many entries: how many are still outside."""
        to, lanes = self.to, self.network.word.lanes
        with to.loop("some", 0, _parts(to, count, lanes)) as loop:
            there = Address(self.values, affine(loop.index) * lanes)
            values = to.load(there, lanes, "values")
            to.store(self.network.permuted(values, Affine()), there)
        with to.loop("entry", 0, count, 1, [to.integer(0)]) as entries:
            value = to.load(Address(self.values, affine(entries.index)), name="value")
            place = to.load(Address(self.places, affine(entries.index)), name="place")
            row = _row(to, value)
            to.store(row, Address(self.order, affine(to.cast(place, int64))))
            entries.carry(self._kept(row, place, entries.values[0], last))
        return entries.results[0]

    def _kept(self, row: Register, place: Register, count: Register, last: Register) -> Register:
        """How many are outside with this one, which is written behind them and counts if it is."""
        to = self.to
        to.store(to.cast(row, int32), Address(self.values, affine(count)))
        to.store(place, Address(self.places, affine(count)))
        return to.plus(count, to.cast(to.is_less(last, row), int64), "outside")


class _Network:
    """A balanced Feistel network over numbers of 2 · `half` bits; see `philox.permutation`."""

    def __init__(self, to: RoutineBuilder, keys: Parameter, last: Register, lanes: int) -> None:
        self.to, self.keys, self.word = to, keys, Kind(int32, lanes)
        bits = to.minus(65, _leading_zeros(to, last))
        half = to.larger(_bits(to, "shift_right", bits, 1), 1, "half")
        self.half = to.splat(to.cast(half, int32), lanes)
        ones = _bits(to, "shift_left", to.constant(1, self.word), self.half)
        self.low = to.compute("subtract", ones, to.constant(1, self.word), name="low")
        self.last = to.splat(to.cast(last, int32), lanes)

    def _key(self, number: Affine, first: Affine) -> Register:
        return self.to.load(Address(self.keys, number * LANES + first), self.word.lanes, "key")

    def walked(self, begin: Register, first: Affine, on: Register) -> Register:
        """Through the network, `on` until every lane is inside 0 … last.

        The first lane has a number.
        """
        to = self.to
        with to.repeat([begin, to.constant(True, Kind(bool_, self.word.lanes), "outside")]) as walk:
            values, outside = walk.values
            permuted = self.permuted(values, first)
            following = to.compute("select", outside, permuted, values, name="values")
            still = to.compute("unsigned_less", self.last, following, dtype=bool_, name="outside")
            walk.carry(following, still, again=to.both(on, to.somewhere(still)))
        return walk.results[0]

    def permuted(self, values: Register, lane: Affine) -> Register:
        """After one pass."""
        to = self.to
        halves = [
            _bits(to, "shift_right", values, self.half, "left"),
            _bits(to, "bit_and", values, self.low, "right"),
        ]
        with to.loop("round", 0, ROUNDS, 1, halves) as loop:
            left, right = loop.values
            mixed = self._mixed(_bits(to, "bit_xor", right, self._key(affine(loop.index), lane)))
            loop.carry(right, _bits(to, "bit_xor", left, mixed))
        left, right = loop.results
        whole = _bits(to, "bit_or", _bits(to, "shift_left", left, self.half), right, "whole")
        first = to.compute("unsigned_less", whole, to.constant(2, self.word), dtype=bool_)
        exchange = _bits(to, "bit_and", self._key(affine(ROUNDS), lane), 1, "exchange")
        return to.compute("select", first, _bits(to, "bit_xor", whole, exchange), whole)

    def _mixed(self, word: Register) -> Register:
        """Every bit of the result depends on every bit of the word (MurmurHash3's finalizer)."""
        to = self.to
        for shift, factor in zip((16, 13), philox.MIX_FACTORS, strict=True):
            word = _bits(to, "bit_xor", word, _bits(to, "shift_right", word, shift))
            word = to.compute("multiply", word, to.constant(factor - (1 << 32), self.word))
        word = _bits(to, "bit_xor", word, _bits(to, "shift_right", word, 16))
        return _bits(to, "bit_and", word, self.low)


def _bits(
    to: RoutineBuilder, primitive: str, a: Register | int, b: Register | int, name: str = ""
) -> Register:
    """A primitive on bits; a number has the type of the other operand."""
    kinds = [Kind(each.kind.dtype) for each in (a, b) if isinstance(each, Register)]
    kind = kinds[0] if kinds else Kind(int64)
    x, y = (each if isinstance(each, Register) else to.constant(each, kind) for each in (a, b))
    return to.compute(primitive, x, y, name=name)


def _leading_zeros(to: RoutineBuilder, value: Register) -> Register:
    return to.compute("leading_zeros", value, name="zeros")


def _parts(to: RoutineBuilder, count: Register, size: int) -> Register:
    """How many parts of a size there are; the last one may not be whole."""
    return to.quotient(to.plus(count, size - 1), size)
