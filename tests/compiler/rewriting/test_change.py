"""What a pass did, as marks on nodes and as a picture; read back from the DOT text and the SVG."""

from __future__ import annotations

import re
from collections import Counter
from inspect import getsourcelines
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
from hypothesis import given, settings
from tests.graphs import Case, cases
from tests.legibility import problems
from tests.pictures import SVG, Picture, declare, perceptron, state, texts

from chainc import ops
from chainc.autodiff import grad
from chainc.drawing.change_dot import change_to_dot
from chainc.driver import optimize
from chainc.ir import Graph, Node
from chainc.ir.leaves import constant
from chainc.passes import PIPELINE
from chainc.passes.simplify import rule as simplifying
from chainc.rewriting.change import Change, Mark, change
from chainrule.drawing.rendering import render_svg

LINK = "{http://www.w3.org/1999/xlink}href"


def changes(graph: Graph) -> dict[str, Change]:
    """Of each pass, what it did."""
    stages = optimize(graph, PIPELINE)
    pairs = pairwise(stages)
    return {after.name: change(before.graph, after.graph, after.fired) for before, after in pairs}


def marked(found: Change) -> tuple[dict[str, int], dict[str, int]]:
    """How many nodes bear each mark, before and after."""
    counts = (Counter(mark.value for mark in side.values()) for side in (found.before, found.after))
    before, after = map(dict, counts)
    return before, after


def x_and_y() -> tuple[Node, Node]:
    return declare("x", "batch", 3), declare("y", "batch", 3)


# Marks


def test_rules_make_nodes_vanish_and_appear() -> None:
    x, y = x_and_y()
    found = changes(Graph((ops.abs(-x) * (1 / y),)))["simplify"]
    # |−x| · (1 / y) has −x, abs, 1, / and × ; |x| / y has abs and /
    assert marked(found) == ({"unchanged": 2, "vanishes": 5}, {"unchanged": 2, "appears": 2})
    assert [one.names for one in found.rewritings] == [("abs_of_minus",), ("times_reciprocal",)]
    assert [one.replacement.op.name for one in found.rewritings] == ["abs", "divide"]


def test_what_is_computed_twice_is_merged() -> None:
    x, y = x_and_y()
    found = changes(Graph((ops.exp(x * y) - y * ops.exp(y * x),)))["cse"]
    assert marked(found) == ({"unchanged": 4, "merged": 4}, {"unchanged": 4, "merged": 2})
    merged = {node.op.name for node, mark in found.after.items() if mark is Mark.MERGED}
    assert merged == {"multiply", "exp"}
    assert [(one.replaced.op.name, one.names) for one in found.rewritings] == [
        ("multiply", ("same_value",)), ("exp", ("same_value",)),
    ]  # fmt: skip
    assert all(one.replacement in found.after for one in found.rewritings)


def test_ops_fuse_into_a_kernel() -> None:
    x, w, b = declare("x", "batch", 4), state("w", 4, 3), state("b", 3)
    found = changes(Graph((ops.exp(ops.relu(x @ w + b)),)))["fuse"]
    assert marked(found) == ({"unchanged": 3, "fused": 4}, {"unchanged": 3, "fused": 1})
    (one,) = found.rewritings
    assert (one.replaced.op.name, one.names) == ("exp", ("fuse_epilogue",))


def test_constants_are_folded_into_one() -> None:
    kernel = constant(np.array([1.0, 2.0, 1.0], np.float32))
    found = changes(Graph((declare("x", "batch", 3) * (kernel / ops.sum(kernel)),)))["fold"]
    assert marked(found) == ({"unchanged": 2, "vanishes": 3}, {"unchanged": 2, "appears": 1})


def test_updates_that_change_nothing_vanish() -> None:
    x, mean = declare("x", "batch", 3), state("mean", 3, trainable=False)
    found = changes(Graph((x * 2,), {mean: mean * 1}))["dce"]
    assert marked(found) == ({"unchanged": 3, "vanishes": 1}, {"unchanged": 3})


def test_nothing_changes() -> None:
    found = changes(Graph((ops.exp(declare("x", 3)),)))["cse"]
    assert marked(found) == ({"unchanged": 2}, {"unchanged": 2})
    drawn = Picture(change_to_dot(found, title="cse"))
    assert drawn.labels() == ["x", "exp", "output"]
    assert {"cse", "nothing changes"} <= set(texts(drawn.dot))


@given(cases(max_steps=6, jumps=True))
@settings(max_examples=25, deadline=None)
def test_unchanged_nodes_are_pairs_of_equal_ops(case: Case) -> None:
    for found in changes(case.graph).values():
        before, after = found.graphs
        assert set(found.before) == set(before.nodes)
        assert set(found.after) == set(after.nodes)
        for node, image in found.pairs.items():
            assert (node.op, node.type) == (image.op, image.type)
            assert found.after[image] in (Mark.UNCHANGED, Mark.MERGED)
        assert marked(found)[0].get("unchanged") == marked(found)[1].get("unchanged")
        assert len(set(found.pairs.values())) == len(found.pairs)


