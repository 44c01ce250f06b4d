"""Pages on which a model of the reader's own trains, and answers."""

from __future__ import annotations

import base64
import math
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from string import Template

import numpy as np

from chainc import ir, ops
from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.types import Array, has_named_size, static
from chainrule.compiled.compilation import compile
from chainrule.compiled.history import Result
from chainrule.compiled.starting import arrays_for
from chainrule.datasets.dataset import Dataset, Split
from chainrule.declare.arguments import path_of
from chainrule.declare.calls import answering
from chainrule.declare.functional import softmax
from chainrule.drawing.drawing import draw
from chainrule.playgrounds.modules import GRID
from chainrule.steps.loop import Training
from chainrule.teaching.pages.page import Page, asset
from chainrule.teaching.pages.writing import check_target, write_page

__all__ = ["lesson"]

Model = Callable[[Node], Node]
MOST_BYTES = 16_000_000  # of data in a page
EXAMPLES = 20  # of the test data that can be looked at
_PACKAGE = __package__ or ""


def lesson(
    title: str,
    model: Model,
    training: Training,
    *,
    data: Dataset,
    result: Result | None = None,
    path: str | os.PathLike[str] = "lesson.html",
) -> Path:
    """Write a page on which a model trains in the browser, and answers to what is drawn.

    It runs the training loop that the compiler made, as WebAssembly, on the data inside the page:
    with its loss on both splits and its confusion matrix. Of points in the plane it shows what is
    predicted everywhere; pictures, such as digits, can be drawn. The file needs nothing but a
    browser: it opens from disk, and no request leaves it.

    Args:
        title: of the page.
        model: from the training's features to a score for each class, or to one for two classes.
        training: whose inputs are the features and the class numbers.
        data: with a split to train on and one to test on.
        result: of a run of the training: the page begins with what it left.
        path: where to write it; the folder exists.

    Returns:
        The path of the file; a notebook shows the page.

    Raises:
        InputError: the data do not fit the training, or take more than 16 MB.
        GraphError: the training cannot be WebAssembly.
        ExportError: the file cannot be written.
    """
    return write_lesson("lesson", title, model, training, data, result, path)


