"""The C header of an exported program: every tensor, size and function, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from string import Template
from typing import Protocol

from chainc.backends.standalone.c_text.of_rows import (
    array_of_rows,
    dimensions,
    of_rows,
    pointer,
)
from chainc.backends.standalone.interface import (
    BAD_ARENA,
    BAD_ARGUMENT,
    BAD_INDEX,
    C_TYPES,
    MOST_EPOCHS,
    OK,
    Interface,
    Prediction,
    Tensor,
    words,
)
from chainc.ir.types import static
from chainc.lowering.views import Buffer

HEADER = Template("""\
/* The training program "$name", version $version. Made by Chainrule: do not change.
 *
 * All memory is one arena, given by the caller: ${NAME}_ARENA_BYTES bytes that start at a multiple
 * of ${NAME}_ARENA_ALIGNMENT. It holds no pointers, so it may be copied, or written to a file and
 * read back; it needs no release. ${name}_init prepares it. The library keeps nothing itself, takes
 * no memory and calls no other library. An arena is for one call at a time, but for ${name}_stop,
 * ${name}_records and the threads of one job.
 *
 * Arrays are in C order. Functions that return int return 0, or say what is wrong; then nothing
 * has been changed, except by ${NAME}_BAD_INDEX from an index that the program computes itself, or
 * that is one of the rows of a batch.
 */
#ifndef ${NAME}_H
#define ${NAME}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef char ${name}_needs_${bits}_bit_pointers[8 * sizeof(void *) == $bits ? 1 : -1];

#define ${NAME}_VERSION "$version"
#define ${NAME}_ARENA_BYTES $arena_bytes
#define ${NAME}_ARENA_ALIGNMENT 64$batch
#define ${NAME}_MOST_EPOCHS INT64_C($most_epochs)
#define ${NAME}_MOST_THREADS $most_threads
#define ${NAME}_EPOCHS $epochs /* as declared */
#define ${NAME}_SEED INT64_C($seed) /* as declared */

enum ${name}_result {
    ${NAME}_OK = $ok,
    ${NAME}_BAD_ARGUMENT = $bad_argument, /* null, a number out of range, an arena not aligned */
    ${NAME}_BAD_INDEX = $bad_index, /* a label or another index is out of range */
    ${NAME}_BAD_ARENA = $bad_arena /* not prepared by ${name}_init of this version */
};

/* Tensors: parameters, the slots of the optimizer, counters, hyperparameters. */
enum ${name}_tensor {
$tensors
};

/* How each lies in the arena, which one need not know: get and set copy to and from C order. In
 * panels of n along an axis, a panel holds n positions of that axis: for all other axes in C order,
 * its n lanes side by side. */
$layouts

/* What a step and an evaluation compute, and the columns of the history. */
enum ${name}_output {
$outputs
};

enum ${name}_column {
$columns
};
$data$job
$history$continues
} ${name}_job;

/* ${NAME}_VERSION of the library; where it differs, this header is not the library's. */
const char *${name}_version(void);
$memory
/* The values before the first step, which follow from the seed alone. Hyperparameters get their
 * defaults. */
int ${name}_init(void *arena, int64_t seed);

/* Copies a tensor out of the arena, or into it: ${NAME}_BYTES_... bytes, in C order. */
int ${name}_get(void *arena, int tensor, void *values);
int ${name}_set(void *arena, int tensor, const void *values);

/* Trains from the step where the arena is; a state from the middle of an epoch first finishes that
 * epoch. Runs of 1 and 2 epochs leave the bits of one run of 3. */
int ${name}_train(void *arena, const ${name}_job *job);

/* The same on threads of the caller's: one calls ${name}_begin, and if that returns 0, each calls
 * ${name}_train_thread with its number, from 0 to threads - 1, all at the same time. The bits do
 * not depend on the number of threads. While one of them alone is quicker, the others wait. */
int ${name}_begin(void *arena, const ${name}_job *job);
int ${name}_train_thread(void *arena, const ${name}_job *job, int64_t thread, int64_t threads);

/* While a training goes on, from any thread or a signal handler: end it before the next step.
 * The epoch that is cut short leaves a record of the rows it has seen. */
void ${name}_stop(void *arena);

/* How many records of the history the last training has completed, or this one so far. */
int64_t ${name}_records(const void *arena);
$ended$step$predict
#ifdef __cplusplus
}
#endif

#endif
""")

CONTINUES = """
    int64_t continues; /* 1: further jobs go on with this training; 0: it ends with this one */"""

MEMORY = Template("""
/* An arena that is in the object file: give it to every function. What has 64 bits is computed by
 * functions of the compiler's own library, such as libgcc. */
extern unsigned char ${name}_memory[${NAME}_ARENA_BYTES];
""")

ENDED = Template("""
/* 1 if a rule has ended the last training, or this one, before its last epoch; else 0. */
int64_t ${name}_ended(const void *arena);
""")

PREDICT = Template("""
/* $rows
 * $result. No parameter changes, but the arena is used. */
