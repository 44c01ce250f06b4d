"""A training program written by hand: its step notes which rows it was given, in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from string import Template

import numpy as np
import numpy.typing as npt

from chainc.backends.llvm.machine_code.jit import Library, compile_object
from chainc.backends.llvm.printing.module import Module
from chainc.backends.llvm.processor import host
from chainc.backends.llvm.program import Memory
from chainc.backends.llvm.runtime import control_block
from chainc.backends.llvm.runtime.entry import environment, exported
from chainc.backends.llvm.runtime.failures import Failures
from chainc.backends.llvm.runtime.threads import barrier
from chainc.backends.llvm.training.code import ENTRIES
from chainc.backends.llvm.training.text import (
    BatchInput,
    Output,
    TrainingLayout,
    Visit,
    order_bytes,
    totals_bytes,
    training_text,
)
from chainc.ir.types import Array, TensorType, bool_, float32, int32, int64, named
from chainc.lowering.program import Buffer, OneHot
from chainc.schedules.layout.access import Capacity

STREAM = 0xDEADBEEF
ROOM = 8192  # rows that can be noted; further ones overwrite the first
SCALARS = ("step", "seed", "noted", "stop_at", "fail_at")
OUTPUTS = (float32, int32, bool_)  # the mean of x, the first row's number, true

GATHER = Template("""\
define internal void @gather.$name(
    ptr %data, ptr %order, ptr %batch, i64 %rows, i64 %thread, i64 %threads) {
entry:
  %any = icmp slt i64 %thread, %rows
  br i1 %any, label %row, label %end
row:
  %i = phi i64 [ %thread, %entry ], [ %next, %row ]
  %chosen.at = getelementptr i64, ptr %order, i64 %i
  %chosen = load i64, ptr %chosen.at
  %source = getelementptr $kind, ptr %data, i64 %chosen
  %value = load $kind, ptr %source
  %converted = $conversion
  %target = getelementptr $batch_kind, ptr %batch, i64 %i
  store $batch_kind %converted, ptr %target
  %next = add i64 %i, %threads
  %again = icmp slt i64 %next, %rows
  br i1 %again, label %row, label %end
end:
  ret void
}
""")

# Every thread notes its share of the rows; after that the first one does the rest.
STEP = Template("""\
define internal void @step(ptr %arena, ptr %table, i64 %rows, i64 %thread, i64 %threads) {
entry:
  %noted.at = getelementptr i8, ptr %arena, i64 $noted
  %noted = load i64, ptr %noted.at
  %any = icmp slt i64 %thread, %rows
  br i1 %any, label %row, label %together
row:
  %i = phi i64 [ %thread, %entry ], [ %next, %row ]
  %number.offset = mul i64 %i, 4
  %number.place = add i64 %number.offset, $y
  %number.at = getelementptr i8, ptr %arena, i64 %number.place
  %number = load i32, ptr %number.at
  %place.unbounded = add i64 %noted, %i
  %place = and i64 %place.unbounded, $last_place
  %log = getelementptr i8, ptr %arena, i64 $log
  %target = getelementptr i32, ptr %log, i64 %place
  store i32 %number, ptr %target
  %next = add i64 %i, %threads
  %again = icmp slt i64 %next, %rows
  br i1 %again, label %row, label %together
together:
  call void @barrier(ptr %arena, i64 %thread, i64 %threads)
  %first = icmp eq i64 %thread, 0
  br i1 %first, label %alone, label %end
alone:
  %noted.now = add i64 %noted, %rows
  store i64 %noted.now, ptr %noted.at
  call void @outputs(ptr %arena, i64 %rows)
  %step.at = getelementptr i8, ptr %arena, i64 $step
  %step = load i64, ptr %step.at
  %step.now = add i64 %step, 1
  store i64 %step.now, ptr %step.at
  %stop_at.at = getelementptr i8, ptr %arena, i64 $stop_at
  %stop_at = load i64, ptr %stop_at.at
  %stops = icmp eq i64 %step.now, %stop_at
  br i1 %stops, label %stop, label %go_on
stop:
  store i64 1, ptr %arena
  br label %go_on
go_on:
  %fail_at.at = getelementptr i8, ptr %arena, i64 $fail_at
  %fail_at = load i64, ptr %fail_at.at
  %fails = icmp eq i64 %step.now, %fail_at
  br i1 %fails, label %fail, label %end
fail:
  %failure = getelementptr i8, ptr %arena, i64 $failure
  store i64 1, ptr %failure
  br label %end
end:
  ret void
}

define internal void @evaluate(ptr %arena, ptr %table, i64 %rows, i64 %thread, i64 %threads) {
entry:
  %first = icmp eq i64 %thread, 0
  br i1 %first, label %alone, label %end
alone:
  call void @outputs(ptr %arena, i64 %rows)
  br label %end
end:
  ret void
}

