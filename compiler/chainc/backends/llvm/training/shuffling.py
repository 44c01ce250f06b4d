"""The order of the rows as LLVM text: entries of `philox.permutation`, 64 at a time.

    i64 @order.slot(i64 count)
    void @order.keys(ptr keys, i64 seed, i64 epoch, i64 slot)
    void @order.rows(ptr order, ptr keys, i64 start, i64 count, i64 slot)

Few rows do not fill the lanes, so those of several epochs are ordered together: each epoch has a
slot of lanes, the power of two from 4 to 64 that holds `count` rows, or 64 for more of them.
`keys` is room for KEYS_BYTES: for each round of the network a key for every lane, then Philox's
words. `rows` writes entries start … of the order, or for few rows all entries of the orders of
64 / slot epochs, each at a multiple of `slot`.

Rounds are loops, not unrolled as in `random_lanes`: they are compiled in a fraction of the time,
and independent lanes hide their latency.
"""

from __future__ import annotations

from collections.abc import Iterable
from string import Template

from chainc.interpreters import philox

LANES = 64
ROUNDS = 11  # of the Feistel network; the twelfth key says whether 0 and 1 change places
WORDS_AT = 4 * LANES * (ROUNDS + 1)
GROUPS = 4  # of four epochs, whose words are made together
KEYS_BYTES = WORDS_AT + GROUPS * 4 * 64

SLOT = """\
define internal i64 @order.slot(i64 %count) alwaysinline nounwind {
  %last = sub i64 %count, 1
  %zeros = call i64 @llvm.ctlz.i64(i64 %last, i1 false)
  %bits = sub i64 64, %zeros
  %least = call i64 @llvm.umax.i64(i64 %bits, i64 2)
  %most = call i64 @llvm.umin.i64(i64 %least, i64 6)
  %slot = shl i64 1, %most
  ret i64 %slot
}
"""

# Philox, four lanes an epoch; words are the lower halves of 64 bits, so products keep their carry
KEYS = Template("""\
define internal void @order.keys(ptr %keys, i64 %seed, i64 %epoch, i64 %slot)
    noinline nounwind "no-builtins" {
entry:
  %words = getelementptr i8, ptr %keys, i64 $words_at
  %orders = udiv i64 $lanes, %slot
  %seed.high = lshr i64 %seed, 32
  br label %group
group:
  %done = phi i64 [ 0, %entry ], [ %done.next, %store ]
  %first = add i64 %epoch, %done
$first_all
  %epochs = add <16 x i64> %first.all, <$epochs>
  %epochs.high = lshr <16 x i64> %epochs, splat (i64 32)
  br label %round
round:
  %i = phi i64 [ 0, %group ], [ %i.next, %round ]
  %c0 = phi <16 x i64> [ <$blocks>, %group ], [ %d0, %round ]
  %c1 = phi <16 x i64> [ splat (i64 $stream), %group ], [ %p1, %round ]
  %c2 = phi <16 x i64> [ %epochs, %group ], [ %d2, %round ]
  %c3 = phi <16 x i64> [ %epochs.high, %group ], [ %p0, %round ]
  %low = phi i64 [ %seed, %group ], [ %low.next, %round ]
  %high = phi i64 [ %seed.high, %group ], [ %high.next, %round ]
  %c0.word = and <16 x i64> %c0, splat (i64 $mask)
  %c2.word = and <16 x i64> %c2, splat (i64 $mask)
  %p0 = mul <16 x i64> %c0.word, splat (i64 $multiplier_0)
  %p1 = mul <16 x i64> %c2.word, splat (i64 $multiplier_1)
$low_all
$high_all
  %p1.high = lshr <16 x i64> %p1, splat (i64 32)
  %p0.high = lshr <16 x i64> %p0, splat (i64 32)
  %d0.plain = xor <16 x i64> %p1.high, %c1
  %d0 = xor <16 x i64> %d0.plain, %low.all
  %d2.plain = xor <16 x i64> %p0.high, %c3
  %d2 = xor <16 x i64> %d2.plain, %high.all
  %low.next = add i64 %low, $weyl_0
  %high.next = add i64 %high, $weyl_1
  %i.next = add i64 %i, 1
  %again = icmp slt i64 %i.next, $philox_rounds
  br i1 %again, label %round, label %store
store:
  %place = mul i64 %done, 64
  %target = getelementptr i8, ptr %words, i64 %place
$stores
  %done.next = add i64 %done, 4
  %more = icmp slt i64 %done.next, %orders
  br i1 %more, label %group, label %spread

spread:
  %lane = phi i64 [ 0, %store ], [ %lane.next, %spread ]
  %order = udiv i64 %lane, %slot
  %order.group = and i64 %order, -4
  %order.within = and i64 %order, 3
  %group.at = mul i64 %order.group, 64
  %within.at = mul i64 %order.within, 16
  %word.at = add i64 %group.at, %within.at
  %word = getelementptr i8, ptr %words, i64 %word.at
  %key = getelementptr i32, ptr %keys, i64 %lane
$spread
  %lane.next = add i64 %lane, 4
  %unfinished = icmp slt i64 %lane.next, $lanes
  br i1 %unfinished, label %spread, label %end
end:
  ret void
}
""")

