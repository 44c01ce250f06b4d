"""The page on which a network is chosen and trains."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from chainrule.declare.arguments import path_of
from chainrule.playgrounds import choices
from chainrule.playgrounds.data_sets import POINTS
from chainrule.playgrounds.modules import GRID, modules
from chainrule.teaching.pages.page import Page, asset
from chainrule.teaching.pages.writing import check_target, write_page

__all__ = ["playground"]

_PACKAGE = __package__ or ""
_SCRIPTS = (
    "state.js",
    "controls.js",
    "plots.js",
    "picture.js",
    "panel.js",
    "program.js",
    "page.js",
    "actions.js",
)
_WORKER = ("worker_kernels.js", "worker_network.js", "worker.js")


def playground(*, path: str | os.PathLike[str] = "playground.html") -> Path:
    """Write a page on which a network in the plane is chosen, changed and trained.

    Data, features, layers, activations, optimizer and rates are chosen while it trains; every
    neuron shows what it answers, and one example can be followed forward and backward. What
    computes is made by the compiler, as WebAssembly. The file needs nothing but a browser: it
    opens from disk, and no request leaves it.

    Args:
        path: where to write it; the folder exists.

    Returns:
        The path of the file; a notebook shows the page.

    Raises:
        ExportError: the file cannot be written.
    """
    target = path_of("playground", path)
    check_target("playground", target)
    html = Page(
        "Neural network playground",
        asset(_PACKAGE, "playground.html"),
        styles=("playground.css",),
        scripts=_SCRIPTS,
        data=_data(),
        package=_PACKAGE,
        computes=True,
    ).html()
    return write_page("playground", target, html)


def _data() -> Mapping[str, object]:
    """All that the scripts read."""
    tables = {
        "activations": _table(choices.ACTIVATIONS),
        "optimizers": _table(choices.OPTIMIZERS),
        "initialisations": _table(choices.INITIALISATIONS),
        "regressions": choices.REGRESSIONS,
    }
    program = {
        "modules": modules(),
        "tables": {**tables, "features": list(choices.FEATURES)},
        "points": POINTS,
        "grid": GRID,
    }
    return {
        **tables,
        "dataSets": _table(choices.DATA_SETS),
        "features": _table(choices.FEATURES),
        "losses": _table(choices.LOSSES),
        "worker": "\n".join(asset(_PACKAGE, name) for name in _WORKER),
        "program": program,
    }


def _table(table: Mapping[str, choices.Choice]) -> Mapping[str, object]:
    return {name: asdict(choice) for name, choice in table.items()}
