"""A C program that trains an exported program on a data file: an example that is complete."""

from __future__ import annotations

from collections.abc import Iterator
from string import Template

from chainc.backends.c.file import FLAGS
from chainc.backends.standalone.c_text.header import inert
from chainc.backends.standalone.interface import C_TYPES, Interface, RowArray, words

MAGIC = "CHAINDAT"

MAIN = Template("""\
/* Trains "$name" on a data file, prints the history, and can write the state. Made by Chainrule.
 *
$build
 *     ./$name DATA [STATE]
 *
$shared * DATA is a binary file without gaps, the low byte of each number first:
 *
 *     the letters $magic
 *     rows, rows of the validation data, and bytes as in struct ${name}_data: int64_t each
$file
 *     the same arrays of the validation data
 *
 * Python writes one from NumPy arrays so:
 *
 *     with open("$name.data", "wb") as file:
 *         file.write(b"$magic" + np.array([len($first), 0, 0], "<i8").tobytes())
$written
 *
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
    if (result == ${NAME}_BAD_INDEX) fail("the data holds a label that is out of range");
    if (result == ${NAME}_BAD_ARENA) fail("the arena has not been prepared");
}

/* An array of rows, each of so many elements, from where the file stands. */
static void *read_rows(FILE *file, int64_t rows, size_t elements, size_t element_bytes) {
    size_t count = (size_t)rows * elements;
    void *values = malloc(count * element_bytes);
    if (values == NULL) fail("the data does not fit into memory");
    if (fread(values, element_bytes, count, file) != count) fail("the data file cannot be read");
    return values;
}

static void read_data(FILE *file, ${name}_data *data) {
$reads
}

static int64_t row_bytes(int64_t bytes) {
    if (bytes & ~INT64_C($flags))
        fail("the data file says that an array holds uint8_t that cannot");
    return $row_bytes;
}

/* The header of the file; the file must be as long as it says. */
static void read_header(FILE *file, ${name}_job *job) {
    char magic[8];
    int64_t numbers[3];
    if (fread(magic, 1, 8, file) != 8 || memcmp(magic, "$magic", 8) != 0)
        fail("this is no data file: it does not begin with $magic");
    if (fread(numbers, sizeof numbers[0], 3, file) != 3) fail("the data file is cut short");
    if (numbers[0] < 1 || numbers[0] > ${NAME}_MOST_ROWS) fail("the data file has no rows");
    if (numbers[1] < 0 || numbers[1] > ${NAME}_MOST_ROWS) fail("the data file is damaged");
    long start = ftell(file);
    if (start < 0 || fseek(file, 0, SEEK_END) != 0) fail("the data file cannot be measured");
    long end = ftell(file);
    if (end < start || fseek(file, start, SEEK_SET) != 0) fail("the data file cannot be measured");
    int64_t length = end - start, each = row_bytes(numbers[2]);
    if (length % each != 0 || length / each != numbers[0] + numbers[1])
        fail("the data file is cut short, or too long");
    job->training.rows = numbers[0];
    job->validation.rows = numbers[1];
    job->training.bytes = job->validation.bytes = numbers[2];
}

static void read_job(const char *path, ${name}_job *job) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail("the data file cannot be opened");
    read_header(file, job);
    read_data(file, &job->training);
    if (job->validation.rows > 0) read_data(file, &job->validation);
    fclose(file);
}

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
    ${name}_job job = {.epochs = 1, .history = history};
    if (count < 2 || count > 3) fail("usage: $name DATA [STATE]");
    if (strcmp(${name}_version(), ${NAME}_VERSION) != 0) fail("$name.h is of another version");
    read_job(arguments[1], &job);
    check(${name}_init(arena, ${NAME}_SEED));
    /* one epoch at a time leaves the same bits as all at once, and shows the history as it grows */
    for (int64_t epoch = 1; epoch <= ${NAME}_EPOCHS; epoch++) {$continues
        check(${name}_train(arena, &job));
        print_record(epoch, history);$ended
    }
    if (count == 3) write_state(arguments[2]);
$frees
    return EXIT_SUCCESS;
}
""")