def write_lesson(
    function: str,
    title: str,
    model: Model,
    training: Training,
    data: Dataset,
    result: Result | None,
    path: str | os.PathLike[str],
) -> Path:
    """The same for another function, which errors name."""
    target = path_of(function, path)
    check_target(function, target)
    _check(function, title, model, training, data, result)
    inputs = _inputs(function, training, data)
    scores = answering(model, f"the model of {function}")(inputs.x)
    shares = _shares(function, scores, data)
    html = Page(
        title,
        Template(asset(_PACKAGE, "lesson.html")).substitute(title=escape(title)),
        styles=("playground.css", "lesson.css"),
        scripts=("elements.js", "lesson.js"),
        data=_data(training, inputs, shares, data, result),
        package=_PACKAGE,
        computes=True,
    ).html()
    return write_page(function, target, html)


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The inputs of a training: features and classes."""

    x: Node
    y: Node

    def arrays(self, split: Split) -> Mapping[str, Array]:
        shape = (len(split), *static(self.x.shape[1:]))
        x = np.ascontiguousarray(split.x.reshape(shape), self.x.dtype.numpy)
        y = np.ascontiguousarray(split.y.reshape(len(split), *static(self.y.shape[1:])))
        return {self.x.op.label: x, self.y.op.label: y.astype(self.y.dtype.numpy)}


def _check(
    function: str, title: object, model: object, training: object, data: object, result: object
) -> None:
    wrong = (
        ("title", title, isinstance(title, str), 'a text, such as "digits"'),
        ("model", model, callable(model), "a layer, or a function of the features"),
        ("training", training, isinstance(training, Training), "what cr.training gives"),
        ("data", data, isinstance(data, Dataset), "a data set, such as datasets.digits()"),
        ("result", result, result is None or isinstance(result, Result), "what a run gives"),
    )
    for name, given, fits, wanted in wrong:
        if not fits:
            raise InputError(f"{function}: {name} is {given!r}", hint=f"give {wanted}")
    assert isinstance(data, Dataset)
    count = sum(split.x.nbytes + split.y.nbytes for split in (data.train, data.test))
    if count > MOST_BYTES:
        raise InputError(
            f"{function}: the data take {count:,} bytes, and {MOST_BYTES:,} are the most of a page",
            hint="give a part of them",
        )


def _inputs(function: str, training: Training, data: Dataset) -> _Inputs:
    found = [node for node in ir.Graph(training.outputs).leaves("input") if _has_rows(node)]
    wide = [node for node in found if len(node.shape) > 1]
    features = data.train.x.shape[1]
    others = [node for node in found if not any(node is each for each in wide[:1])]
    if not wide or len(others) != 1 or math.prod(static(wide[0].shape[1:])) != features:
        shown = ", ".join(f"{node.op.label} {node.type}" for node in found)
        raise InputError(
            f"{function}: the training takes {shown or 'no rows'}; the data have {features} "
            "features and a class for each row",
            hint='declare cr.input("x", ("batch", features)) and '
            'cr.input("y", ("batch",), dtype="int32")',
        )
    return _Inputs(wide[0], others[0])


def _has_rows(node: Node) -> bool:
    return has_named_size(node.shape)


def _shares(function: str, scores: object, data: Dataset) -> Node:
    """Probabilities of the classes, or of the second of two."""
    classes = len(data.classes)
    if isinstance(scores, Node):
        width = math.prod(static(scores.shape[1:]))
        if width == classes and len(scores.shape) == 2:
            return softmax(scores, axis=1)
        if width == 1 and classes == 2:
            return ops.sigmoid(scores)
    raise InputError(
        f"{function}: the model gives {scores!r} for {classes} classes",
        hint="let it give a row of scores, one for each class",
    )


def _data(
    training: Training, inputs: _Inputs, shares: Node, data: Dataset, result: Result | None
) -> Mapping[str, object]:
    program = compile(training, target="wasm")
    with tempfile.TemporaryDirectory() as folder:
        program.export(folder, name="lesson", predict=shares)
        script = (Path(folder) / "lesson.js").read_text("utf-8")
        module = (Path(folder) / "lesson.wasm").read_bytes()
    kept = {} if result is None else arrays_for(program.slots, result)
    told = {
        "x": inputs.x.op.label,
        "y": inputs.y.op.label,
        "train": _encoded(inputs.arrays(data.train)),
        "test": _encoded(inputs.arrays(data.test)),
        "state": _encoded(kept),
        "begins": result is not None,
        "plane": _plane(data),
    }
    picture = base64.b64encode(draw(shares).svg().encode()).decode()
    return {
        "worker": f"{_classic(script)}\n{asset(_PACKAGE, 'lesson_worker.js')}",
        "program": {"told": told, "wasm": base64.b64encode(module).decode()},
        "graph": f"data:image/svg+xml;base64,{picture}",
        "lesson": _shown(training, shares, data),
    }


def _classic(script: str) -> str:
    """A module as a plain script: a page opened from disk may have no worker of modules."""
    plain = re.sub(r"^export ", "", script, flags=re.MULTILINE)
    return plain.replace("import.meta.url", "location.href")


def _shown(training: Training, shares: Node, data: Dataset) -> Mapping[str, object]:
    side = math.isqrt(data.train.x.shape[1])
    is_picture = side >= 4 and side * side == data.train.x.shape[1]
    is_plane = data.train.x.shape[1] == 2
    rates = [
        node.op.default
        for node in ir.Graph(tuple(training.updates.values())).leaves("input")
        if node.op.label == "lr" and isinstance(node.op, ir.leaves.Input)
    ]
    return {
        "classes": data.classes,
        "truth": data.test.y.tolist(),
        "width": math.prod(static(shares.shape[1:])),
        "loss": training.step.names[0],
        "rate": rates[0] if rates else None,
        "side": side if is_picture else 0,
        "examples": data.test.x[:EXAMPLES].tolist() if is_picture else [],
        "grid": GRID if is_plane else 0,
        "reach": _reach(data) if is_plane else [],
        "points": np.column_stack([data.train.x, data.train.y]).tolist() if is_plane else [],
    }


def _reach(data: Dataset) -> list[float]:
    """The least and the most of both coordinates, with a margin."""
    least, most = data.train.x.min(axis=0), data.train.x.max(axis=0)
    margin = 0.1 * float((most - least).max()) or 1.0
    return [
        float(each) for pair in zip(least - margin, most + margin, strict=True) for each in pair
    ]


def _plane(data: Dataset) -> list[float] | None:
    if data.train.x.shape[1] != 2:
        return None
    left, right, low, high = _reach(data)
    share = (np.arange(GRID) + 0.5) / GRID
    x, y = np.meshgrid(left + (right - left) * share, high - (high - low) * share)
    return [float(each) for each in np.column_stack([x.ravel(), y.ravel()]).ravel()]


def _encoded(arrays: Mapping[str, Array]) -> Mapping[str, object]:
    return {
        name: {"kind": array.dtype.name, "text": base64.b64encode(array.tobytes()).decode()}
        for name, array in arrays.items()
    }
