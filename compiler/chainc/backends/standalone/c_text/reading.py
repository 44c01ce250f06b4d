"""The README of a program for C: sizes, how to build and run it, and which bits to expect."""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

from chainc.backends.c.file import FLAGS
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.standalone.c_text.callers import caller, functions, training_on_a_board
from chainc.backends.standalone.function_library import FunctionInterface
from chainc.backends.standalone.interface import Interface
from chainc.backends.standalone.objects.sizes import code_bytes

README = Template("""\
# $name

A $what as machine code for $meaning,
made by Chainrule. `$name.h` says what it offers.

| | bytes |
|---|---|
| code and constants | $code |
| memory: one arena, $given | $arena |

It takes no other memory and calls $libraries. Its functions:

$functions

## Build and run

$build
## Bits

Two runs of the same values are equal to the last bit$always.
$rounding:
code for a processor where these differ has other bits in the last places.
""")

TRAIN = Template("""\
$main

```sh
$compiler main.c $library -o $name
$run./$name $given
```
""")
ON_DATA = """\
`main.c` trains on a data file, prints the history and writes the state. A comment in it describes
the file, with the lines of Python that make one of NumPy arrays."""
ALONE = """\
`main.c` trains, prints the history and writes the state. A step draws what it learns from, so there
are no data, and an epoch is a step. How many there are and the seed may follow: a comment in
`main.c` says how."""
CALL = Template("""\
A `caller.c` that computes $once is

```c
$caller```

```sh
$compiler caller.c $library -o caller
$run./caller
```
""")
ON_A_BOARD = Template("""\
Give `${name}_memory` to every function: it is the arena. There is no file to read and nothing to
print on; a `firmware.c` that $does is

```c
$caller```

```sh
arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 \\
    --specs=nosys.specs firmware.c $name.o -o $name.elf
```

`nosys` stands in for a system that is not there. How the board starts, and where its memory lies,
a linker script of your own says (`-T`).
""")
SOURCE = Template("""\
# $name

A $what as C11 source, made by Chainrule. `$name.h` says what it offers; `$name.c` has a comment at
each kernel that names the line it was declared in.

It takes no other memory than one arena, the caller's, of $arena bytes, and calls no library but for
instructions that have a name in C, such as `fmaf`. Its functions:

$functions

## Build and run

gcc from 12 on and clang build it, for any processor with addresses of 64 bits.

$build
`-ffp-contract=off` keeps products and sums apart that the program does not join, and `-fwrapv` lets
integers wrap around, as random numbers need.

## Bits

Two runs of the same values are equal to the last bit$always.
A product and its sum are rounded together where the source says `fma`, if the processor can; where
it cannot, each is rounded. Vectors have $vector bytes in the source; the compiler splits them where
registers are shorter, which changes no bit. Built for the processor that it was exported on, it has
the bits of machine code.
""")
BUILD = Template("""\
$main

```sh
cc $flags main.c $name.c -o $name -lm
./$name $given
```
""")
CALL_SOURCE = Template("""\
A `caller.c` that computes $once is

```c
$caller```

```sh
cc $flags caller.c $name.c -o caller -lm
./caller
```
""")
LEVELS = """\
Vectors have 16, 32 or 64 bytes, and products and sums are rounded together from AVX2 on, as the
processor has it"""
COMPILERS = {"aarch64": "aarch64-linux-gnu-gcc", "riscv64": "riscv64-linux-gnu-gcc"}
CUT = ",\nhowever a training is cut into epochs"


def training_readme(
    interface: Interface,
    object_files: Sequence[bytes],
    files: Sequence[str],
    processor: Processor,
) -> str:
    """Of a training."""
    if processor.board is None:
        return _printed(interface, object_files, files, processor, TRAIN,
                        what="training", **_main(interface))  # fmt: skip
    caller = training_on_a_board(interface)
    return _printed(interface, object_files, files, processor, ON_A_BOARD,
                    what="training", caller=caller, does="does a step")  # fmt: skip


def function_readme(
    interface: FunctionInterface,
    object_files: Sequence[bytes],
    files: Sequence[str],
    processor: Processor,
) -> str:
    """Of a function."""
    template = CALL if processor.board is None else ON_A_BOARD
    shown = caller(interface, board=processor.board is not None)
    return _printed(interface, object_files, files, processor, template, what="function",
                    caller=shown, once=_once(interface), does="computes")  # fmt: skip


def source_readme(interface: Interface | FunctionInterface, processor: Processor) -> str:
    """Of either as C source, printed for this processor."""
    flags = " ".join(FLAGS)
    if isinstance(interface, Interface):
        build = BUILD.substitute(_main(interface), name=interface.name, flags=flags)
    else:
        shown, once = caller(interface, board=False), _once(interface)
        build = CALL_SOURCE.substitute(name=interface.name, flags=flags, caller=shown, once=once)
    return SOURCE.substitute(
        name=interface.name,
        what="training" if isinstance(interface, Interface) else "function",
        arena=f"{interface.arena_bytes:,}",
        functions=functions(interface),
        build=build,
        always=_always(interface),
        vector=processor.machine.vector_bytes,
    )


def _printed(
    interface: Interface | FunctionInterface,
    object_files: Sequence[bytes],
    files: Sequence[str],
    processor: Processor,
    build: Template,
    what: str,
    **holes: str,
) -> str:
    board, emulator = processor.board, processor.emulator
    compiler = COMPILERS.get(processor.architecture, "cc")
    foreign = processor.architecture in COMPILERS
    told = build.substitute(
        holes,
        name=interface.name,
        compiler=compiler,
        library=next(file for file in files if file.endswith((".o", ".a"))),
        run=f"{emulator} -L /usr/{compiler.removesuffix('-gcc')} " if foreign else "",
    )
    return README.substitute(
        name=interface.name,
        what=what,
        meaning=processor.meaning,
        code=f"{sum(map(code_bytes, object_files)):,}",
        arena=f"{interface.arena_bytes:,}",
        given="the caller's" if board is None else f"`{interface.name}_memory`",
        libraries="no library" if board is None else "only the compiler's own, such as libgcc",
        functions=functions(interface),
        build=told,
        always=_always(interface),
        rounding=LEVELS if len(object_files) > 1 else _rounding(processor),
    )


def _main(interface: Interface) -> dict[str, str]:
    """What its program is told, and what that does."""
    name = interface.name
    if interface.reads_rows:
        return {"main": ON_DATA, "given": f"{name}.data {name}.state"}
    return {"main": ALONE, "given": f"{name}.state"}


def _once(interface: FunctionInterface) -> str:
    return "one row" if interface.counts_rows else "once"


def _always(interface: Interface | FunctionInterface) -> str:
    """How far equal bits go."""
    if not isinstance(interface, Interface):
        return ""
    return f"{CUT} and for any number of threads" if interface.threads > 1 else CUT


def _rounding(processor: Processor) -> str:
    rounded = "rounded together" if processor.fuses else "rounded one after the other"
    machine = processor.machine
    width = f"{machine.vector_bytes} bytes"
    vectors = f"vectors have {width}"
    if machine.takes_apart:
        vectors = f"there are no vectors\n(sums are added up as in those of {width})"
    return f"A product and its sum are {rounded}, and {vectors}"
