"""The C header of an exported function: its arena, its call, and what they mean."""

from __future__ import annotations

from string import Template

from chainc.backends.standalone.c_text.header import inert, static_memory
from chainc.backends.standalone.function_library import Argument, FunctionInterface
from chainc.backends.standalone.interface import (
    BAD_ARENA,
    BAD_ARGUMENT,
    BAD_INDEX,
    OK,
)
from chainc.ir.types import bool_

HEADER = Template("""\
/* The function "$name", version $version. Made by Chainrule: do not change.
 *
 * The values of its parameters are constants of the library. All other memory is one arena, given
 * by the caller: ${NAME}_ARENA_BYTES bytes that start at a multiple of ${NAME}_ARENA_ALIGNMENT. It
 * holds no pointers and needs no release. ${name}_init prepares it, once. The library takes no
 * memory and calls no other library. An arena is for one call at a time; threads that are to run
 * side by side have one each.
 *
 * Arrays are in C order. Functions that return int return 0, or say what is wrong; then nothing
 * has been computed, except before ${NAME}_BAD_INDEX from an index that the function computes, or
 * that is one of the rows.
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
#define ${NAME}_ARENA_ALIGNMENT 64
$most_rows
enum ${name}_result {
    ${NAME}_OK = $ok,
    ${NAME}_BAD_ARGUMENT = $bad_argument, /* null, a number out of range, an arena not aligned */
    ${NAME}_BAD_INDEX = $bad_index, /* an index is out of range */
    ${NAME}_BAD_ARENA = $bad_arena /* not prepared by ${name}_init of this version */
};

/* ${NAME}_VERSION of the library; where it differs, this header is not the library's. */
const char *${name}_version(void);
$memory
/* Prepares an arena. */
int ${name}_init(void *arena);

/* Reads
$inputs
 * and writes
$outputs
 */
int ${name}_call($arguments);

#ifdef __cplusplus
}
#endif

#endif
""")


def print_function_header(interface: FunctionInterface) -> str:
    """The text of the header."""
    most = f"#define {interface.prefix}_MOST_ROWS INT64_C({interface.most_rows})\n"
    return HEADER.substitute(
        name=interface.name,
        NAME=interface.prefix,
        version=interface.version,
        bits=8 * interface.pointer_bytes,
        memory=static_memory(interface) if interface.has_memory else "",
        arena_bytes=interface.arena_bytes,
        most_rows=most if interface.counts_rows else "",
        ok=OK,
        bad_argument=BAD_ARGUMENT,
        bad_index=BAD_INDEX,
        bad_arena=BAD_ARENA,
        inputs="\n".join(map(_told, interface.inputs)) or " *     nothing",
        outputs="\n".join(map(_told, interface.outputs)),
        arguments=", ".join(interface.parameters),
    )


def _told(argument: Argument) -> str:
    """` *     x_data: float[rows][64]`."""
    array = argument.array
    shape = ("rows", *array.row_shape) if argument.has_rows else array.row_shape or (1,)
    told = f" *     {array.word}_data: {argument.c_type}{''.join(f'[{dim}]' for dim in shape)}"
    told += f", which is {inert(array.key)}" if array.key != array.word else ""
    told += ", each 0 or 1" if array.dtype == bool_ else ""
    return told if array.bound is None else f"{told}, from 0 to {array.bound - 1}"