int ${name}_predict(void *arena, $arrays, int64_t rows, $kind *$results);
""")


class Named(Protocol):
    """What has a name in C."""

    @property
    def name(self) -> str:
        """Of functions."""

    @property
    def prefix(self) -> str:
        """Of constants."""


def print_header(interface: Interface, version: str) -> str:
    """The text of the header."""
    prediction = interface.prediction
    return HEADER.substitute(
        of_rows(interface),
        name=interface.name,
        NAME=interface.prefix,
        version=version,
        bits=8 * interface.pointer_bytes,
        memory=static_memory(interface) if interface.has_memory else "",
        history=pointer(interface.pointer_bytes, "double", "history"),
        arena_bytes=interface.arena_bytes,
        most_epochs=MOST_EPOCHS,
        most_threads=interface.threads,
        epochs=interface.epochs,
        seed=interface.seed,
        ok=OK,
        bad_argument=BAD_ARGUMENT,
        bad_index=BAD_INDEX,
        bad_arena=BAD_ARENA,
        tensors="\n".join(_tensors(interface)),
        layouts="\n".join(_layouts(interface)),
        outputs="\n".join(_enumerated(interface, "OUTPUT", interface.outputs, "OUTPUTS")),
        columns="\n".join(_enumerated(interface, "COLUMN", interface.columns, "HISTORY_COLUMNS")),
        continues="" if interface.end is None else CONTINUES,
        ended="" if interface.end is None else ENDED.substitute(name=interface.name),
        predict="" if prediction is None else _predict(interface, prediction),
    )


def inert(text: str) -> str:
    """Text for a comment of C: letters, digits and what cannot end or open one."""
    return re.sub(r"[^A-Za-z0-9_./ ,:=()-]", "_", text)


def _tensors(interface: Interface) -> Iterator[str]:
    for tensor in interface.tensors:
        told = f"{inert(tensor.key)}: {_type(tensor)}{_default(tensor)}"
        yield f"    {interface.prefix}_TENSOR_{tensor.constant}, /* {told} */"
    yield f"    {interface.prefix}_TENSORS /* how many there are */"


def _default(tensor: Tensor) -> str:
    if tensor.buffer.role != "scalar":
        return ""
    return ", 0 until it is set" if tensor.default is None else f", {tensor.default:.9g} by default"


def _type(tensor: Tensor) -> str:
    kind = C_TYPES[tensor.buffer.type.dtype]
    return kind + dimensions(static(tensor.buffer.type.shape))


def _layouts(interface: Interface) -> Iterator[str]:
    for tensor in interface.tensors:
        told = [("BYTES", tensor.nbytes)]
        if not interface.has_levels:
            yield f"/* {inert(tensor.key)}: {_layout(tensor.buffer, tensor.stored_bytes)} */"
            told.append(("OFFSET", tensor.offset))
        for what, number in told:
            yield f"#define {interface.prefix}_{what}_{tensor.constant} {number}"


def _layout(buffer: Buffer, stored_bytes: int) -> str:
    """`8192 bytes in the arena, panels of 8 along axis 1, 512 elements each`."""
    shape = static(buffer.type.shape)
    size = f"{stored_bytes} bytes in the arena"
    if buffer.panels is None:
        return f"{size}, in C order"
    axis, lanes = buffer.panels.axis, buffer.panels.lanes
    panels = -(-shape[axis] // lanes)
    each = stored_bytes // (panels * buffer.type.dtype.itemsize)
    order = buffer.panels.order
    inside = f", in which lie the axes {', '.join(map(str, order))}" if order else ""
    return f"{size}, panels of {lanes} along axis {axis}, {each} elements each{inside}"


def _enumerated(interface: Interface, kind: str, names: Sequence[str], count: str) -> Iterator[str]:
    for word in words(names):
        yield f"    {interface.prefix}_{kind}_{word.upper()},"
    yield f"    {interface.prefix}_{count} /* how many there are */"


def static_memory(interface: Named) -> str:
    """What a board has for an arena."""
    return MEMORY.substitute(name=interface.name, NAME=interface.prefix)


def _predict(interface: Interface, prediction: Prediction) -> str:
    arrays = ", ".join(f"const {C_TYPES[r.dtype]} *{r.word}_data" for r in prediction.inputs)
    told = ", ".join(
        f"{each.word}_data is {array_of_rows(interface, each)}" for each in prediction.inputs
    )
    most = "" if prediction.by_row else f", for at most {interface.prefix}_BATCH rows"
    result = prediction.output
    return PREDICT.substitute(
        name=interface.name,
        rows=f"From the parameters as they are{most}: {told};",
        result=f"{result.word} receives {array_of_rows(interface, result)}",
        arrays=arrays,
        kind=C_TYPES[result.dtype],
        results=result.word,
    )
