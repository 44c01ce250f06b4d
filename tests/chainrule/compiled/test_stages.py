"""The stages of a compilation as users see them, and what each pass changed as one picture."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from tests.legibility import problems
from tests.pictures import SVG

import chainrule as cr
from chainrule.compiled.function import Numbers


def program() -> cr.Function[Numbers]:
    x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch", 3))
    return cr.compile(cr.abs(-x) * (1 / y), target="numpy")


def shown(svg: str) -> set[str]:
    root = ElementTree.fromstring(svg)
    return {"".join(text.itertext()).replace("\xa0", " ") for text in root.iter(f"{SVG}text")}


def test_a_stage_is_found_by_the_name_of_its_pass() -> None:
    made = program()
    assert made.stage("simplify") is made.stages[4]
    assert made.stage("declared").graph is made.declared
    with pytest.raises(cr.InputError, match=r"no stage 'simpl'[\s\S]*test_stages.py[\s\S]*'fuse'"):
        made.stage("simpl")


def test_a_stage_knows_the_graph_that_it_got() -> None:
    stages = program().stages
    assert stages[0].before is None
    assert all(after.before is before.graph for before, after in pairwise(stages))


def test_what_a_pass_changed_is_one_picture() -> None:
    svg = program().stage("simplify").draw_change().svg()
    assert {"simplify", "before", "after", "vanishes: 5", "appears: 2"} <= shown(svg)
    assert {"rule 1: abs_of_minus", "rule 2: times_reciprocal"} <= shown(svg)
    assert problems(svg) == []
    assert "mine" in shown(program().stage("fuse").draw_change(title="mine").svg())


def test_the_declared_graph_comes_from_no_pass() -> None:
    with pytest.raises(cr.GraphError, match=r"before every pass[\s\S]*stage\(\"fuse\"\)"):
        program().stages[0].draw_change()


def test_every_pass_of_a_training_step_is_legible() -> None:
    x, y = cr.input("x", ("batch", 8)), cr.input("y", ("batch",), dtype="int32")
    model = cr.nn.Sequential(cr.nn.Linear(8, 6), cr.nn.ReLU(), cr.nn.Linear(6, 4))
    step = cr.optim.SGD(lr=0.1, momentum=0.9).minimize(cr.losses.cross_entropy(model(x), y))
    for stage in cr.compile(step, target="numpy").stages[1:]:
        assert problems(stage.draw_change().svg()) == []
