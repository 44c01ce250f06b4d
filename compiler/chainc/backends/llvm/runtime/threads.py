"""How the threads of a native program wait for each other, without a lock and without a library.

    void barrier(char *arena, int64_t thread, int64_t threads) {
        if (threads == 1) return;
        int64_t reached = ++own_counter;            // release: what was written before is seen
        for (each other thread)
            for (int64_t spins = 0; its_counter < reached; spins++)     // acquire
                spins < SPINS ? pause() : spins < LONG ? yield_the_core() : sleep();
    }

Every thread's counter has a cache line of its own in the header of the arena. A thread that is
early at the next barrier only counts further, so barriers may follow each other directly. The
counters must agree when a run begins: all zero, or as earlier runs of as many threads left them.
"""

from __future__ import annotations

from string import Template

from chainc.backends.llvm.processors.processor import Processor
from chainc.schedules.program.control_block import BARRIERS, CACHE_LINE

SPINS = 2000  # some 50 µs: longer than the threads of an undisturbed run ever wait
LONG = 2 * SPINS  # after so many more looks a thread sleeps, which takes it long to awake from
REST = 50_000  # nanoseconds of a sleep

BARRIER = Template("""\
define internal void @barrier(ptr %arena, i64 %thread, i64 %threads) alwaysinline nounwind {
entry:
  %alone = icmp eq i64 %threads, 1
  br i1 %alone, label %passed, label %together
together:
  call void @barrier.reached(ptr %arena, i64 %thread, i64 %threads)
  br label %passed
passed:
  ret void
}

define internal void @barrier.reached(ptr %arena, i64 %thread, i64 %threads) noinline nounwind {
entry:
  %lines = getelementptr i8, ptr %arena, i64 $barriers
  %own.offset = mul i64 %thread, $line
  %own = getelementptr i8, ptr %lines, i64 %own.offset
  %before = load i64, ptr %own, align 8
  %reached = add i64 %before, 1
  store atomic i64 %reached, ptr %own release, align 8
  br label %other
other:
  %number = phi i64 [ 0, %entry ], [ %next, %arrived ]
  %offset = mul i64 %number, $line
  %line = getelementptr i8, ptr %lines, i64 %offset
  br label %look
look:
  %spins = phi i64 [ 0, %other ], [ %more, %spin ], [ %more.yields, %give ], [ %spins, %sleep ]
  %count = load atomic i64, ptr %line acquire, align 8
  %ahead = sub i64 %count, %reached
  %there = icmp sge i64 %ahead, 0
  br i1 %there, label %arrived, label %wait
wait:
  %patient = icmp slt i64 %spins, $spins
  br i1 %patient, label %spin, label %yield
spin:
  %more = add i64 %spins, 1
$pause
  br label %look
yield:
  %more.yields = add i64 %spins, 1
  %tired = icmp sgt i64 %spins, $long
  br i1 %tired, label %sleep, label %give
give:
$give_way
  br label %look
sleep:
$sleep
  br label %look
arrived:
  %next = add i64 %number, 1
  %all = icmp eq i64 %next, %threads
  br i1 %all, label %passed, label %other
passed:
  ret void
}
$declared""")

ALONE = """\
define internal void @barrier(ptr %arena, i64 %thread, i64 %threads) alwaysinline nounwind {
  ret void
}
"""

PAUSE = "  call void @llvm.x86.sse2.pause()"
DECLARE_PAUSE = "\ndeclare void @llvm.x86.sse2.pause()\n"
SLEEP = (
    "  %ignored.sleep = call i64 asm sideeffect "
    '"syscall", "={rax},{rax},{rdi},{rsi},~{rcx},~{r11},~{memory},~{dirflag},~{fpsr},~{flags}"'
    "(i64 35, ptr @barrier.rest, ptr null)"
)
REST_TIME = f"\n@barrier.rest = internal constant {{ i64, i64 }} {{ i64 0, i64 {REST} }}\n"
SCHED_YIELD = (  # the system call itself, so that no symbol of a library is needed
    '  %ignored = call i64 asm sideeffect "syscall", '
    '"={rax},{rax},~{rcx},~{r11},~{memory},~{dirflag},~{fpsr},~{flags}"(i64 24)'
)


def clocked(processor: Processor) -> bool:
    """May code read a clock there, to find out how many of several threads are of use?"""
    return processor.threads > 1 and "x86_64" in processor.triple


def barrier(processor: Processor) -> str:
    """`@barrier(ptr arena, i64 thread, i64 threads)`: all writes before it are seen after it.

    A thread that waits long gives its core away, and then sleeps, where the system calls for it are
    known (Linux on x86-64); elsewhere it keeps looking.
    """
    if processor.threads == 1:
        return ALONE
    x86 = "x86_64" in processor.triple
    pause = PAUSE if x86 else ""
    calls = x86 and "linux" in processor.triple
    return BARRIER.substitute(
        barriers=BARRIERS,
        line=CACHE_LINE,
        spins=SPINS,
        pause=pause,
        long=LONG,
        give_way=SCHED_YIELD if calls else pause,
        sleep=SLEEP if calls else pause,
        declared=DECLARE_PAUSE * x86 + REST_TIME * calls,
    )
