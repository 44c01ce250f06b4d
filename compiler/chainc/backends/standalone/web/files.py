"""The files of a program of WebAssembly: modules, a script with types, a page, and what they say.

Script and page are files beside this one; what is about the program is put before them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.processors.wasm32 import WASM32, WASM32_RELAXED
from chainc.backends.llvm.wasm.linker import Module, linked_module
from chainc.backends.standalone.function_library import (
    ENTRIES,
    FunctionInterface,
    StandaloneFunction,
    WantedFunction,
    standalone_function,
)
from chainc.backends.standalone.interface import Interface
from chainc.backends.standalone.library import Standalone, Wanted, standalone
from chainc.backends.standalone.web.describing import of_function, of_training
from chainc.backends.standalone.web.reading import function_readme, training_readme
from chainc.backends.standalone.web.sealed import sealed_page, worker_script
from chainc.backends.standalone.web.types import function_types, training_types

FOR_THREADS = ("begin", "train_thread")  # there are none
PAGE = "index.html"
README = "README.md"
ON_DATA = {
    "about": """\
This page trains in this browser, on the data file that you choose: the one that
<code>main.c</code> of other exports reads.""",
    "file": """\
<label>Data file <input type="file" id="file"></label>
""",
}
ALONE = {
    "about": """\
This page trains in this browser. A step draws what it learns from, so there are no data to
choose, and an epoch is a step.""",
    "file": "",
}


def web_artifacts(wanted: Wanted) -> Mapping[str, bytes]:
    """The content of each file of a training, by name.

    Raises:
        GraphError: the program cannot be native code.
        LinkingError: LLVM's object file is not as it should be.
    """
    interface, modules, script = _training(wanted, (WASM32, WASM32_RELAXED))
    return {
        **_files(wanted.name, modules, script, training_types(interface, len(modules))),
        PAGE: _page(interface, script, modules).encode(),
        README: training_readme(interface, modules).encode(),
    }


def web_parts(wanted: Wanted) -> Mapping[str, bytes]:
    """What a page of one's own holds: the script, its types, and the module for every browser.

    Raises:
        GraphError: the program cannot be native code.
        LinkingError: LLVM's object file is not as it should be.
    """
    interface, modules, script = _training(wanted, (WASM32,))
    return _files(wanted.name, modules, script, training_types(interface, len(modules)))


def _training(
    wanted: Wanted, processors: Sequence[Processor]
) -> tuple[Interface, Mapping[str, Module], str]:
    """With a module for each processor, and the script."""
    made = [standalone(wanted, each) for each in processors]
    interface = made[0].interface
    entries = [name for name in interface.functions if name not in FOR_THREADS]
    modules = _modules(wanted.name, made, entries, interface.arena_bytes)
    script = f"{of_training(interface, modules)}\n{_text('shared.js')}\n{_text('training.js')}"
    return interface, modules, script


def web_function_artifacts(wanted: WantedFunction) -> Mapping[str, bytes]:
    """The content of each file of a function, by name.

    Raises:
        GraphError: the function cannot be native code.
        LinkingError: LLVM's object file is not as it should be.
    """
    interface, modules, files = _function(wanted, (WASM32, WASM32_RELAXED))
    return {**files, README: function_readme(interface, modules).encode()}


def web_function_parts(wanted: WantedFunction) -> Mapping[str, bytes]:
    """What a page of one's own holds: the script, its types, and the module for every browser.

    Raises:
        GraphError: the function cannot be native code.
        LinkingError: LLVM's object file is not as it should be.
    """
    return _function(wanted, (WASM32,))[-1]


def _function(
    wanted: WantedFunction, processors: Sequence[Processor]
) -> tuple[FunctionInterface, Mapping[str, Module], Mapping[str, bytes]]:
    """With a module for each processor, and all files but the README."""
    made = [standalone_function(wanted, each) for each in processors]
    interface = made[0].interface
    modules = _modules(wanted.name, made, ENTRIES, interface.arena_bytes)
    script = f"{of_function(interface, modules)}\n{_text('shared.js')}\n{_text('function.js')}"
    files = _files(wanted.name, modules, script, function_types(interface, len(modules)))
    return interface, modules, files


def _modules(
    name: str,
    made: Sequence[Standalone] | Sequence[StandaloneFunction],
    entries: Sequence[str],
    room: int,
) -> Mapping[str, Module]:
    """By their files: the one for every browser, and perhaps the one with fused arithmetic."""
    exports = {f"{name}_{entry}": entry for entry in entries}
    linked = [linked_module(each.object_file, exports, room) for each in made]
    return dict(zip((f"{name}.wasm", f"{name}.fused.wasm"), linked, strict=False))


def _files(
    name: str, modules: Mapping[str, Module], script: str, types: str
) -> Mapping[str, bytes]:
    told = f'// The program "{name}". Made by Chainrule: do not change.\n'
    return {
        **{file: module.content for file, module in modules.items()},
        f"{name}.js": (told + script).encode(),
        f"{name}.d.ts": (told + types).encode(),
    }


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _page(interface: Interface, script: str, modules: Mapping[str, Module]) -> str:
    """With all of it inside, so that it may be opened from a disk."""
    told = {
        "name": interface.name,
        "outputs": interface.outputs,
        "validates": interface.reads_rows or interface.must_validate,
        "modules": [base64.b64encode(module.content).decode() for module in modules.values()],
        "worker": worker_script(script, _text("page_worker.js")),
    }
    body = Template(_text("page.html")).substitute(
        ON_DATA if interface.reads_rows else ALONE,
        name=interface.name,
        epochs=interface.epochs,
        seed=interface.seed,
    )
    style, shown = _text("page.css"), _text("page_plot.js") + _text("page.js")
    return sealed_page(interface.name, body, style=style, script=shown, data=told, computes=True)
