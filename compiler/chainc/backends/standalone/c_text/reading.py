"""The README of a program for C: sizes, how to build and run it, and which bits to expect."""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

from chainc.backends.c.file import FLAGS
from chainc.backends.llvm.processors.processor import Processor
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
$rounding: code for a processor where these differ has other bits in the last places.
""")

TRAIN = Template("""\
`main.c` trains on a data file, which a comment in it describes, and writes the state.

```sh
$compiler main.c $library -o $name
$run./$name $name.data $name.state
```

""")
CALL = Template("""\
```sh
$compiler caller.c $library -o caller
```

`${name}_init` prepares the arena once; `${name}_call` computes.

""")
ON_A_BOARD = Template("""\
Give `${name}_memory` to every function: it is the arena. There is no file to read and nothing to
print on, so there is no `main.c`; a firmware calls `${name}_init`, and then what it needs.

```sh
arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 firmware.c $name.o
```

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
`main.c` trains on a data file, which a comment in it describes, and writes the state.

```sh
cc $flags main.c $name.c -o $name -lm
./$name $name.data $name.state
```

""")
CALL_SOURCE = Template("""\
```sh
cc $flags caller.c $name.c -o caller -lm
```

`${name}_init` prepares the arena once; `${name}_call` computes.

""")
LEVELS = """\
Vectors have 16, 32 or 64 bytes, and products and sums are rounded together from AVX2 on, as the
processor has it"""
COMPILERS = {"aarch64": "aarch64-linux-gnu-gcc", "riscv64": "riscv64-linux-gnu-gcc"}
ALWAYS = ", however\na training is cut into epochs and for any number of threads"


def training_readme(
    interface: Interface,
    object_files: Sequence[bytes],
    files: Sequence[str],
    processor: Processor,
) -> str:
    """Of a training."""
    template = TRAIN if processor.board is None else ON_A_BOARD
    return _printed(interface, object_files, files, processor, template,
                    what="training", functions=_called(interface.name, interface.functions),
                    always=ALWAYS)  # fmt: skip


def function_readme(
    interface: FunctionInterface,
    object_files: Sequence[bytes],
    files: Sequence[str],
    processor: Processor,
) -> str:
    """Of a function."""
    template = CALL if processor.board is None else ON_A_BOARD
    functions = _called(interface.name, interface.functions)
    return _printed(interface, object_files, files, processor, template,
                    what="function", functions=functions, always="")  # fmt: skip


def source_readme(interface: Interface | FunctionInterface, processor: Processor) -> str:
    """Of either as C source, printed for this processor."""
    trains = isinstance(interface, Interface)
    build = BUILD if trains else CALL_SOURCE
    return SOURCE.substitute(
        name=interface.name,
        what="training" if trains else "function",
        arena=f"{interface.arena_bytes:,}",
        functions=_called(interface.name, interface.functions),
        build=build.substitute(name=interface.name, flags=" ".join(FLAGS)),
        always=ALWAYS if trains else "",
        vector=processor.machine.vector_bytes,
    )


def _printed(
    interface: Interface | FunctionInterface,
    object_files: Sequence[bytes],
    files: Sequence[str],
    processor: Processor,
    build: Template,
    **holes: str,
) -> str:
    board, emulator = processor.board, processor.emulator
    compiler = COMPILERS.get(processor.architecture, "cc")
    foreign = processor.architecture in COMPILERS
    told = build.substitute(
        name=interface.name,
        compiler=compiler,
        library=next(file for file in files if file.endswith((".o", ".a"))),
        run=f"{emulator} -L /usr/{compiler.removesuffix('-gcc')} " if foreign else "",
    )
    return README.substitute(
        holes,
        name=interface.name,
        meaning=processor.meaning,
        code=f"{sum(map(code_bytes, object_files)):,}",
        arena=f"{interface.arena_bytes:,}",
        given="the caller's" if board is None else f"`{interface.name}_memory`",
        libraries="no library" if board is None else "only the compiler's own, such as libgcc",
        build=told,
        rounding=LEVELS if len(object_files) > 1 else _rounding(processor),
    )


def _rounding(processor: Processor) -> str:
    rounded = "rounded together" if processor.fuses else "rounded one after the other"
    vector = processor.machine.vector_bytes
    return f"A product and its sum are {rounded}, and vectors have {vector} bytes"


def _called(name: str, functions: Sequence[str]) -> str:
    return "\n".join(f"- `{name}_{function}`" for function in functions)
