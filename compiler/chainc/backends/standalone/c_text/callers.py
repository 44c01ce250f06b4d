"""What the README of a program for C shows of its use: what each function is for, and a caller."""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

from chainc.backends.standalone.function_library import Argument, FunctionInterface
from chainc.backends.standalone.interface import C_TYPES, Interface

OF_TRAINING = {
    "version": "which program this is",
    "init": "prepares the arena: the values before the first step, which follow from a seed",
    "get": "copies a tensor out, such as a weight",
    "set": "copies one in",
    "train": "trains for some epochs",
    "begin": "plans the same for threads of the caller's",
    "train_thread": "what each of them does",
    "stop": "ends a training before its next step; another thread may call it",
    "records": "how many epochs are done; another thread may ask",
    "step": "one step on one batch",
    "evaluate": "the loss and the metrics of a data set; nothing is trained",
    "predict": "a result for each row",
    "ended": "has a rule ended the training?",
}
WITHOUT_ROWS = {
    "step": "one step",
    "evaluate": "the loss and the metrics for what the next step draws; nothing is trained",
}
OF_FUNCTION = {
    "version": "which function this is",
    "init": "prepares the arena, once",
    "call": "computes",
}
CALLER = Template("""\
#include <stdio.h>

#include "$name.h"

static _Alignas(${NAME}_ARENA_ALIGNMENT) unsigned char arena[${NAME}_ARENA_BYTES];
$arrays

int main(void) {
    if (${name}_init(arena) || ${name}_call($given)) return 1;
    for (int i = 0; i < $count; i++) printf("%g\\n", (double)$result[i]);
    return 0;
}
""")
ON_A_BOARD = Template("""\
#include "$name.h"

$arrays

int main(void) {
    if (${name}_init(${name}_memory)) return 1;
    return ${name}_call($given);
}
""")
TRAINS_ON_A_BOARD = Template("""\
#include "$name.h"
$arrays
int main(void) {$batch
    double outputs[${NAME}_OUTPUTS];
    if (${name}_init(${name}_memory, ${NAME}_SEED)) return 1;$filled
    return ${name}_step(${name}_memory, ${passed}outputs);
}
""")
BATCH = Template("""
    ${name}_data batch = {.rows = ${NAME}_BATCH, $given};""")
FILLED = """
    // here your code fills the arrays with the next batch"""


def functions(interface: Interface | FunctionInterface) -> str:
    """A line for each of those that a program of C calls."""
    told = OF_TRAINING if isinstance(interface, Interface) else OF_FUNCTION
    if isinstance(interface, Interface) and not interface.reads_rows:
        told = {**OF_TRAINING, **WITHOUT_ROWS}
    return "\n".join(f"- `{interface.name}_{each}`: {told[each]}" for each in interface.functions)


def caller(interface: FunctionInterface, *, board: bool) -> str:
    """A program that computes one row, or what there is without rows."""
    inputs, outputs = interface.inputs, interface.outputs
    rows = ["1"] if interface.counts_rows else []
    memory = f"{interface.name}_memory" if board else "arena"
    given = [memory, *map(_named, inputs), *rows, *map(_named, outputs)]
    return (ON_A_BOARD if board else CALLER).substitute(
        name=interface.name,
        NAME=interface.prefix,
        arrays="\n".join([*map(_array, inputs), *map(_array, outputs)]),
        given=", ".join(given),
        result=_named(outputs[0]),
        count=outputs[0].array.row_elements,
    )


def training_on_a_board(interface: Interface) -> str:
    """A program that does a step."""
    prefix, inputs = interface.prefix, interface.inputs
    arrays: Sequence[str] = [
        f"static {C_TYPES[each.dtype]} {each.word}_data"
        f"[{prefix}_BATCH * {prefix}_ROW_{each.word.upper()}];"
        for each in inputs
    ]
    names = {"name": interface.name, "NAME": prefix}
    if not interface.reads_rows:
        return TRAINS_ON_A_BOARD.substitute(names, arrays="", batch="", filled="", passed="")
    given = ", ".join(f".{each.word}_data = {each.word}_data" for each in inputs)
    return TRAINS_ON_A_BOARD.substitute(
        names,
        arrays="\n".join(["", *arrays, ""]),
        batch=BATCH.substitute(names, given=given),
        filled=FILLED,
        passed="&batch, ",
    )


def _named(argument: Argument) -> str:
    return f"{argument.array.word}_data"


def _array(argument: Argument) -> str:
    array = argument.array
    return f"static {C_TYPES[array.dtype]} {_named(argument)}[{array.row_elements}];"
