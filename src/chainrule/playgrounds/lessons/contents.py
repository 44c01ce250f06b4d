"""What is in a page: a training, arrays to train on, and what the scripts are told."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, field
from html import escape
from pathlib import Path
from string import Template

from chainc import ir
from chainc.backends.standalone.web.sealed import worker_script
from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule.compiled.compilation import compile
from chainrule.compiled.history import Result
from chainrule.compiled.starting import arrays_for
from chainrule.drawing.drawing import draw
from chainrule.playgrounds.lessons.functions import Outputs, functions
from chainrule.steps.loop import Training
from chainrule.teaching.pages.page import Page, asset

MOST_BYTES = 16_000_000  # of data in a page
MOST_ROWS = 512  # that a function beside the training takes at once
_PACKAGE = "chainrule.playgrounds"

Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Line:
    """A loss that is shown: on which data, and which."""

    id: str
    label: str
    of: str  # "train" or "test"
    name: str


@dataclass(frozen=True, eq=False)
class Contents:
    """What one kind of page shows.

    Attributes:
        kind: the name of its markup, and of its script.
        scripts: that come before it.
        train: by the names of the training's inputs.
        test: the same; without rows where there is nothing to test on.
        lines: the losses that are shown.
        drawn: the node whose graph is drawn.
        told: what the scripts of the page read.
        to_worker: what the script beside the program reads.
        predict: what the program computes for each row.
        beside: functions that are called with the parameters.
        piece: after so many rows of the training data something is shown.
    """

    kind: str
    scripts: tuple[str, ...]
    train: Arrays
    test: Arrays
    lines: tuple[Line, ...]
    drawn: Node
    told: Mapping[str, object]
    to_worker: Mapping[str, object] = field(default_factory=dict)
    predict: Node | None = None
    beside: Mapping[str, Outputs] = field(default_factory=dict)
    piece: int = 0


def page_of(
    function: str, title: str, training: Training, result: Result | None, contents: Contents
) -> str:
    """The whole file.

    Raises:
        InputError: the data take more than 16 MB.
        GraphError: the training cannot be WebAssembly.
    """
    _check_size(function, contents)
    markup = asset(_PACKAGE, f"lessons/{contents.kind}.html")
    scripts = ("lesson", *contents.scripts, contents.kind, "begin")
    return Page(
        title,
        Template(asset(_PACKAGE, "lessons/lesson.html")).substitute(
            title=escape(title), kind=markup
        ),
        styles=("page/playground.css", "lessons/lesson.css"),
        scripts=(
            "page/elements.js",
            "page/classes.js",
            *(f"lessons/{name}.js" for name in scripts),
        ),
        data=_data(function, training, result, contents),
        package=_PACKAGE,
        computes=True,
    ).html()


def _check_size(function: str, contents: Contents) -> None:
    held = (*contents.train.values(), *contents.test.values())
    count = sum(each.nbytes for each in held)
    if count > MOST_BYTES:
        raise InputError(
            f"{function}: the data take {count:,} bytes, and {MOST_BYTES:,} are the most of a page",
            hint="give a part of them",
        )


def _data(
    function: str, training: Training, result: Result | None, contents: Contents
) -> Mapping[str, object]:
    program = compile(training, target="wasm")
    with tempfile.TemporaryDirectory() as folder:
        program.export(folder, name="lesson", predict=contents.predict, processor="portable")
        script = (Path(folder) / "lesson.js").read_text("utf-8")
        module = (Path(folder) / "lesson.wasm").read_bytes()
    kept = {} if result is None else arrays_for(program.slots, result)
    told = {
        **contents.to_worker,
        "train": _encoded(contents.train),
        "test": _encoded(contents.test),
        "state": _encoded(kept),
        "begins": result is not None,
        "piece": contents.piece,
        "beside": functions(function, contents.beside, program.slots, MOST_ROWS),
    }
    picture = base64.b64encode(draw(contents.drawn).svg().encode()).decode()
    return {
        "worker": worker_script(script, asset(_PACKAGE, "lessons/worker.js")),
        "program": {"told": told, "wasm": base64.b64encode(module).decode()},
        "graph": f"data:image/svg+xml;base64,{picture}",
        "lesson": {
            **contents.told,
            "lines": [asdict(line) for line in contents.lines],
            "rate": _rate(training),
        },
    }


def _rate(training: Training) -> float | None:
    """Of a learning rate that can be changed, what it is at first."""
    rates = [
        node.op.default
        for node in ir.Graph(tuple(training.updates.values())).leaves("input")
        if node.op.label == "lr" and isinstance(node.op, ir.leaves.Input)
    ]
    return rates[0] if rates else None


def _encoded(arrays: Arrays) -> Mapping[str, object]:
    return {
        name: {"kind": array.dtype.name, "text": base64.b64encode(array.tobytes()).decode()}
        for name, array in arrays.items()
    }
