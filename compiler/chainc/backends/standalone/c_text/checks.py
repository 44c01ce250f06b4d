"""C source of what functions for C ask before they change anything, and how they find a place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from string import Template

from chainc.backends.standalone.interface import C_TYPES, RowArray, mark_of
from chainc.ir.types import DType
from chainc.schedules.program import control_block

HELPERS = ("word", "is_aligned", "check_arena", "failure")

CHECKS = Template("""\
static int64_t *word(void *arena, int64_t offset) {
    return (int64_t *)((unsigned char *)arena + offset);
}

static bool is_aligned(const void *arena) {
    return arena != NULL && (uintptr_t)arena % ${NAME}_ARENA_ALIGNMENT == 0;
}

// May the arena be used, and has this version of the program prepared it?
static int check_arena(void *arena) {
    if (!is_aligned(arena)) return ${NAME}_BAD_ARGUMENT;
    return *word(arena, $mark_at) == $mark ? ${NAME}_OK : ${NAME}_BAD_ARENA;
}

// Has an index been out of range that the program computes itself?
static int failure(void *arena) {
    int64_t found = __atomic_load_n(word(arena, $failure), __ATOMIC_RELAXED);
    return found ? ${NAME}_BAD_INDEX : ${NAME}_OK;
}
$within""")
WITHIN = Template("""
static bool within_$kind(const $kind *values, int64_t count, int64_t bound) {
    for (int64_t i = 0; i < count; i++) {
        if ($negative(int64_t)values[i] >= bound) return false;
    }
    return true;
}
""")


def mark_literal(version: str) -> str:
    """The mark of a version as C has it."""
    return f"(INT64_C({mark_of(version) + 1}) - 1)"  # the least of all is no literal


def checks(prefix: str, version: str, mark_at: int, indices: Iterable[RowArray]) -> str:
    """What the functions of a program begin with."""
    kinds = dict.fromkeys(each.dtype for each in indices if each.bound is not None)
    return CHECKS.substitute(
        NAME=prefix,
        mark_at=mark_at,
        mark=mark_literal(version),
        failure=control_block.FAILURE,
        within="".join(map(_within, kinds)),
    ).rstrip()


def _within(dtype: DType) -> str:
    negative = "values[i] < 0 || " if dtype.kind == "i" else ""
    return WITHIN.substitute(kind=C_TYPES[dtype], negative=negative)


def indices_within(prefix: str, rows: RowArray, array: str, count: str) -> Iterator[str]:
    """Refuses indices out of range, if there are any."""
    if rows.bound is None:
        return
    elements = count if rows.row_elements == 1 else f"{count} * {rows.row_elements}"
    kind = C_TYPES[rows.dtype]
    yield f"    if (!within_{kind}({array}, {elements}, {rows.bound})) return {prefix}_BAD_INDEX;\n"


def is_null(arrays: Sequence[str]) -> str:
    """Is one of them missing?"""
    return " || ".join(f"{array} == NULL" for array in arrays) or "false"
