"""What a file of C shows to the outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainc.dataclass import dataclass
from chainc.loops.language import Routine
from chainc.schedules.program.control_block import CACHE_LINE

_TYPES: Mapping[str, str] = {
    "arena": "unsigned char *",
    "table": "void **",
    "job": "int64_t *",
}
CALL = ("arena", "table", "rows", "thread", "threads")
RUN = ("arena", "table", "job", "thread", "threads")

ENVIRONMENT = """\
// IEEE arithmetic whatever the caller has set: to nearest, subnormals kept, no traps
static fenv_t environment_enter(void) {
    fenv_t before;
    fegetenv(&before);
    fesetenv(FE_DFL_ENV);
    return before;
}
"""
ENTER, LEAVE = "fenv_t before = environment_enter();", "fesetenv(&before);"


@dataclass(frozen=True)
class Entry:
    """A function that others see, which calls routines in order.

    It has the parameters `given`; what else a routine takes is 0.
    """

    name: str
    given: tuple[str, ...]
    routines: tuple[Routine, ...]

    def text(self, calls: Sequence[tuple[str, Sequence[str]]]) -> str:
        """With calls of functions with arguments by name."""
        head = ", ".join(f"{_TYPES.get(each, 'int64_t ')}{each}" for each in self.given)
        taken = {name for _, arguments in calls for name in arguments}
        unused = [f"    (void){name};" for name in self.given if name not in taken]
        lines = [
            f"    {name}({', '.join(each if each in self.given else '0' for each in arguments)});"
            for name, arguments in calls
        ]
        return "\n".join([
            f"void {self.name}({head}) {{",
            *unused,
            f"    {ENTER}",
            *lines,
            f"    {LEAVE}",
            "}",
            "",
        ])  # fmt: skip


def about(
    arena_bytes: int, arrays: Sequence[str], job: Mapping[int, str] | None = None
) -> Sequence[str]:
    """What a caller gives: a program's memory, the arrays in its table, and a training's job."""
    return [
        f"arena: {arena_bytes:,} bytes from a multiple of {CACHE_LINE} on, all 0 at first",
        *(f"table[{place}]: {name}" for place, name in enumerate(arrays)),
        *(f"job[{place}]: {meaning}" for place, meaning in (job or {}).items()),
    ]