STORE_WORD = Template("""\
  %word.$w = trunc <16 x i64> %$word to <16 x i32>
  %target.$w = getelementptr i8, ptr %target, i64 $place
  store <16 x i32> %word.$w, ptr %target.$w, align 64""")

SPREAD_WORD = Template("""\
  %from.$r = getelementptr i8, ptr %word, i64 $place
  %key.$r = load i32, ptr %from.$r, align 4
  %one.$r = insertelement <4 x i32> poison, i32 %key.$r, i64 0
  %four.$r = shufflevector <4 x i32> %one.$r, <4 x i32> poison, <4 x i32> zeroinitializer
  %to.$r = getelementptr i8, ptr %key, i64 $row
  store <4 x i32> %four.$r, ptr %to.$r, align 16""")

ROWS = Template("""\
define internal void @order.rows(ptr %order, ptr %keys, i64 %start, i64 %count, i64 %slot)
    noinline nounwind "no-builtins" {
entry:
  %last = sub i64 %count, 1
  %zeros = call i64 @llvm.ctlz.i64(i64 %last, i1 false)
  %bits.more = sub i64 65, %zeros
  %half.any = lshr i64 %bits.more, 1
  %half.least = call i64 @llvm.umax.i64(i64 %half.any, i64 1)
  %half = trunc i64 %half.least to i32
$half_all
  %ones = shl $t splat (i32 1), %half.all
  %low = sub $t %ones, splat (i32 1)
  %last.short = trunc i64 %last to i32
$final
  %left = sub i64 %count, %start
  %wanted = call i64 @llvm.umin.i64(i64 %left, i64 $rows)
  %slot.last = sub i64 %slot, 1
$slot_mask
  %lane = and <$lanes x i64> %slot.mask, <$iota>
  %exchange.at = getelementptr i8, ptr %keys, i64 $exchange
  %exchange.key = load $t, ptr %exchange.at, align 64
  %exchange = and $t %exchange.key, splat (i32 1)
$count_all
  br label %next
next:
  %done = phi i64 [ 0, %entry ], [ %done.next, %store ]
  %first = add i64 %start, %done
$first_all
  %index = add <$lanes x i64> %first.all, %lane
  %inside = icmp ult <$lanes x i64> %index, %count.all
  %index.short = trunc <$lanes x i64> %index to $t
  %begin = select <$lanes x i1> %inside, $t %index.short, $t zeroinitializer
  br label %walk
walk:
  %values = phi $t [ %begin, %next ], [ %values.next, %walked ]
  %outside = phi <$lanes x i1> [ splat (i1 true), %next ], [ %outside.next, %walked ]
  %left.first = lshr $t %values, %half.all
  %right.first = and $t %values, %low
  br label %round
round:
  %i = phi i64 [ 0, %walk ], [ %i.next, %round ]
  %left.half = phi $t [ %left.first, %walk ], [ %right.half, %round ]
  %right.half = phi $t [ %right.first, %walk ], [ %right.next, %round ]
  %key.at = getelementptr $t, ptr %keys, i64 %i
  %key = load $t, ptr %key.at, align 64
  %m0 = xor $t %right.half, %key
  %m1 = lshr $t %m0, splat (i32 16)
  %m2 = xor $t %m0, %m1
  %m3 = mul $t %m2, splat (i32 $factor_0)
  %m4 = lshr $t %m3, splat (i32 13)
  %m5 = xor $t %m3, %m4
  %m6 = mul $t %m5, splat (i32 $factor_1)
  %m7 = lshr $t %m6, splat (i32 16)
  %m8 = xor $t %m6, %m7
  %m9 = and $t %m8, %low
  %right.next = xor $t %left.half, %m9
  %i.next = add i64 %i, 1
  %again = icmp slt i64 %i.next, $rounds
  br i1 %again, label %round, label %walked
walked:
  %left.shifted = shl $t %right.half, %half.all
  %whole = or $t %left.shifted, %right.next
  %low.two = icmp ult $t %whole, splat (i32 2)
  %exchanged = xor $t %whole, %exchange
  %permuted = select <$lanes x i1> %low.two, $t %exchanged, $t %whole
  %values.next = select <$lanes x i1> %outside, $t %permuted, $t %values
  %outside.next = icmp ugt $t %values.next, %final
  %any = bitcast <$lanes x i1> %outside.next to i$lanes
  %astray = icmp ne i$lanes %any, 0
  br i1 %astray, label %walk, label %store
store:
  %row = zext $t %values.next to <$lanes x i64>
  %target = getelementptr i64, ptr %order, i64 %done
  store <$lanes x i64> %row, ptr %target, align 64
  %done.next = add i64 %done, $lanes
  %more = icmp slt i64 %done.next, %wanted
  br i1 %more, label %next, label %end
end:
  ret void
}
""")