def test_a_graph_without_rules_is_compared_by_what_it_computes() -> None:
    x, y = x_and_y()
    shared = ops.exp(x)
    found = change(Graph((shared + y,)), Graph((shared * y,)))
    assert marked(found) == ({"unchanged": 3, "vanishes": 1}, {"unchanged": 3, "appears": 1})
    assert found.rewritings == ()


# The picture


def reciprocal() -> Picture:
    x, y = x_and_y()
    return Picture(change_to_dot(changes(Graph((ops.abs(-x) * (1 / y),)))["simplify"]))


def test_both_graphs_stand_in_one_picture() -> None:
    drawn = reciprocal()
    assert drawn.boxes()[:2] == ["before", "after"]
    assert drawn.labels().count("x") == drawn.labels().count("output") == 2
    svg = ElementTree.fromstring(render_svg(drawn.dot))
    left = {text.text: float(str(text.get("x"))) for text in svg.iter(f"{SVG}text")}
    assert left["before"] < left["after"]


def test_a_rule_stands_on_both_ends_with_one_number() -> None:
    labels = reciprocal().labels()
    assert {"abs\\nrule 1: abs_of_minus", "×\\nrule 2: times_reciprocal"} <= set(labels)
    assert "a / b\\nrule 2: times_reciprocal" in labels
    assert labels.count("abs\\nrule 1: abs_of_minus") == 2


def test_a_rule_leads_to_its_line() -> None:
    (statement,) = [rule.statement for rule in simplifying if rule.name == "abs_of_minus"]
    _, number = getsourcelines(statement)
    drawn = reciprocal()
    svg = ElementTree.fromstring(render_svg(drawn.dot))
    links = [element.get(LINK) for element in svg.iter(f"{SVG}a")]
    assert links.count(f"#simplify.py:{number}") == 2
    tooltips = [v["tooltip"] for v in drawn.vertices().values() if "abs_of_minus" in v["label"]]
    assert all(f"abs_of_minus (exact) at simplify.py:{number}" in told for told in tooltips)


def test_marks_differ_in_outline_as_well_as_in_colour() -> None:
    x, y = x_and_y()
    w = state("w", 3, 3)
    found = changes(Graph((ops.exp(ops.abs(-x) * y) @ w + ops.exp(ops.abs(-x) * y),)))
    seen: dict[str, Picture] = {name: Picture(change_to_dot(one)) for name, one in found.items()}
    outlines: dict[str, tuple[str, ...]] = {}
    fills: dict[str, str] = {}
    for drawn in seen.values():
        for name, _, look in drawn.statements():
            if name.startswith("legend") and "label" in look:
                mark = look["label"].split(":")[0]
                keys = ("style", "penwidth", "peripheries")
                outlines[mark] = tuple(look.get(key, "") for key in keys)
                fills[mark] = look["fillcolor"]
    assert set(outlines) == {mark.value for mark in Mark}
    assert len(set(outlines.values())) == len(set(fills.values())) == len(Mark)


def test_the_legend_counts() -> None:
    assert {"unchanged: 2", "vanishes: 5", "appears: 2"} <= set(texts(reciprocal().dot))


def test_what_stays_as_it_is_is_folded() -> None:
    x, loss = perceptron()
    for number in range(200):
        loss = ops.tanh(loss + float(number))
    y = ops.abs(-loss)
    found = changes(Graph((y, grad(y, x))))["simplify"]
    drawn = Picture(change_to_dot(found))
    changed = [n for n, mark in found.before.items() if mark is not Mark.UNCHANGED]
    assert 0 < len(changed) < 10
    assert len(drawn.labels()) < 60
    assert any(re.match(r"unchanged\\n\d+ ops", label) for label in drawn.labels())
    assert any("rule 1: abs_of_minus" in label for label in drawn.labels())
    assert problems(render_svg(drawn.dot)) == []


def test_changes_that_repeat_are_folded() -> None:
    x, w = declare("x", 3), state("w", 3)
    for _ in range(300):
        x = ops.abs(-ops.tanh(x * w))
    drawn = Picture(change_to_dot(changes(Graph((x,)))["simplify"]))
    assert len(drawn.labels()) < 60
    assert any(label.startswith("298 × ") for label in drawn.labels())


def test_every_pass_over_a_gradient_is_legible() -> None:
    x, loss = perceptron()
    for found in changes(Graph((loss, grad(loss, x)))).values():
        assert problems(render_svg(change_to_dot(found))) == []
