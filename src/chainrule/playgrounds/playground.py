"""The page on which a network is chosen and trains."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from chainc.backends.standalone.web.sealed import worker_script
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainrule.datasets.dataset import Dataset
from chainrule.declare.arguments import path_of, shown
from chainrule.declare.calls import answering
from chainrule.declare.leaves import input as declare_input
from chainrule.optim import Adam
from chainrule.playgrounds import choices, digits
from chainrule.playgrounds.lessons.classes import Model
from chainrule.playgrounds.lessons.lesson import write_lesson
from chainrule.playgrounds.modules import GRID, MOST_ROWS, modules
from chainrule.steps.loop import training
from chainrule.teaching.pages.page import Page, asset
from chainrule.teaching.pages.writing import check_target, write_page

__all__ = ["playground"]

Loss = Node | Callable[[Node, Node], Node]
RATE, BATCH = 0.01, 10  # with which a model of one's own is trained
_PACKAGE = __package__ or ""
_SCRIPTS = (
    "elements", "classes", "state", "controls", "plots", "picture", "panel", "program", "page",
    "actions",
)  # fmt: skip
_WORKER = ("layout", "kernels", "data", "network", "step", "training", "worker")


def playground(
    model: Model | None = None,
    loss: Loss | None = None,
    *,
    data: Dataset | None = None,
    path: str | os.PathLike[str] = "playground.html",
) -> Path:
    """Write a page on which a network is trained, and changed while it is.

    Alone it is of networks in the plane, or on digits of 8 x 8 pixels: data, features, layers,
    activations, optimizer and rates are chosen on the page, every neuron shows what it answers,
    and one example can be followed forward and backward. With a model of one's own it is that
    model with Adam, as `cr.lesson` shows it. What computes is made by the compiler, as
    WebAssembly. The file needs nothing but a browser: it opens from disk, and no request leaves it.

    Args:
        model: from features to a score for each class, or to one for two classes.
        loss: the loss of the model as it is declared, or a function of its scores and the class
            numbers, such as `losses.cross_entropy`.
        data: what the model is trained and tested on.
        path: where to write it; the folder exists.

    Returns:
        The path of the file; a notebook shows the page.

    Raises:
        InputError: of model, loss and data only some are given, or they do not fit each other.
        ExportError: the file cannot be written.
    """
    if any(each is not None for each in (model, loss, data)):
        return _of_model(model, loss, data, path)
    target = path_of("playground", path)
    check_target("playground", target)
    html = Page(
        "Neural network playground",
        asset(_PACKAGE, "page/playground.html"),
        styles=("page/playground.css",),
        scripts=("worker/layout.js", *(f"page/{name}.js" for name in _SCRIPTS)),
        data=_data(),
        package=_PACKAGE,
        computes=True,
    ).html()
    return write_page("playground", target, html)


def _of_model(
    model: Model | None,
    loss: Loss | None,
    data: Dataset | None,
    path: str | os.PathLike[str],
) -> Path:
    """The lesson of a training that a model and a loss make."""
    judges = isinstance(loss, Node) or callable(loss)
    if not (callable(model) and judges and isinstance(data, Dataset)):
        given = ", ".join(map(shown, (model, loss, data)))
        raise InputError(
            f"playground: of a model it needs three things, not {given}",
            hint="call cr.playground(model, losses.cross_entropy, data=datasets.spirals())",
        )
    step = Adam(lr=RATE).minimize(_judged(model, loss, data))
    rows = min(BATCH, len(data.train))
    declared = training(step, epochs=1, batch_size=rows)
    return write_lesson("playground", data.name, model, declared, data, None, path)


def _judged(model: Model, loss: Loss | None, data: Dataset) -> Node:
    """The loss that is declared, or that of the model over inputs of its own."""
    if isinstance(loss, Node):
        return loss
    assert loss is not None
    x = declare_input("x", ("batch", data.train.x.shape[1]))
    y = declare_input("y", ("batch",), dtype="int32")
    scores = answering(model, "the model of playground")(x)
    return answering(loss, "the loss of playground")(scores, y)


def _data() -> Mapping[str, object]:
    """All that the scripts read."""
    tables = ("activations", "optimizers", "initialisations", "regressions")
    told = program()
    known = told["tables"]
    assert isinstance(known, Mapping)
    return {
        **{name: known[name] for name in tables},
        "dataSets": _table(choices.DATA_SETS),
        "features": _table(choices.FEATURES),
        "losses": _table(choices.LOSSES),
        "schedules": _table(choices.SCHEDULES),
        "norms": _table(choices.NORMS),
        "rules": _table(choices.RULES),
        "worker": worker_script(*(asset(_PACKAGE, f"worker/{name}.js") for name in _WORKER)),
        "program": told,
    }


def program() -> Mapping[str, object]:
    """What the worker runs, and the tables that it reads."""
    tables = {
        "activations": _table(choices.ACTIVATIONS),
        "optimizers": _table(choices.OPTIMIZERS),
        "initialisations": _table(choices.INITIALISATIONS),
        "regressions": choices.REGRESSIONS,
        "features": list(choices.FEATURES),
    }
    sizes = {"points": MOST_ROWS, "grid": GRID}
    return {"modules": modules(), "tables": tables, **sizes, "digits": digits.told()}


def _table(table: Mapping[str, choices.Choice]) -> Mapping[str, object]:
    parts = ("title", "told", "code")
    return {name: {part: getattr(each, part) for part in parts} for name, each in table.items()}