BUILD = " *     cc -std=c11 -O2 -Wall -Wextra main.c {name}.o -o {name}"
BUILD_SOURCE = " *     cc {flags}\n *         main.c {name}.c -o {name} -lm"
SHARED = """\
 * Or with the shared library: cc main.c -L. -l{name} -Wl,-rpath,. -o {name}
 *
"""

READ = Template("""\
    data->${word}_data = read_rows(file, data->rows, ${NAME}_ROW_$WORD, $size);""")

CONTINUES = Template("""
        job.continues = epoch < ${NAME}_EPOCHS;""")

ENDED = Template("""
        if (${name}_ended(arena)) break;""")

PRINT = Template("""\
    printf("$comma $told %.6g", record[$column] / record[$rows]);""")

PRINT_VALIDATION = Template("""\
    if (record[$rows] > 0) printf(", validation $told %.6g", record[$column] / record[$rows]);""")

FREE = Template("""\
    free((void *)job.training.${word}_data);
    free((void *)job.validation.${word}_data);""")


def print_main(interface: Interface, *, source: bool = False) -> str:
    """The text of main.c, to be built with an object file or with the source."""
    inputs = interface.inputs
    build = BUILD_SOURCE if source else BUILD
    return MAIN.substitute(
        build=build.format(name=interface.name, flags=" ".join(FLAGS)),
        shared="" if source else SHARED.format(name=interface.name),
        name=interface.name,
        NAME=interface.prefix,
        continues="" if interface.end is None else CONTINUES.substitute(NAME=interface.prefix),
        ended="" if interface.end is None else ENDED.substitute(name=interface.name),
        magic=MAGIC,
        first=inputs[0].word,
        file="\n".join(f" *     {_in_file(interface, each)}" for each in inputs),
        written="\n".join(f" *         {_written(each)}" for each in inputs),
        reads="\n".join(_read(interface, each) for each in inputs),
        flags=sum(1 << i for i, each in enumerate(inputs) if each.may_be_bytes),
        row_bytes=" + ".join(_row_bytes(interface, each) for each in inputs),
        prints="\n".join(_prints(interface)),
        bytes="\n".join(_bytes(interface)),
        frees="\n".join(FREE.substitute(word=each.word) for each in inputs),
    )


def _in_file(interface: Interface, rows: RowArray) -> str:
    """A line of the description of the file, and of the arrays in it."""
    shape = ", ".join(map(str, ("rows", *rows.row_shape)))
    other = f", or uint8_t with {_flag(interface, rows)} in bytes" if rows.may_be_bytes else ""
    return f"{rows.word}: {C_TYPES[rows.dtype]} ({shape}){other}"


def _written(rows: RowArray) -> str:
    """In Python, with the array of that name."""
    code = f"{rows.dtype.numpy.kind}{rows.dtype.itemsize}".replace("b1", "u1")
    return f'file.write({rows.word}.astype("<{code}").tobytes())'


def _read(interface: Interface, rows: RowArray) -> str:
    size = _element_bytes(interface, rows, "data->bytes")
    word, constant = rows.word, rows.word.upper()
    return READ.substitute(word=word, WORD=constant, NAME=interface.prefix, size=size)


def _row_bytes(interface: Interface, rows: RowArray) -> str:
    size = _element_bytes(interface, rows, "bytes")
    return f"(int64_t)({interface.prefix}_ROW_{rows.word.upper()} * ({size}))"


def _element_bytes(interface: Interface, rows: RowArray, given: str) -> str:
    size = f"sizeof({C_TYPES[rows.dtype]})"
    return f"{given} & {_flag(interface, rows)} ? 1 : {size}" if rows.may_be_bytes else size


def _flag(interface: Interface, rows: RowArray) -> str:
    return f"{interface.prefix}_UINT8_{rows.word.upper()}"


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
