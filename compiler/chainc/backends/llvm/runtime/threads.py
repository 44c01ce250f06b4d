"""What a thread does that waits for another: as little as it can, or it gives its core away."""

from __future__ import annotations

from chainc.backends.llvm.processors.processor import Processor

REST = 50_000  # nanoseconds of a sleep

PAUSE = "  call void @llvm.x86.sse2.pause()"
DECLARE_PAUSE = "declare void @llvm.x86.sse2.pause()\n"
SLEEP = (  # the system calls themselves, so that no symbol of a library is needed
    "  %ignored = call i64 asm sideeffect "
    '"syscall", "={rax},{rax},{rdi},{rsi},~{rcx},~{r11},~{memory},~{dirflag},~{fpsr},~{flags}"'
    "(i64 35, ptr @pause.time, ptr null)"
)
SLEEP_TIME = f"@pause.time = internal constant {{ i64, i64 }} {{ i64 0, i64 {REST} }}\n"
SCHED_YIELD = (
    '  %ignored = call i64 asm sideeffect "syscall", '
    '"={rax},{rax},~{rcx},~{r11},~{memory},~{dirflag},~{fpsr},~{flags}"(i64 24)'
)


def clocked(processor: Processor) -> bool:
    """May code read a clock there, to find out how many of several threads are of use?"""
    return processor.threads > 1 and "x86_64" in processor.triple


def pauses(processor: Processor) -> str:
    """`@pause.0()`, `@pause.1()` and `@pause.2()`, each longer than the one before.

    A thread gives its core away, and sleeps, where the system calls for it are known (Linux on
    x86-64); elsewhere it keeps looking.
    """
    x86 = "x86_64" in processor.triple
    calls = x86 and "linux" in processor.triple
    lines = (PAUSE if x86 else "", SCHED_YIELD if calls else "", SLEEP if calls else "")
    functions = [
        f"define internal void @pause.{length}() alwaysinline nounwind {{\n{line}\n  ret void\n}}\n"
        for length, line in enumerate(lines)
    ]
    return "\n".join([*functions, *[DECLARE_PAUSE] * x86, *[SLEEP_TIME] * calls])
