"""The README of a program of WebAssembly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from string import Template

from chainc.backends.llvm.wasm.linker import PAGE_BYTES, STACK_BYTES, Module
from chainc.backends.standalone.function_library import FunctionInterface
from chainc.backends.standalone.interface import Interface, RowArray

README = Template("""\
# $name

A $what that runs in a browser, made by Chainrule. Nothing leaves the machine.

| file | bytes | what it is |
|---|---|---|
$modules
| `$name.js` | | a module of JavaScript that loads one of them and calls it |
| `$name.d.ts` | | its types |
$page
## Memory

$plan bytes are the program's own: $stack of stack, constants, and an arena of $arena. $top
Memory is made once, in pages of $page_bytes bytes, and never grows; the modules import it and
nothing else.

## Use

$use
`load` fetches a module from beside the script, so a page of your own needs a server of files: a
browser fetches none for a page that is opened from a disk. `python -m http.server` is one. Or give
the contents, which under Node.js is the way:

```js
import { readFile } from "node:fs/promises";

const wasm = await Promise.all(["$name.wasm", "$name.fused.wasm"].map((each) => readFile(each)));
$loaded
```

Where a page has a content-security policy, its `script-src` needs `'wasm-unsafe-eval'`.

## Bits

`$name.wasm` rounds each product and each sum. It leaves the same bits in every browser, and in
Python with `target="wasm"`. So does code for any x86-64 processor without fused multiply-add, where
it cuts long sums into the same pieces, which depends on how many registers there are.$seeds

`$name.fused.wasm` rounds a product with its sum once where the processor can, which is mostly
quicker. Its bits differ from the other module's in the last places, and may differ between
machines. `load` takes it where the browser knows its instructions; with `fused: false` it never
does.
""")

TRAIN = Template("""\
```js
import { load } from "./$name.js";

const training = await load($given
for (const { outputs } of training.train($epochs)) console.log(outputs);
const state = training.state(); // bytes to be kept; training.restore(state) goes on from there
```

An epoch takes as long as it takes: on a page that is to stay awake, do this in a worker. `train`
stops between two epochs when nobody asks for the next.
""")
CALL = Template("""\
```js
import { load } from "./$name.js";

const computation = await load({ rows: 1 }); // at most
console.log(computation.call($data)); // typed arrays, as `$name.d.ts` says
```
""")
GIVEN = Template("""\
{ rows: 1000 }); // at most
training.data({ $data }); // typed arrays of all rows, as `$name.d.ts` says""")
DRAWN = """\
); // a step draws what it learns from: there are no data, and an epoch is a step"""
LOADS_TRAINING = "const training = await load({ rows: 1000, wasm });"
LOADS_STEPS = "const training = await load({ wasm });"
TOP = """The rows
that it is given come on top, as many as `load` is told."""
TOP_OF_STEPS = """Room
for what it gives comes on top."""
LOADS_FUNCTION = "const computation = await load({ rows: 1, wasm });"
SEEDS = Template(""" Two
runs of the same $same are equal to the last bit, however they are cut into epochs.""")
PAGE = "| `index.html` | | a page with all of it inside, which may be opened from a disk |\n"
TOLD = ("for every browser", "with fused multiply-add, for browsers with relaxed SIMD")


def training_readme(interface: Interface, modules: Mapping[str, Module]) -> str:
    """The text, with the sizes of the modules."""
    reads, name = interface.reads_rows, interface.name
    given = GIVEN.substitute(data=_given(interface.inputs), name=name) if reads else DRAWN
    return _printed(
        name,
        modules,
        interface.arena_bytes,
        what="training",
        page=PAGE,
        use=TRAIN.substitute(name=name, given=given, epochs=interface.epochs),
        loaded=LOADS_TRAINING if reads else LOADS_STEPS,
        seeds=SEEDS.substitute(same="seed and rows" if reads else "seed"),
        top=TOP if reads else TOP_OF_STEPS,
    )


def function_readme(interface: FunctionInterface, modules: Mapping[str, Module]) -> str:
    """The same of a function."""
    given = _given([each.array for each in interface.inputs])
    use = CALL.substitute(name=interface.name, data=f"{{ {given} }}" if given else "")
    arena = interface.arena_bytes
    return _printed(
        interface.name, modules, arena, what="function", page="", use=use, loaded=LOADS_FUNCTION,
        seeds="", top=TOP,
    )  # fmt: skip


def _given(arrays: Sequence[RowArray]) -> str:
    """The properties of an object, from variables of the names that C has."""
    named = [(each.key, each.word) for each in arrays]
    return ", ".join(word if key == word else f"{json.dumps(key)}: {word}" for key, word in named)


def _printed(name: str, modules: Mapping[str, Module], arena: int, **holes: str) -> str:
    rows = [
        f"| `{file}` | {len(module.content):,} | {told} |"
        for (file, module), told in zip(modules.items(), TOLD, strict=True)
    ]
    return README.substitute(
        holes,
        name=name,
        modules="\n".join(rows),
        plan=f"{next(iter(modules.values())).end:,}",
        stack=f"{STACK_BYTES:,}",
        arena=f"{arena:,}",
        page_bytes=f"{PAGE_BYTES:,}",
    )
