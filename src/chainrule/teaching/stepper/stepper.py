"""A page that steps through a forward and a backward pass, one node at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from chainc.ir import Graph, Node, describe
from chainc.ir.errors import GraphError, InputError
from chainrule.declare.arguments import path_of
from chainrule.declare.derivatives import nodes_of
from chainrule.evaluation.backpropagation import backpropagate
from chainrule.evaluation.unrolled import values_by_name, written_out
from chainrule.evaluation.values import Values
from chainrule.teaching.pages.page import Page
from chainrule.teaching.pages.writing import check_target, write_page
from chainrule.teaching.stepper.data import page_data

__all__ = ["step_through"]

LARGEST = 5_000  # nodes: about 3 MB, which a browser opens in a few seconds


def step_through(
    loss: Node,
    values: Values,
    wrt: Node | Sequence[Node] | None = None,
    path: str | os.PathLike[str] = "backprop.html",
) -> Path:
    """Write a page that goes forward and then backward through a graph, one node at a time.

    At each step it shows the node in the graph, its formula and numbers, and on the way back the
    gradient from above, the local derivatives, and the running sums at fan-outs. A convolution
    opens into its positions: the pixels below the kernel, the products and their sum. A loop is
    written out, a box for each of its steps. The file needs nothing but a browser: it opens from
    disk, and no request leaves it.

    Args:
        loss: the floating-point scalar to differentiate.
        values: of the inputs, by node or name; states that are not given have their first values.
        wrt: where the backward pass ends, a node or several; by default at all inputs and states
            of floating-point type.
        path: where to write it; the folder exists.

    Returns:
        The path of the file; a notebook shows the page.

    Raises:
        GradientError: the loss is no scalar, or does not depend on a node of `wrt`.
        GraphError: there are more than 5,000 nodes.
        InputError: a value is missing, unknown or does not fit, or there is no node to begin with.
        ExportError: the file cannot be written.
    """
    target = path_of("step_through", path)
    _check_loss(loss)
    check_target("step_through", target)
    targets = None if wrt is None else nodes_of("step_through", wrt)
    (loss, *given), _ = written_out([loss, *(targets or ())], values)
    _check_loss(loss)
    point = values_by_name(values)
    found = backpropagate(loss, point, targets and given, function="step_through")
    data = page_data(found)
    html = Page(
        "Backpropagation, step by step",
        _BODY,
        styles=("stepper.css",),
        scripts=(
            "stepper_layers.js",
            "stepper_layout.js",
            "stepper_passes.js",
            "stepper_picture.js",
            "stepper_sliding.js",
            "stepper_panel.js",
            "stepper_search.js",
            "stepper.js",
        ),
        data=data,
    ).html()
    return write_page("step_through", target, html)


def _check_loss(loss: object) -> None:
    if not isinstance(loss, Node):
        raise InputError(
            f"step_through: got {type(loss).__name__}, which is no node to differentiate",
            hint="give the loss, such as cr.step_through(loss, values={x: 1.0})",
        )
    count = len(Graph((loss,)).nodes)
    if count > LARGEST:
        raise GraphError(
            f"step_through: {describe(loss)} is computed from {count:,} nodes, "
            f"more than the {LARGEST:,} that one can step through",
            hint="step through one layer, or through a model with fewer layers or time steps",
        )


_BODY = """\
<header>
<h1>Backpropagation, step by step</h1>
<div id="seek" role="search">
<input id="search" type="search" placeholder="Search: name, op or line"
 aria-label="Search for a node by name, op or line" aria-keyshortcuts="/"
 role="combobox" aria-expanded="false" aria-controls="found" aria-autocomplete="list"
 autocomplete="off" spellcheck="false">
<ul id="found" role="listbox" aria-label="Nodes found" hidden></ul>
</div>
<button id="theme" type="button" aria-pressed="false">Dark</button>
</header>
<main>
<section id="graph" aria-label="Graph">
<div id="view">
<button id="smaller" type="button" aria-label="Zoom out">−</button>
<button id="larger" type="button" aria-label="Zoom in">+</button>
<button id="fit" type="button" aria-label="Show the whole graph">Fit</button>
<button id="open" type="button">Open layers</button>
<button id="close" type="button">Close layers</button>
<span id="legend"><span class="value">value above</span>
<span class="gradient">gradient below</span></span>
</div>
<div id="picture" tabindex="0" role="group" aria-label="Picture of the graph"></div>
</section>
<section id="panel" aria-label="This step" tabindex="0"></section>
</main>
<footer>
<input id="position" type="range" min="0" value="0" aria-label="Step">
<div id="controls" role="group" aria-label="Steps">
<button id="first" type="button" aria-label="First step" aria-keyshortcuts="Home">|◀</button>
<button id="back" type="button" aria-label="Step back" aria-keyshortcuts="ArrowLeft">◀</button>
<button id="play" type="button" aria-label="Play" aria-keyshortcuts="Space">Play</button>
<button id="next" type="button" aria-label="Step forward" aria-keyshortcuts="ArrowRight">▶</button>
<button id="last" type="button" aria-label="Last step" aria-keyshortcuts="End">▶|</button>
<label>Speed <select id="speed">
<option value="2000">½×</option><option value="1000" selected>1×</option>
<option value="500">2×</option><option value="200">5×</option><option value="50">20×</option>
</select></label>
</div>
<p id="where"></p>
<p id="summary" class="spoken" role="status" aria-live="polite"></p>
</footer>
"""
