"""A C program that trains an exported program: an example that is complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Template

from chainc.backends.c.file import FLAGS
from chainc.backends.standalone.c_text.data_file import of_data_file
from chainc.backends.standalone.c_text.header import inert
from chainc.backends.standalone.interface import Interface, words

MAIN = Template("""\
/* Trains "$name"$on, prints the history, and can write the state. Made by Chainrule.
 *
$build
 *     ./$name $usage
 *$shared$told
 * STATE receives the bytes of every tensor in the order of enum ${name}_tensor, each in C order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "$name.h"

static _Alignas(${NAME}_ARENA_ALIGNMENT) unsigned char arena[${NAME}_ARENA_BYTES];

static void fail(const char *message) {
    fprintf(stderr, "$name: %s\\n", message);
    exit(EXIT_FAILURE);
}

static void check(int result) {
    if (result == ${NAME}_BAD_ARGUMENT) fail("an argument is out of range");
    if (result == ${NAME}_BAD_INDEX) fail("$index");
    if (result == ${NAME}_BAD_ARENA) fail("the arena has not been prepared");
}
$reading
static void print_record(int64_t epoch, const double *record) {
    printf("epoch %lld:", (long long)epoch);
$prints
    printf("\\n");
    fflush(stdout);
}

static void write_state(const char *path) {
    static const size_t sizes[${NAME}_TENSORS] = {
$bytes
    };
    FILE *file = fopen(path, "wb");
    if (file == NULL) fail("the state file cannot be opened");
    for (int tensor = 0; tensor < ${NAME}_TENSORS; tensor++) {
        void *values = malloc(sizes[tensor]);
        if (values == NULL) fail("the state does not fit into memory");
        check(${name}_get(arena, tensor, values));
        if (fwrite(values, 1, sizes[tensor], file) != sizes[tensor])
            fail("the state file cannot be written");
        free(values);
    }
    if (fclose(file) != 0) fail("the state file cannot be written");
}

int main(int count, char **arguments) {
    static double history[2 * ${NAME}_HISTORY_COLUMNS];
    ${name}_job job = {.epochs = 1, .history = history$validates};$arguments
    if (strcmp(${name}_version(), ${NAME}_VERSION) != 0) fail("$name.h is of another version");$init
    /* one epoch at a time leaves the same bits as all at once, and shows the history as it grows */
    for (int64_t epoch = 1; epoch <= $epochs; epoch++) {$continues
        check(${name}_train(arena, &job));
        print_record(epoch, history);$ended
    }
    $state$frees
    return EXIT_SUCCESS;
}
""")

BUILD = " *     cc -std=c11 -O2 -Wall -Wextra main.c {name}.o -o {name}"
BUILD_SOURCE = " *     cc {flags}\n *         main.c {name}.c -o {name} -lm"
SHARED = """
 * Or with the shared library: cc main.c -L. -l{name} -Wl,-rpath,. -o {name}
 *"""

TOLD = Template("""
 * All of these may be left out: EPOCHS are then ${NAME}_EPOCHS, and SEED is ${NAME}_SEED.""")

NUMBER = """
static int64_t number(const char *word) {
    char *end;
    long long found = strtoll(word, &end, 10);
    if (end == word || *end != 0) fail("EPOCHS and SEED are whole numbers");
    return found;
}
"""

ARGUMENTS = Template("""
    if (count > 4) fail("usage: $name [STATE [EPOCHS [SEED]]]");
    int64_t epochs = count > 2 ? number(arguments[2]) : ${NAME}_EPOCHS;
    int64_t seed = count > 3 ? number(arguments[3]) : ${NAME}_SEED;
    if (epochs < 1 || seed < 0) fail("EPOCHS begin at 1, and SEED at 0");""")

CONTINUES = Template("""
        job.continues = epoch < $epochs;""")

ENDED = Template("""
        if (${name}_ended(arena)) break;""")

PRINT = Template("""\
    printf("$comma $told %.6g", record[$column] / record[$rows]);""")

PRINT_VALIDATION = Template("""\
    if (record[$rows] > 0) printf(", validation $told %.6g", record[$column] / record[$rows]);""")


def print_main(interface: Interface, *, source: bool = False) -> str:
    """The text of main.c, to be built with an object file or with the source."""
    build = BUILD_SOURCE if source else BUILD
    holes = of_data_file(interface) if interface.reads_rows else _of_steps(interface)
    end, epochs = interface.end, holes["epochs"]
    return MAIN.substitute(
        holes,
        build=build.format(name=interface.name, flags=" ".join(FLAGS)),
        shared="" if source else SHARED.format(name=interface.name),
        name=interface.name,
        NAME=interface.prefix,
        continues="" if end is None else CONTINUES.substitute(epochs=epochs),
        ended="" if end is None else ENDED.substitute(name=interface.name),
        prints="\n".join(_prints(interface)),
        bytes="\n".join(_bytes(interface)),
    )


def _of_steps(interface: Interface) -> Mapping[str, str]:
    """What the holes for a data file hold where steps draw what they learn from."""
    names = {"name": interface.name, "NAME": interface.prefix}
    return {
        "on": "",
        "usage": "[STATE [EPOCHS [SEED]]]",
        "told": TOLD.substitute(names),
        "index": "an index is out of range",
        "reading": NUMBER,
        "validates": ", .validates = 1" if interface.must_validate else "",
        "arguments": ARGUMENTS.substitute(names),
        "init": f"\n    check({interface.name}_init(arena, seed));",
        "epochs": "epochs",
        "state": "if (count > 1) write_state(arguments[1]);",
        "frees": "",
    }


def _prints(interface: Interface) -> Iterator[str]:
    columns = [f"{interface.prefix}_COLUMN_{word.upper()}" for word in words(interface.columns)]
    validation = 1 + len(interface.outputs)
    for i, output in enumerate(interface.outputs):
        holes = {"comma": "," if i else "", "told": inert(output)}
        yield PRINT.substitute(holes, column=columns[1 + i], rows=columns[0])
    for i, output in enumerate(interface.outputs):
        column, rows = columns[validation + 1 + i], columns[validation]
        yield PRINT_VALIDATION.substitute(told=inert(output), column=column, rows=rows)


def _bytes(interface: Interface) -> Iterator[str]:
    for tensor in interface.tensors:
        yield f"        {interface.prefix}_BYTES_{tensor.constant},"
