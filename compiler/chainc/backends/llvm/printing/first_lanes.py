"""Vectors of which only the first lanes are elements, or every other one, as LLVM text.

    load x[i], first 12             one load with a mask
    load x[i, stride 2], first 16   two loads, and one shuffle that picks every other element
    store x[i, stride 2] = v        two stores with a mask each, of what a shuffle has spread out

On processors with masks; the intrinsics are those of LLVM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainc.backends.llvm.printing.primitives import Emitter
from chainc.backends.llvm.printing.spelling import in_memory, spelled, suffix, vector
from chainc.ir.types import uint8
from chainc.loops.values import Address, Kind

Pointer = Callable[[int], str]  # to the element of a lane


def load_first(to: Emitter, pointer: Pointer, address: Address, kind: Kind) -> str:
    """The first lanes; zero in the others."""
    held = Kind(uint8, kind.lanes) if kind.dtype.is_bool else kind
    size, first = kind.dtype.itemsize, address.first
    if address.stride == 1:
        loaded = _load(to, pointer(0), held, range(first), size)
    elif address.stride == 2:
        loaded = _every_other(to, pointer, first, held)
    else:
        loaded = _one_by_one(to, pointer, first, held)
    if not kind.dtype.is_bool:
        return loaded
    return to.let(f"trunc {in_memory(kind)} {loaded} to {spelled(kind)}")


def store_first(to: Emitter, pointer: Pointer, address: Address, kind: Kind, name: str) -> None:
    held = Kind(uint8, kind.lanes) if kind.dtype.is_bool else kind
    if kind.dtype.is_bool:
        name = to.let(f"zext {spelled(kind)} {name} to {spelled(held)}")
    lanes, first, size = kind.lanes, address.first, kind.dtype.itemsize
    if address.stride == 1:
        _store(to, pointer(0), held, name, range(first), size)
    elif address.stride == 2:
        for start in range(0, first, lanes // 2):
            picked = [start + lane // 2 if lane % 2 == 0 else -1 for lane in range(lanes)]
            spread = _shuffled(to, name, name, held, picked)
            inside = range(0, 2 * min(first - start, lanes // 2), 2)
            _store(to, pointer(start), held, spread, inside, size)
    else:
        for lane in range(first):
            one = to.let(f"extractelement {spelled(held)} {name}, i64 {lane}")
            element = spelled(Kind(held.dtype))
            to.lines.append(f"  store {element} {one}, ptr {pointer(lane)}, align {size}")


def _every_other(to: Emitter, pointer: Pointer, first: int, kind: Kind) -> str:
    """From loads of what lies from the first of them to the last, and not beyond."""
    lanes, size, span = kind.lanes, kind.dtype.itemsize, 2 * first - 1
    if span <= lanes:
        low = _load(to, pointer(0), kind, range(span), size)
        picked = [2 * lane if lane < first else lanes for lane in range(lanes)]
        return _shuffled(to, low, "zeroinitializer", kind, picked)
    start = span - lanes  # of the second load, an odd number: it ends with the last of them
    low = _load(to, pointer(0), kind, range(lanes), size)
    of = spelled(Kind(kind.dtype))
    behind = to.let(f"getelementptr inbounds {of}, ptr {pointer(start // 2)}, i64 1")
    high = _load(to, behind, kind, range(lanes), size)
    spots = [2 * lane for lane in range(first)]
    picked = [spot if spot < lanes else lanes + spot - start for spot in spots]
    value = _shuffled(to, low, high, kind, [*picked, *[-1] * (lanes - first)])
    if first == lanes:
        return value
    mask = _mask(kind.lanes, range(first))
    zero = f"{spelled(kind)} zeroinitializer"
    return to.let(f"select {mask}, {spelled(kind)} {value}, {zero}")


def _one_by_one(to: Emitter, pointer: Pointer, first: int, kind: Kind) -> str:
    value, of = "zeroinitializer", spelled(Kind(kind.dtype))
    for lane in range(first):
        size = kind.dtype.itemsize
        loaded = to.let(f"load {of}, ptr {pointer(lane)}, align {size}")
        value = to.let(f"insertelement {spelled(kind)} {value}, {of} {loaded}, i64 {lane}")
    return value


def _load(to: Emitter, pointer: str, kind: Kind, inside: Sequence[int], size: int) -> str:
    if len(inside) == kind.lanes:
        return to.let(f"load {spelled(kind)}, ptr {pointer}, align {size}")
    name, mask = f"@llvm.masked.load.{suffix(kind)}.p0", _mask(kind.lanes, inside)
    of, bits = spelled(kind), vector("i1", kind.lanes)
    to.declared.add(f"declare {of} {name}(ptr, i32 immarg, {bits}, {of})")
    given = f"ptr {pointer}, i32 {size}, {mask}, {of} zeroinitializer"
    return to.let(f"call {of} {name}({given})")


def _store(
    to: Emitter, pointer: str, kind: Kind, value: str, inside: Sequence[int], size: int
) -> None:
    of, bits = spelled(kind), vector("i1", kind.lanes)
    if len(inside) == kind.lanes:
        to.lines.append(f"  store {of} {value}, ptr {pointer}, align {size}")
        return
    name, mask = f"@llvm.masked.store.{suffix(kind)}.p0", _mask(kind.lanes, inside)
    to.declared.add(f"declare void {name}({of}, ptr, i32 immarg, {bits})")
    to.lines.append(f"  call void {name}({of} {value}, ptr {pointer}, i32 {size}, {mask})")


def _mask(lanes: int, inside: Sequence[int]) -> str:
    bits = ", ".join(f"i1 {'true' if lane in inside else 'false'}" for lane in range(lanes))
    return f"{vector('i1', lanes)} <{bits}>"


def _shuffled(to: Emitter, a: str, b: str, kind: Kind, picked: Sequence[int]) -> str:
    mask = ", ".join(f"i32 {lane}" if lane >= 0 else "i32 poison" for lane in picked)
    two = f"{spelled(kind)} {a}, {spelled(kind)} {b}"
    return to.let(f"shufflevector {two}, {vector('i32', len(picked))} <{mask}>")