SPLAT = Template("""\
  %$name.one = insertelement <$lanes x $kind> poison, $kind %$number, i64 0
  %$name = shufflevector <$lanes x $kind> %$name.one, <$lanes x $kind> poison, $zeros""")


def shuffling(stream: int, rows: int) -> str:
    """The functions, for orders of a stream, of which `rows` entries are made at a time."""
    return "\n".join([SLOT, _keys(stream), _rows(rows)])


def _keys(stream: int) -> str:
    blocks = [*philox.KEY_BLOCKS, philox.MASK] * 4
    stores = [
        STORE_WORD.substitute(w=w, word=word, place=64 * w)
        for w, word in enumerate(("d0", "p1", "d2", "p0"))
    ]
    spread = [
        SPREAD_WORD.substitute(r=r, place=64 * (r % 4) + 4 * (r // 4), row=4 * LANES * r)
        for r in range(ROUNDS + 1)
    ]
    return KEYS.substitute(
        words_at=WORDS_AT,
        lanes=LANES,
        mask=philox.MASK,
        epochs=_numbers(lane // 4 for lane in range(16)),
        blocks=_numbers(blocks),
        stream=stream,
        multiplier_0=philox.MULTIPLIERS[0],
        multiplier_1=philox.MULTIPLIERS[1],
        weyl_0=philox.WEYL[0],
        weyl_1=philox.WEYL[1],
        philox_rounds=philox.ROUNDS,
        first_all=_splat("first.all", "i64", "first", 16),
        low_all=_splat("low.all", "i64", "low", 16),
        high_all=_splat("high.all", "i64", "high", 16),
        stores="\n".join(stores),
        spread="\n".join(spread),
    )


def _rows(rows: int) -> str:
    return ROWS.substitute(
        t=f"<{LANES} x i32>",
        lanes=LANES,
        rows=rows,
        rounds=ROUNDS,
        exchange=4 * LANES * ROUNDS,
        iota=_numbers(range(LANES)),
        factor_0=philox.MIX_FACTORS[0] - (1 << 32),
        factor_1=philox.MIX_FACTORS[1] - (1 << 32),
        half_all=_splat("half.all", "i32", "half"),
        final=_splat("final", "i32", "last.short"),
        slot_mask=_splat("slot.mask", "i64", "slot.last"),
        count_all=_splat("count.all", "i64", "count"),
        first_all=_splat("first.all", "i64", "first"),
    )


def _splat(name: str, kind: str, number: str, lanes: int = LANES) -> str:
    """A number in every lane."""
    zeros = f"<{lanes} x i32> zeroinitializer"
    return SPLAT.substitute(name=name, kind=kind, number=number, lanes=lanes, zeros=zeros)


def _numbers(numbers: Iterable[int]) -> str:
    return ", ".join(f"i64 {number}" for number in numbers)
