"""What was compiled as files that need no Python: `export` of a training and of a function."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from chainc import driver, ir
from chainc.backends.llvm.c_programs.target import CTarget
from chainc.backends.llvm.processors.by_name import FAT, PORTABLE, processor_named
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.wasm.target import WasmTarget
from chainc.backends.standalone.artifacts import (
    artifacts,
    check_name,
    fat_artifacts,
    fat_function_artifacts,
    function_artifacts,
    function_source_artifacts,
    source_artifacts,
)
from chainc.backends.standalone.function_library import WantedFunction
from chainc.backends.standalone.library import Wanted
from chainc.backends.standalone.web.files import (
    web_artifacts,
    web_function_artifacts,
    web_function_parts,
    web_parts,
)
from chainc.backends.target import Target
from chainc.dataclass import dataclass
from chainc.ir import Node, describe
from chainc.ir.binding import bind_graph
from chainc.ir.errors import ExportError, GraphError, InputError
from chainc.ir.leaves import Input, initial_graph
from chainc.ir.python.collection import without_collection
from chainc.ir.types import Array, Size, TensorType, int64, named, names_of
from chainc.lowering.lower import lower
from chainc.lowering.program import Program, TrainingLoop
from chainc.passes import pipeline
from chainrule.declare.arguments import count, path_of
from chainrule.declare.graphs import graph_of
from chainrule.steps.loop import Training
from chainrule.writing.atomic import write_atomically

SEED = Input("seed", TensorType((), int64))
W = TypeVar("W", Wanted, WantedFunction)
Files = Callable[[W], Mapping[str, bytes]]  # by their names


@dataclass(frozen=True)
class Makers(Generic[W]):
    """What makes the files of a program, by whom they are for."""

    of_processor: Callable[[W, Processor], Mapping[str, bytes]]
    of_every_level: Files[W]
    of_source: Files[W]
    of_browsers: Files[W]
    of_a_page: Files[W]  # the parts that one of the user's own holds


OF_TRAINING = Makers(
    artifacts, fat_artifacts, source_artifacts, of_browsers=web_artifacts, of_a_page=web_parts
)
OF_FUNCTION = Makers(
    function_artifacts,
    fat_function_artifacts,
    function_source_artifacts,
    of_browsers=web_function_artifacts,
    of_a_page=web_function_parts,
)


def files_for(makers: Makers[W], target: Target, processor: str | None) -> Files[W]:
    """Which of them makes those of a program of this target.

    Raises:
        InputError: there is no such processor, or the target is for none.
    """
    if isinstance(target, CTarget):
        _refuse_processor(processor)
        return makers.of_source
    if isinstance(target, WasmTarget):
        return _of_webassembly(makers, processor)
    if isinstance(processor, str) and processor == FAT:  # an array would compare elements
        return makers.of_every_level
    chosen = processor_named(PORTABLE if processor is None else processor)
    return lambda wanted: makers.of_processor(wanted, chosen)


def _refuse_processor(name: object) -> None:
    """Of C source, which is for whatever it is built for.

    Raises:
        InputError: a processor is named.
    """
    if name is not None:
        raise InputError(
            f'export: a program of target "c" is source, which is not for the processor {name!r}',
            hint="leave processor out, and tell the C compiler what to build it for, such as "
            '-march=native; or compile for target "llvm"',
        )


def _of_webassembly(makers: Makers[W], processor: object) -> Files[W]:
    if processor is None:
        return makers.of_browsers
    if isinstance(processor, str) and processor == PORTABLE:
        return makers.of_a_page
    raise InputError(
        f'export: a program of target "wasm" is not for the processor {processor!r}',
        hint='leave processor out, or compile for target "llvm"',
    )


def export(
    folder: str | os.PathLike[str],
    *,
    name: str,
    declared: ir.Graph,
    slots: Sequence[Node],
    loop: TrainingLoop,
    training: Training,
    predict: Node | None,
    files: Files[Wanted],
) -> tuple[Path, ...]:
    """Compile a loop for C or a browser, and write the files; see `TrainingProgram.export`."""
    wanted = Wanted(
        name=check_name(name),
        loop=loop,
        initial=_initial(slots),
        predict=None if predict is None else _prediction(predict, declared, loop),
        defaults=_defaults(declared if predict is None else ir.Graph((*declared.roots, predict))),
        epochs=training.epochs,
        seed=training.seed,
        rows=_rows(declared, loop) if training.reads_rows else {},
    )
    return _write(path_of("export", folder), partial(files, wanted))


def export_function(
    folder: str | os.PathLike[str],
    *,
    name: str,
    program: Program,
    values: Mapping[str, Array],
    rows: int,
    files: Files[WantedFunction],
) -> tuple[Path, ...]:
    """Compile a function and its values, and write the files; see `Function.export`."""
    most = count("export", "rows", rows, hint="give the most rows that are computed at once")
    wanted = WantedFunction(check_name(name), program, values, most)
    return _write(path_of("export", folder), partial(files, wanted))


def _initial(slots: Sequence[Node]) -> Program:
    """Every slot's first value as its update; the seed, which they follow from, is there."""
    first = zip(slots, initial_graph(slots).outputs, strict=True)
    return lower(ir.Graph((), {slot: value for slot, value in first if value.op != SEED}))


