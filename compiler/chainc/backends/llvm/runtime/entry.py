"""Functions that are called from outside: they bring the floating-point environment they need."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.backends.llvm.processors.processor import Processor

SIGNATURE = "ptr %arena, ptr %table, i64 %rows, i64 %thread, i64 %threads"

ENVIRONMENT = """\
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)

; IEEE arithmetic whatever the caller has set: all exceptions masked, to nearest, subnormals kept
define internal i32 @environment.enter() alwaysinline nounwind {
  %word = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %word)
  %before = load i32, ptr %word
  store i32 8064, ptr %word
  call void @llvm.x86.sse.ldmxcsr(ptr %word)
  ret i32 %before
}

define internal void @environment.leave(i32 %before) alwaysinline nounwind {
  %word = alloca i32
  store i32 %before, ptr %word
  call void @llvm.x86.sse.ldmxcsr(ptr %word)
  ret void
}
"""

NO_ENVIRONMENT = """\
define internal i32 @environment.enter() alwaysinline nounwind {
  ret i32 0
}

define internal void @environment.leave(i32 %before) alwaysinline nounwind {
  ret void
}
"""


TRAINING_ENTRIES = """\
define void @train(ptr %arena, ptr %table, ptr %job, i64 %thread, i64 %threads) nounwind {
  %before = call i32 @environment.enter()
  call void @train.loop(ptr %arena, ptr %table, ptr %job, i64 %thread, i64 %threads)
  call void @environment.leave(i32 %before)
  ret void
}

define void @validate(ptr %arena, ptr %table, ptr %job, i64 %thread, i64 %threads) nounwind {
  %before = call i32 @environment.enter()
  call i1 @record(ptr %arena, ptr %table, ptr %job, i64 0, i64 0, i64 %thread, i64 %threads)
  call void @environment.leave(i32 %before)
  ret void
}
"""


TICKS = "ticks"  # a function that reads the clock of kernels that are timed
CLOCK = f"""\
define i64 @{TICKS}() nounwind {{
  %now = call i64 @llvm.readcyclecounter()
  ret i64 %now
}}
"""


def environment(processor: Processor) -> str:
    """`@environment.enter` and `@environment.leave`."""
    return ENVIRONMENT if "x86_64" in processor.triple else NO_ENVIRONMENT


def exported(name: str, functions: Sequence[str]) -> str:
    """A function of the module that calls others of it in order."""
    given = "ptr %arena, ptr %table, i64 %rows, i64 %thread, i64 %threads"
    calls = "\n".join(f'  call void @"{function}"({given})' for function in functions)
    return f"""\
define void @{name}({SIGNATURE}) nounwind {{
  %before = call i32 @environment.enter()
{calls}
  call void @environment.leave(i32 %before)
  ret void
}}
"""
