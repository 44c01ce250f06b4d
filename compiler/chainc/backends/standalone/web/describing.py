"""What a script must know of a program: where memory is, and which arrays it takes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from chainc.backends.llvm.wasm.linker import Module
from chainc.backends.standalone.function_library import Argument, FunctionInterface
from chainc.backends.standalone.interface import Interface, RowArray, Tensor
from chainc.ir.types import static

Files = Mapping[str, Module]


def of_training(interface: Interface, files: Files) -> str:
    """As a line of JavaScript."""
    prediction = interface.prediction
    return _constant({
        "name": interface.name,
        "modules": _modules(files),
        "readsRows": interface.reads_rows,
        "validates": interface.must_validate,
        "batch": interface.batch_size,
        "epochs": interface.epochs,
        "seed": interface.seed,
        "tensors": list(map(_tensor, interface.tensors)),
        "inputs": list(map(_array, interface.inputs)),
        "outputs": interface.outputs,
        "columns": len(interface.columns),
        "predicts": list(map(_array, prediction.inputs)) if prediction else [],
        "result": _array(prediction.output) if prediction else None,
        "byRow": prediction is not None and prediction.by_row,
    })  # fmt: skip


def of_function(interface: FunctionInterface, files: Files) -> str:
    """As a line of JavaScript."""
    return _constant({
        "name": interface.name,
        "modules": _modules(files),
        "mostRows": interface.most_rows,
        "countsRows": interface.counts_rows,
        "inputs": list(map(argument, interface.inputs)),
        "outputs": list(map(argument, interface.outputs)),
    })  # fmt: skip


def _constant(told: Mapping[str, object]) -> str:
    """Names are inert, wherever the script stands."""
    text = json.dumps(told).replace("<", "\\u003c")
    return f"const PROGRAM = {text};\n"


def _modules(files: Files) -> Sequence[Mapping[str, object]]:
    return [
        {"file": name, "arena": module.base, "end": module.end} for name, module in files.items()
    ]


def _tensor(tensor: Tensor) -> Mapping[str, object]:
    kind = tensor.buffer.type
    return {"name": tensor.key, "dtype": kind.dtype.name, "shape": static(kind.shape)}


def _array(rows: RowArray) -> Mapping[str, object]:
    told = {"name": rows.key, "dtype": rows.dtype.name, "shape": rows.row_shape}
    return {**told, "bytes": rows.may_be_bytes}


def argument(given: Argument) -> Mapping[str, object]:
    """As a script reads it."""
    return {**_array(given.array), "rows": given.has_rows}