def _defaults(graph: ir.Graph) -> Mapping[str, float | int]:
    inputs = [node.op for node in graph.leaves("input") if isinstance(node.op, Input)]
    return {op.key: op.default for op in inputs if op.default is not None}


def _rows(declared: ir.Graph, loop: TrainingLoop) -> Mapping[str, TensorType]:
    """The inputs that are made of rows: a pass may have found that the step does not need one."""
    known = {node.op.label: node.type for node in declared.leaves("input")}
    return {key: known[key] for key in loop.batch_inputs}


def _prediction(node: Node, declared: ir.Graph, loop: TrainingLoop) -> Program:
    """The program of a node, whose sizes and slots are those of the training.

    Raises:
        GraphError: it is no node, has no rows, or needs what the training does not have.
    """
    if not isinstance(node, Node):
        raise GraphError(
            f"export: predict is {node!r}, which is no node",
            hint="give the node itself, such as the logits",
        )
    graph = graph_of(ir.Graph((node,), names=("results",)), "infer")
    trained = {slot.op for slot in declared.leaves("state")}
    for slot in graph.leaves("state"):
        if slot.op not in trained:
            raise GraphError(
                f"export: predict needs {describe(slot)}, which this training does not have",
                hint="predict from the parameters that are trained",
            )
    graph = bind_graph(graph, _sizes(graph, declared))
    (result,) = graph.outputs
    (name, *_) = (*loop.step.size_names, *_names_in(graph), "batch")  # a step may read no rows
    _check_inputs(graph, declared, name)
    if not _made_of_rows(result, name):
        raise GraphError(
            f"export: predict gives {describe(result)}, not a result for each row",
            hint=f"give a node whose first axis is {name!r}, such as the logits",
        )
    return lower(driver.optimize(graph, pipeline())[-1].graph)


def _names_in(graph: ir.Graph) -> Sequence[str]:
    """Named sizes of its results and inputs."""
    nodes = (*graph.outputs, *graph.leaves("input"))
    return [name for node in nodes for dim in node.shape for name in names_of(dim)]


def _sizes(graph: ir.Graph, declared: ir.Graph) -> Mapping[str, int]:
    """Named sizes that were bound when the training was compiled, from inputs of both."""
    bound = {node.op.label: node.shape for node in declared.leaves("input")}
    return {
        dim.names[0]: known
        for node in graph.leaves("input")
        for dim, known in zip(node.shape, bound.get(node.op.label, ()), strict=False)
        if isinstance(dim, Size) and isinstance(known, int) and dim == named(dim.names[0])
    }


def _check_inputs(graph: ir.Graph, declared: ir.Graph, batch: str) -> None:
    known = {node.op.label: node.type for node in declared.leaves("input")}
    for node in graph.leaves("input"):
        if known.get(node.op.label, node.type) != node.type:
            raise GraphError(
                f"export: predict has the input {describe(node)}, the training one of type "
                f"{known[node.op.label]}",
                hint="give the inputs other names, or use the same one",
            )
        if any(isinstance(dim, Size) for dim in node.shape) and not _made_of_rows(node, batch):
            raise GraphError(
                f"export: predict has the input {describe(node)}, which is not made of rows",
                hint=f"let {batch!r} be the first axis, and the only one without a number",
            )


def _made_of_rows(node: Node, batch: str) -> bool:
    """Is the batch the first axis, and are all others numbers?"""
    first, others = node.shape[:1], node.shape[1:]
    return first == (named(batch),) and all(isinstance(dim, int) for dim in others)


def _write(folder: Path, files: Callable[[], Mapping[str, bytes]]) -> tuple[Path, ...]:
    """Compile them; then each file is written whole or not at all. The folder is made.

    Raises:
        ExportError: the folder or a file cannot be written.
    """
    with without_collection():
        compiled = files()
    paths = []
    for name, content in compiled.items():
        path = folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content, durable=False)
        except OSError as error:
            raise ExportError(
                f"export: cannot write {path}: {error.strerror or error}",
                hint="choose a folder that is yours to write, on a disk that has room",
            ) from error
        paths.append(path)
    return tuple(paths)
