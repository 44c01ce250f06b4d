"""A function as C source: its kernels and the values of its slots, and what the header declares."""

from __future__ import annotations

from collections.abc import Iterator
from string import Template

from chainc.backends.c.constants import array
from chainc.backends.c.file import CALL, CFile, Entry
from chainc.backends.standalone.c_text.checks import (
    HELPERS,
    checks,
    indices_within,
    is_null,
    mark_literal,
)
from chainc.backends.standalone.c_text.function_header import parameters
from chainc.backends.standalone.function_library import (
    ENTRIES,
    Argument,
    FunctionInterface,
    PlannedFunction,
)
from chainc.dataclass import dataclass
from chainc.loops.language import Data
from chainc.loops.values import Parameter
from chainc.schedules.program import control_block

SOURCE = Template("""\
// What $name.h declares

#include "$name.h"

$checks

const char *${name}_version(void) {
    return ${NAME}_VERSION;
}

int ${name}_init(void *arena) {
    if (!is_aligned(arena)) return ${NAME}_BAD_ARGUMENT;
    memset(arena, 0, ${NAME}_ARENA_BYTES);
    *word(arena, $mark_at) = $mark;
    void *table[$places] = {0};
$values    bind(arena, table, 1, 0, 1);
    return ${NAME}_OK;
}

int ${name}_call($parameters) {
    int result = check_arena(arena);
    if (result) return result;
    if ($no_array) return ${NAME}_BAD_ARGUMENT;
$rows$indices    *word(arena, $failure) = 0;
    void *table[$places] = {0};
$values    for (int64_t start = 0; start < rows; start += $block) {
        int64_t left = rows - start;
$arrays
        run(arena, table, left < $block ? left : $block, 0, 1);
    }
    return failure(arena);
}
""")
ROWS = Template("""\
    if (rows < 1 || rows > ${NAME}_MOST_ROWS) return ${NAME}_BAD_ARGUMENT;
""")
ONE = "    const int64_t rows = 1;\n"


@dataclass(frozen=True)
class FunctionText:
    """A file of C, and what its header must say."""

    text: str
    interface: FunctionInterface


def function_source(plan: PlannedFunction) -> FunctionText:
    """The file of a function."""
    name, entries = plan.wanted.name, plan.code.entries
    begin = () if plan.once else entries["bind"]
    kept = [f"value_{i}" for i in range(len(plan.code.states))]
    taken = [*HELPERS, *kept, *(f"{name}_{each}" for each in ENTRIES)]
    called = [
        Entry("bind", CALL, entries["bind"], shown=False),
        Entry("run", CALL, (*begin, *entries["run"]), shown=False),
    ]
    kernels = "\n".join([CFile(called, reserved=taken).text(), *_values(plan, kept)])
    interface = plan.interface(kernels)
    return FunctionText(f"{kernels}\n{_functions(plan, interface, kept)}", interface)


def _values(plan: PlannedFunction, names: list[str]) -> Iterator[str]:
    for name, state, values in zip(names, plan.code.states, plan.weights(), strict=True):
        dtype = state.type.dtype
        yield f"{array(name, Data(Parameter(name, dtype), name, values.tobytes()))}\n"


def _functions(plan: PlannedFunction, interface: FunctionInterface, kept: list[str]) -> str:
    arguments = (*interface.inputs, *interface.outputs)
    named = [(each, f"{each.array.word}_data") for each in arguments]
    given = [each.array for each in interface.inputs]
    first, prefix = len(arguments), interface.prefix
    indices = (indices_within(prefix, each, f"{each.word}_data", "rows") for each in given)
    rows = ROWS.substitute(NAME=prefix) if interface.counts_rows else ONE
    return SOURCE.substitute(
        name=interface.name,
        NAME=prefix,
        checks=checks(prefix, interface.version, plan.mark, given),
        mark_at=plan.mark,
        mark=mark_literal(interface.version),
        places=first + len(kept),
        values="".join(f"    table[{first + i}] = (void *){v};\n" for i, v in enumerate(kept)),
        parameters=", ".join(parameters(interface)),
        no_array=is_null([name for _, name in named]),
        rows=rows,
        indices="".join(line for lines in indices for line in lines),
        failure=control_block.FAILURE,
        block=plan.code.block or (f"{prefix}_MOST_ROWS" if interface.counts_rows else 1),
        arrays="\n".join(_placed(i, *each) for i, each in enumerate(named)),
    )


def _placed(place: int, argument: Argument, name: str) -> str:
    """The table's entry: an array, from the row on that is next if it has rows."""
    moved = f"({name} + start * {argument.array.row_elements})" if argument.has_rows else name
    return f"        table[{place}] = (void *){moved};"