define internal void @outputs(ptr %arena, i64 %rows) {
entry:
  %x = getelementptr i8, ptr %arena, i64 $x
  br label %row
row:
  %i = phi i64 [ 0, %entry ], [ %next, %row ]
  %sum = phi float [ 0.0, %entry ], [ %more, %row ]
  %at = getelementptr float, ptr %x, i64 %i
  %value = load float, ptr %at
  %more = fadd float %sum, %value
  %next = add i64 %i, 1
  %again = icmp slt i64 %next, %rows
  br i1 %again, label %row, label %end
end:
  %count = sitofp i64 %rows to float
  %mean = fdiv float %more, %count
  %mean.at = getelementptr i8, ptr %arena, i64 $outputs
  store float %mean, ptr %mean.at
  %y = getelementptr i8, ptr %arena, i64 $y
  %number = load i32, ptr %y
  %number.at = getelementptr i8, ptr %mean.at, i64 4
  store i32 %number, ptr %number.at
  %true.at = getelementptr i8, ptr %mean.at, i64 8
  store i8 1, ptr %true.at
  ret void
}
""")

COPY = Template("""\
define internal void @$name(ptr %arena, ptr %table, i64 %rows, i64 %thread, i64 %threads) {
  %slot = getelementptr ptr, ptr %table, i64 $place
  %outside = load ptr, ptr %slot
  %inside = getelementptr i8, ptr %arena, i64 $offset
  br label %word
word:
  %i = phi i64 [ 0, %0 ], [ %next, %word ]
  %source = getelementptr i32, ptr $from, i64 %i
  %value = load i32, ptr %source
  %target = getelementptr i32, ptr $to, i64 %i
  store i32 %value, ptr %target
  %next = add i64 %i, 1
  %again = icmp slt i64 %next, $words
  br i1 %again, label %word, label %end
end:
  ret void
}
""")


@dataclass(frozen=True)
class Visiting:
    """The code, and the library made of it."""

    code: HandMade
    library: Library


@cache
def visiting(batch_size: int, shuffle: bool) -> Visiting:
    """A program for batches of this size."""
    memory = Memory(Capacity({}))
    names = ["log", *SCALARS, "data/x", "data/y", "validation/x", "validation/y", "history"]
    table = {name: place for place, name in enumerate(names)}
    offsets = {name: memory.take(8) for name in SCALARS}
    offsets |= {"log": memory.take(4 * ROOM), "outputs": memory.take(16)}
    offsets |= {name: memory.take(4 * batch_size) for name in ("x", "y")}
    layout = TrainingLayout(
        batch_size=batch_size,
        shuffle=shuffle,
        order_stream=STREAM,
        step=_visit("step", "data", table, offsets),
        evaluate=_visit("evaluate", "validation", table, offsets),
        orders=memory.take(control_block.MAX_THREADS * order_bytes(batch_size)),
        totals=memory.take(totals_bytes(2 * len(OUTPUTS))),
        history=table["history"],
    )
    rows = named("batch")
    inputs = tuple(
        Buffer(key, TensorType((rows,), dtype), "batch", key)
        for key, dtype in (("x", float32), ("y", int32))
    )
    failing = OneHot(Buffer("failing", TensorType((3,), int64)), ())
    failures = Failures()
    failures.add_kernel(failing)
    code = HandMade(memory, layout, table, inputs, failures)
    text = _module(layout, table, offsets).text()
    return Visiting(code, Library(compile_object(text, host()), ENTRIES))


@dataclass(frozen=True)
class HandMade:
    """What a run must know of a loop's code."""

    memory: Memory
    layout: TrainingLayout
    table: Mapping[str, int]
    inputs: tuple[Buffer, ...]
    failures: Failures


def _visit(name: str, source: str, table: Mapping[str, int], offsets: Mapping[str, int]) -> Visit:
    places = range(offsets["outputs"], offsets["outputs"] + 4 * len(OUTPUTS), 4)
    inputs = (
        BatchInput("gather.f32", "gather.u8", table[f"{source}/x"], offsets["x"]),
        BatchInput("gather.i32", None, table[f"{source}/y"], offsets["y"]),
    )
    return Visit(name, inputs, tuple(map(Output, places, OUTPUTS)))


def _module(layout: TrainingLayout, table: Mapping[str, int], offsets: Mapping[str, int]) -> Module:
    module = Module(host().machine)
    parts = [training_text(layout), environment(host()), barrier(host())]
    parts.append(STEP.substitute(offsets, failure=control_block.FAILURE, last_place=ROOM - 1))
    for name, kind, batch_kind, conversion in (
        ("f32", "float", "float", "fadd float %value, -0.0"),
        ("i32", "i32", "i32", "add i32 %value, 0"),
        ("u8", "i8", "float", "uitofp i8 %value to float"),
    ):
        parts.append(GATHER.substitute(
            name=name, kind=kind, batch_kind=batch_kind, conversion=conversion
        ))  # fmt: skip
    for entry, source, target in (
        ("bind", "%outside", "%inside"),
        ("store", "%inside", "%outside"),
    ):
        copies = []
        for state in ("log", *SCALARS):
            copies.append(f"{entry}.{state}")
            words = ROOM if state == "log" else 2
            parts.append(COPY.substitute(
                name=copies[-1], place=table[state], offset=offsets[state], words=words,
                **{"from": source, "to": target},
            ))  # fmt: skip
        parts.append(exported(entry, copies))
    for part in parts:
        module.add(part)
    return module


def starting_state(step: int = 0, seed: int = 5, **special: int) -> dict[str, Array]:
    """Nothing noted; `stop_at` and `fail_at` are counts of steps after which that happens."""
    numbers = {"step": step, "seed": seed, "noted": 0, "stop_at": -1, "fail_at": -1, **special}
    scalars: dict[str, Array] = {key: np.array(n, np.int64) for key, n in numbers.items()}
    return {**scalars, "log": np.full(ROOM, -1, np.int32)}


def rows_of_data(count: int, seed: int = 0) -> dict[str, Array]:
    """Integers from 0 to 255 as x, so that sums are exact, and each row's number as y."""
    x = np.random.default_rng(seed).integers(0, 256, count).astype(np.float32)
    return {"x": x, "y": np.arange(count, dtype=np.int32)}


def noted(state: Mapping[str, Array]) -> Sequence[int]:
    """The rows that were visited, in order."""
    log: npt.NDArray[np.generic] = state["log"][: int(state["noted"])]
    found: list[int] = log.tolist()
    return found
