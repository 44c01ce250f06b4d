"""What a C program that trains does with a data file: what is in one, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from chainc.backends.standalone.c_text.of_rows import flag_of
from chainc.backends.standalone.interface import C_TYPES, Interface, RowArray

MAGIC = "CHAINDAT"

TOLD = Template("""
 * DATA is a binary file without gaps, the low byte of each number first:
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
 *""")

READING = Template("""
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
""")

ARGUMENTS = Template("""
    if (count < 2 || count > 3) fail("usage: $name DATA [STATE]");""")
INIT = Template("""
    read_job(arguments[1], &job);
    check(${name}_init(arena, ${NAME}_SEED));""")

READ = Template("""\
    data->${word}_data = read_rows(file, data->rows, ${NAME}_ROW_$WORD, $size);""")

FREE = Template("""
    free((void *)job.training.${word}_data);
    free((void *)job.validation.${word}_data);""")


def of_data_file(interface: Interface) -> Mapping[str, str]:
    """The holes of the program that are filled by what is about the file."""
    inputs, names = interface.inputs, {"name": interface.name, "NAME": interface.prefix}
    return {
        "on": " on a data file",
        "usage": "DATA [STATE]",
        "told": TOLD.substitute(
            names,
            magic=MAGIC,
            first=inputs[0].word,
            file="\n".join(f" *     {_in_file(interface, each)}" for each in inputs),
            written="\n".join(f" *         {_written(each)}" for each in inputs),
        ),
        "index": "the data holds a label that is out of range",
        "reading": READING.substitute(
            names,
            magic=MAGIC,
            reads="\n".join(_read(interface, each) for each in inputs),
            flags=sum(1 << i for i, each in enumerate(inputs) if each.may_be_bytes),
            row_bytes=" + ".join(_row_bytes(interface, each) for each in inputs),
        ),
        "validates": "",
        "arguments": ARGUMENTS.substitute(names),
        "init": INIT.substitute(names),
        "epochs": f"{interface.prefix}_EPOCHS",
        "state": "if (count == 3) write_state(arguments[2]);",
        "frees": "".join(FREE.substitute(word=each.word) for each in inputs),
    }


def _in_file(interface: Interface, rows: RowArray) -> str:
    """A line of the description of the file, and of the arrays in it."""
    shape = ", ".join(map(str, ("rows", *rows.row_shape)))
    other = f", or uint8_t with {flag_of(interface, rows)} in bytes" if rows.may_be_bytes else ""
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
    return f"{given} & {flag_of(interface, rows)} ? 1 : {size}" if rows.may_be_bytes else size
