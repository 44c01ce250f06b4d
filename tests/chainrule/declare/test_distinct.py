"""Inputs of one name, and draws of one stream."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim


def test_two_inputs_of_one_name_are_refused_with_both_lines() -> None:
    x = cr.input("x", (3,))
    again = cr.input("x", (3,))
    with pytest.raises(cr.GraphError, match="two inputs have the name 'x'") as caught:
        cr.compile(x + again)
    assert str(caught.value).count("test_distinct.py") == 2


def test_two_draws_of_one_stream_are_refused_and_of_two_are_not() -> None:
    one = cr.uniform((3,), seed=0, stream="noise")
    two = cr.uniform((3,), seed=0, stream="noise")
    with pytest.raises(cr.GraphError, match="two draws have one seed, step and stream"):
        cr.compile(one - two)
    other = cr.uniform((3,), seed=0, stream="other")
    assert np.all(cr.compile(one - other)() != 0)
    assert np.all(cr.compile(one - cr.uniform((3,), seed=1, stream="noise"))() != 0)
    assert np.all(cr.compile(cr.uniform((3,), seed=0) - cr.uniform((3,), seed=0))() != 0)
    assert np.all(cr.compile(one - one)() == 0)
    assert np.all(cr.compile(one - copy.deepcopy(one))() == 0)


def test_hyperparameters_of_one_name_are_one() -> None:
    w, v = cr.parameter("w", (), 1.0), cr.parameter("v", (), 1.0)
    steps = [optim.SGD(lr=0.5).minimize(cr.square(each)) for each in (w, v)]
    step = cr.compile(cr.Graph([], {**steps[0].updates, **steps[1].updates}))
    assert step is not None
