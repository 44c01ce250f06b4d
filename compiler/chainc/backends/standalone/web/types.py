"""TypeScript's declarations of the script of a program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from chainc.backends.standalone.function_library import Argument, FunctionInterface
from chainc.backends.standalone.interface import Interface, Prediction, RowArray

ARRAYS = {
    "float32": "Float32Array",
    "float64": "Float64Array",
    "int32": "Int32Array",
    "int64": "BigInt64Array",
    "uint8": "Uint8Array",
    "bool": "Uint8Array",
}
TWO_MODULES = """\
    /** Round a product and its sum once: quicker, and other last bits; see `fuses`. */
    fused?: boolean;
    /** The two modules, without and with fused arithmetic, instead of the files beside this one. */
    wasm?: [BufferSource, BufferSource];"""
ONE_MODULE = """\
    /** There is one module, which rounds each product and each sum. */
    fused?: false;
    /** It, instead of the file beside this one. */
    wasm?: [BufferSource];"""
DATA = Template("""
/** Rows of a data set: the arrays of all rows in C order. */
export interface Data {
$inputs
}
""")
OF_ROWS = {
    "epoch": """\
/** What one epoch has seen, and the means over it; the same of the validation data after it. */
export interface Epoch {
    rows: number;
    outputs: Outputs;
    validation: { rows: number; outputs: Outputs } | null;
}""",
    "room": """\
    /** Of the training data, at most: memory is made once and never grows. */
    rows: number;
    /** Of the validation data, at most; by default there are none. */
    validationRows?: number;
""",
    "options": "options: Options",
}
TRAINS = Template("""\
    /** Copies the rows to train on; without validation data nothing is evaluated. */
    data(training: Data, validation?: Data | null): void;
    /** Trains an epoch each time it is asked; a state from the middle of one first finishes it. */
    train(epochs?: number): Generator<Epoch, void, void>;
    /** One step over at most $batch rows; the outputs are those before it. */
    step(batch: Data): Outputs;
    /** The means over all rows; nothing changes. */
    evaluate(which?: "training" | "validation"): Outputs;""")
WITHOUT_ROWS = {
    "data": "",
    "epoch": """\
/** What a step has computed; and what is computed after it, if it validates. */
export interface Epoch {
    outputs: Outputs;
    validation: { outputs: Outputs } | null;
}""",
    "room": "",
    "options": "options?: Options",
    "trains": """\
    /** A step each time it is asked, which draws what it learns from. */
    train(epochs?: number, validates?: boolean): Generator<Epoch, void, void>;
    /** One step; the outputs are those before it. */
    step(): Outputs;
    /** The outputs for what the next step draws; nothing changes. */
    evaluate(): Outputs;""",
}
PREDICTING = Template("""
/** What a prediction needs. */
export interface Given {
$fields
}
""")
PREDICT = Template("""\
    /** $shape for each row, from the parameters as they are. */
    predict(inputs: Given): $kind;
""")


def training_types(interface: Interface, modules: int) -> str:
    """All that can be called, with the names of this program; it has one module, or two."""
    prediction = interface.prediction
    kinds = {ARRAYS[each.buffer.type.dtype.name] for each in interface.tensors}
    return _template("training.d.ts").substitute(
        _of_rows(interface) if interface.reads_rows else WITHOUT_ROWS,
        outputs="\n".join(f"    {json.dumps(each)}: number;" for each in interface.outputs),
        predicting=PREDICTING.substitute(fields=_fields(prediction.inputs)) if prediction else "",
        tensors="\n".join(f"    | {json.dumps(each.key)}" for each in interface.tensors),
        arrays=" | ".join(sorted(kinds)),
        modules=_modules(modules),
        predict=_predict(prediction) if prediction else "",
    )


def _of_rows(interface: Interface) -> Mapping[str, str]:
    data = DATA.substitute(inputs=_fields(interface.inputs))
    return {**OF_ROWS, "data": data, "trains": TRAINS.substitute(batch=interface.batch_size)}


def function_types(interface: FunctionInterface, modules: int) -> str:
    """The same of a function."""
    given, results = (
        "\n".join(_field(each.array, _whole(each)) for each in arguments)
        for arguments in (interface.inputs, interface.outputs)
    )
    return _template("function.d.ts").substitute(
        inputs=given,
        outputs=results,
        modules=_modules(modules),
        given="inputs: Given" if interface.inputs else "inputs?: Given",
    )


def _modules(count: int) -> str:
    return TWO_MODULES if count > 1 else ONE_MODULE


def _template(name: str) -> Template:
    return Template((Path(__file__).parent / name).read_text(encoding="utf-8"))


def _fields(arrays: Sequence[RowArray]) -> str:
    return "\n".join(_field(each, " for each row") for each in arrays)


def _field(rows: RowArray, each: str) -> str:
    kind = ARRAYS[rows.dtype.name] + (" | Uint8Array" if rows.may_be_bytes else "")
    told = f"{_shape(rows)}{each}"
    told += "" if rows.bound is None else f", from 0 to {rows.bound - 1}"
    return f"    /** {told}. */\n    {json.dumps(rows.key)}: {kind};"


def _whole(argument: Argument) -> str:
    return " for each row" if argument.has_rows else " in all"


def _predict(prediction: Prediction) -> str:
    output = prediction.output
    return PREDICT.substitute(shape=_shape(output), kind=ARRAYS[output.dtype.name])


def _shape(rows: RowArray) -> str:
    return " × ".join(map(str, rows.row_shape)) or "1"
