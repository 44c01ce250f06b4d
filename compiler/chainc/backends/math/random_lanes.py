"""Philox4x32-10 and the keyed permutation as functions on lanes.

The numbers are those of chainc.ops.families.philox.

    { T, T, T, T } @philox.v<n>(T block, i32 stream, i32 step_low, i32 step_high,
                                i32 key_low, i32 key_high)             with T = <n x i32>
    <n x i64> @permuted.v<n>(<n x i64> index, i64 count, <12 x i32> keys)
    <12 x i32> @permutation.keys(i64 seed, i32 stream, i64 step)

Of one lane, T is i32 and <n x i64> is i64. `count` is at most 2³²; an index that is not below
it gives what index 0 gives, so that a vector may stand out past the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainc.backends.math.lanes import LaneFunction, Value, Write
from chainc.ops.families import philox

KEYS = 12


def parts(names: Iterable[str], write: Write) -> tuple[list[str], set[str]]:
    """The functions of these names, each once and in a fixed order, and what they declare."""
    built = [_function(write, *name.split(".")) for name in sorted(set(names))]
    declares = set().union(*(function.declares for function, _ in built))
    return [text for _, text in built], declares


def _function(write: Write, family: str, kind: str) -> tuple[LaneFunction, str]:
    if family == "permutation":
        return _keys(write(4))
    f = write(int(kind.removeprefix("v")))
    return _philox(f) if family == "philox" else _permuted(f)


def _philox(f: LaneFunction) -> tuple[LaneFunction, str]:
    names = ("stream", "step_low", "step_high", "key_low", "key_high")
    parameters = [f.parameter("i32", "block"), *(f.parameter("i32", name, 1) for name in names)]
    return f, f.text(f"philox.v{f.lanes}", parameters, _rounds(f, parameters))


def _rounds(f: LaneFunction, parameters: Sequence[Value]) -> list[Value]:
    """The four result words of a block, its three other counter words and the key.

    Words are held in 64 bits whose upper half is ignored, so a round is two products of 32 bits,
    and keys count on in vectors. Those of all rounds and the words of two calls are more than
    there are registers: the keys are read from memory, which takes less than to count again.
    """
    c0, c1, c2, c3, low, high = (f.splat(word).convert("zext", "i64") for word in parameters)
    for _ in range(philox.ROUNDS):
        p0, p1 = (
            (c & philox.MASK) * factor
            for c, factor in zip((c0, c2), philox.MULTIPLIERS, strict=True)
        )
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ low, p1, (p0 >> 32) ^ c3 ^ high, p0
        low, high = low + philox.WEYL[0], high + philox.WEYL[1]
    return [word.convert("trunc", "i32") for word in (c0, c1, c2, c3)]


def _keys(f: LaneFunction) -> tuple[LaneFunction, str]:
    """The twelve words of the last three blocks, from one call of four lanes."""
    seed, stream, step = (
        f.parameter(element, name, 1)
        for element, name in (("i64", "seed"), ("i32", "stream"), ("i64", "step"))
    )
    words_of_scalars = [
        (number >> shift).convert("trunc", "i32") for number in (step, seed) for shift in (0, 32)
    ]
    numbers = [number - (1 << 32) for number in (*philox.KEY_BLOCKS, philox.MASK)]
    block = f.constants("i32", numbers)
    words = _rounds(f, [block, stream, *words_of_scalars])
    pairs = [f.shuffled(a, b, range(8)) for a, b in (words[:2], words[2:])]
    order = [place % 4 * 4 + place // 4 for place in range(KEYS)]
    keys = f.shuffled(pairs[0], pairs[1], order)
    return f, f.text("permutation.keys", [seed, stream, step], [keys])


def _permuted(f: LaneFunction) -> tuple[LaneFunction, str]:
    index, count = f.parameter("i64", "index"), f.parameter("i64", "count", 1)
    keys = f.parameter("i32", "keys", KEYS)
    last = count - 1
    inside = index.unsigned_less(f.splat(count))
    start = f.select(inside, index, 0).convert("trunc", "i32")
    final = f.splat(last.convert("trunc", "i32"))
    network = _Network(f, last, keys)

    def step(carried: Sequence[Value]) -> tuple[Sequence[Value], Value]:
        values, outside = carried
        values = f.select(outside, network.permuted(values), values)
        outside = final.unsigned_less(values)
        return (values, outside), outside

    everywhere = f.constant("i1", 1)
    values, _ = f.repeat((start, everywhere), step)
    result = values.convert("zext", "i64")
    return f, f.text(f"permuted.v{f.lanes}", [index, count, keys], [result])


class _Network:
    """The balanced Feistel network of `philox.permutation`, for values of 32 bits."""

    def __init__(self, f: LaneFunction, last: Value, keys: Value) -> None:
        self.function = f
        half = _half(f, last)
        self.half = f.splat(half.convert("trunc", "i32"))
        one = f.constant("i32", 1)
        self.low_half = (one << self.half) - 1
        self.keys = [f.splat(f.lane(keys, place)) for place in range(KEYS)]

    def permuted(self, values: Value) -> Value:
        left, right = values >> self.half, values & self.low_half
        for key in self.keys[:-1]:
            left, right = right, left ^ (_mixed(right ^ key) & self.low_half)
        permuted = left << self.half | right
        exchanged = permuted ^ (self.keys[-1] & 1)
        return self.function.select(permuted.unsigned_less(2), exchanged, permuted)


def _half(f: LaneFunction, last: Value) -> Value:
    """How many bits each half has: the least, but 1, with 4^half > last."""
    half = (65 - f.intrinsic("ctlz", last)) >> 1
    return f.select(half < 1, 1, half)


def _mixed(words: Value) -> Value:
    """MurmurHash3's finalizer."""
    words = (words ^ (words >> 16)) * philox.MIX_FACTORS[0]
    words = (words ^ (words >> 13)) * philox.MIX_FACTORS[1]
    return words ^ (words >> 16)
