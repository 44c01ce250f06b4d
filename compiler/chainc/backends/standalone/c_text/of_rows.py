"""What the header of a training says of rows: batches, data sets, jobs, and what computes on them.

Where steps draw what they learn from, a job has no data, and an epoch is a step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from string import Template

from chainc.backends.standalone.interface import C_TYPES, MOST_ROWS, Interface, RowArray
from chainc.ir.types import bool_

BATCH = Template("""
#define ${NAME}_BATCH $batch /* rows of a step; fewer in the last of an epoch */$least
#define ${NAME}_MOST_ROWS INT64_C($most_rows)""")

PREDICTED = Template("""
#define ${NAME}_BATCH $batch /* rows that are predicted at once */
#define ${NAME}_MOST_ROWS INT64_C($most_rows)""")

DATA = Template("""
/* A data set$order. */
typedef struct ${name}_data {
    int64_t rows;
$arrays
    int64_t bytes; /* 0, or the sum of those of ${NAME}_UINT8_... that say what arrays hold */
} ${name}_data;

$sizes
""")

JOB = Template("""
/* A training. A record of the history is ${NAME}_HISTORY_COLUMNS numbers: rows seen, the sum over
 * them of each output, rows of the validation data, the sum over those of each output after the
 * epoch; of an output that is no mean over rows the sum is its value times the rows. There must be
 * room for epochs + 1 records. */
typedef struct ${name}_job {
    ${name}_data training;
    ${name}_data validation; /* all zero: none */
    int64_t epochs;""")

JOB_OF_STEPS = Template("""
/* A training: steps draw what they learn from, and an epoch is a step. A record of the history is
 * ${NAME}_HISTORY_COLUMNS numbers: 1, each output of the step, 1 where it validates or else 0, and
 * each output for the state after the step. There must be room for epochs + 1 records. */
typedef struct ${name}_job {
    int64_t validates; /* 1: compute the outputs after each step too; 0: do not */
    int64_t epochs;""")

STEP = Template("""
/* One step over at most ${NAME}_BATCH rows, in the order given; outputs[${NAME}_OUTPUTS] receives
 * what it computed before it changed the parameters. */
int ${name}_step(void *arena, const ${name}_data *batch, double *outputs);

/* The mean of each output over the rows, from those of batches by their rows; no parameter changes.
 * What follows from sums over the rows, such as the root of a mean, is exact. Of any other output,
 * such as a maximum, it is the mean of what the batches give, here and in the history. */
int ${name}_evaluate(void *arena, const ${name}_data *data, double *outputs);
""")

STEP_ALONE = Template("""
/* One step; outputs[${NAME}_OUTPUTS] receives what it computed before it changed the parameters. */
int ${name}_step(void *arena, double *outputs);

/* Each output for what the next step draws; no parameter changes. */
int ${name}_evaluate(void *arena, double *outputs);
""")


def of_rows(interface: Interface) -> Mapping[str, str]:
    """The holes of the header that are filled by them."""
    holes = {"name": interface.name, "NAME": interface.prefix, "batch": interface.batch_size}
    numbers = {**holes, "most_rows": MOST_ROWS}
    if not interface.reads_rows:
        predicts = interface.prediction is not None
        return {
            "batch": PREDICTED.substitute(numbers) if predicts else "",
            "data": "",
            "job": JOB_OF_STEPS.substitute(holes),
            "step": STEP_ALONE.substitute(holes),
        }
    return {
        "batch": BATCH.substitute(numbers, least=_least_rows(interface)),
        "data": DATA.substitute(
            holes,
            order=", visited in a new order each epoch" if interface.shuffle else "",
            arrays="\n".join(_field(interface, each) for each in interface.inputs),
            sizes="\n".join(_sizes(interface)),
        ),
        "job": JOB.substitute(holes),
        "step": STEP.substitute(holes),
    }


def _least_rows(interface: Interface) -> str:
    if interface.least_rows == 1:
        return ""
    told = "rows that any step needs; data that leaves fewer for the last is refused"
    return f"\n#define {interface.prefix}_LEAST_ROWS {interface.least_rows} /* {told} */"


def flag_of(interface: Interface, rows: RowArray) -> str:
    """The constant that says that an array holds uint8_t."""
    return f"{interface.prefix}_UINT8_{rows.word.upper()}"


def dimensions(shape: Sequence[int]) -> str:
    """Behind the type of an element."""
    return "".join(f"[{extent}]" for extent in shape)


def _field(interface: Interface, rows: RowArray) -> str:
    """`const int32_t *y_data; /* int32_t[rows], from 0 to 9 */`."""
    kind = "void" if rows.may_be_bytes else C_TYPES[rows.dtype]
    shown = pointer(interface.pointer_bytes, f"const {kind}", f"{rows.word}_data")
    return f"{shown} /* {array_of_rows(interface, rows)} */"


def pointer(nbytes: int, kind: str, name: str) -> str:
    """A field that takes 8 bytes, whatever an address takes."""
    if nbytes == 8:
        return f"    {kind} *{name};"
    return f"    union {{ {kind} *{name}; int64_t {name}_word; }};"


def array_of_rows(interface: Interface, rows: RowArray) -> str:
    """What a comment says of it."""
    told = f"{C_TYPES[rows.dtype]}[rows]{dimensions(rows.row_shape)}"
    if rows.may_be_bytes:
        flag = flag_of(interface, rows)
        told += f", or uint8_t with {flag} in bytes"
    if rows.dtype == bool_:
        told += ", each 0 or 1"
    return told if rows.bound is None else f"{told}, from 0 to {rows.bound - 1}"


def _sizes(interface: Interface) -> Iterator[str]:
    for i, each in enumerate(interface.inputs):
        word = each.word.upper()
        yield f"#define {interface.prefix}_ROW_{word} {each.row_elements} /* elements of a row */"
        if each.may_be_bytes:
            yield f"#define {flag_of(interface, each)} INT64_C({1 << i})"
