"""Calls that do not fit a signature are refused in three parts, and signatures stay visible."""

from __future__ import annotations

import inspect
import pickle
import pydoc
import re
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, cast

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Op
from chainrule import losses, metrics, nn, optim
from chainrule.declare.calls import CallError

HERE = Path(__file__).name
free = cast("Any", cr)  # calls that a type checker would refuse
x, w = cr.input("x", ("batch", 4)), cr.parameter("w", (4, 2), 0.5)
layer = cast("Any", nn.Linear(4, 3, name="layer"))
run = cast("Any", cr.compile(x * 2.0))
STEP = r"\(step, epochs=, batch_size=, shuffle=, seed=, metrics=, watch=, stop=\)"


class Sum(nn.Module):
    """A layer of a user, whose `forward` has no defaults."""

    def forward(self, a: cr.Node, b: cr.Node) -> cr.Node:
        return a + b


CALLS: dict[str, tuple[Callable[[], object], str, str]] = {
    "unknown": (lambda: free.sum(x, axes=1), r"^cr.sum\(\) has no argument 'axes'$", r"^axis=; "),
    "unknown of many": (lambda: free.training(x, epoch=1),
                        r"^cr.training\(\) has no argument 'epoch'$", rf"^epochs=; its .* {STEP}$"),
    "by position": (lambda: free.training(x, 10, 32),
                    r"^cr.training\(\) takes 1 argument by position, not 3$", STEP),
    "none to take": (lambda: cr.init.zeros(1),  # type: ignore[call-arg]
                     r"^init.zeros\(\) takes 0 arguments by position", r"^leave the parentheses"),
    "missing": (cast("Any", nn).Linear,
                r"^nn.Linear\(\) needs 'in_features', 'out_features'$", r"\(in_features, "),
    "twice": (lambda: free.sum(x, x=x), r"^cr.sum\(\) has 'x' by position and by name$", r"axis"),
    "an op": (free.exp, r"^cr.exp\(\) needs 'x'$", r"\(x\)"),
    "a context": (free.scope, r"^cr.scope\(\) needs 'name'$", r"\(name\)"),
    "a cached one": (lambda: free.step_counter(1), r"^cr.step_counter\(\) takes 0 arg", r"empty"),
    "a lazy one": (free.compile, r"^cr.compile\(\) needs 'what'$", r"target=.*\*\*sizes"),
    "a loss": (lambda: free.losses.cross_entropy(x), r"^losses.cross_entropy\(\) needs", r"lo"),
    "a plot": (free.plots.history, r"^plots.history\(\) needs 'run'$", r"log=, unit="),
    "data": (lambda: free.datasets.moons(count=3), r"^datasets.moons\(\) has no .*count", r"seed"),
    "an optimizer": (lambda: cast("Any", optim).SGD(learning_rate=0.1),
                     r"^optim.SGD\(\) has no argument 'learning_rate'$", r"\(lr, momentum"),
    "a method": (run.bind, r"^Function.bind\(\) needs 'state'$", r"\(state\)"),
    "an inherited method": (lambda: run.draw(3), r"^Compiled.draw\(\) takes 0 arguments", r"empty"),
    "a class method": (free.State.load, r"^State.load\(\) needs 'path'$", r"limit="),
    "a layer": (lambda: layer(x, x), r"^layer takes 1 argument by position, not 2$", r"\(x\)"),
    "by name": (lambda: layer(y=x), r"^layer has no argument 'y'$", r"\(x\)"),
    "a user's layer": (lambda: cast("Any", Sum(name="both"))(x), r"^both needs 'b'$", r"\(a, b\)"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "what", "hint"), CALLS.values(), ids=CALLS)
def test_what_does_not_fit_is_named(call: Callable[[], object], what: str, hint: str) -> None:
    with pytest.raises(CallError) as caught:
        call()
    error = caught.value
    assert isinstance(error, TypeError)
    assert isinstance(error, cr.InputError)
    assert re.search(what, error.what), error.what
    assert re.search(hint, error.hint), error.hint
    assert HERE in error.where
    assert error.__context__ is None


PACKAGES: dict[str, ModuleType] = {
    "cr": cr, "nn": nn, "optim": optim, "losses": losses, "metrics": metrics, "init": cr.init,
    "schedules": cr.schedules, "regularize": cr.regularize,
    "plots": cr.plots, "datasets": cr.datasets,
}  # fmt: skip
SHOWN = {
    f"{package}.{name}": getattr(module, name)
    for package, module in PACKAGES.items()
    for name in (vars(module)["__all__"] if package == "cr" else dir(module))
    if not name.startswith("_")
}


def is_made_of_something(kind: type) -> bool:
    """One of ours, and not a base that has nothing to begin with."""
    beginnings = [base for base in kind.__mro__[:-1] if "__init__" in vars(base)]
    return kind.__module__.startswith("chainrule.") and bool(beginnings)


CALLED = {
    name: value
    for name, value in SHOWN.items()
    if isinstance(value, FunctionType | Op)
    or (isinstance(value, type) and is_made_of_something(value))
}
ANY_NAME = {"cr.compile", "cr.RenderingError", "plots.record"}  # take further names, or are raised


@pytest.mark.parametrize("name", sorted(set(CALLED) - ANY_NAME))
def test_all_that_is_public_refuses_a_name_that_it_does_not_take(name: str) -> None:
    title = re.escape(name.removeprefix("cr."))
    call: Any = CALLED[name]
    with pytest.raises(CallError, match=rf"{title}\(\) (has no argument 'nonsense'|takes 0)"):
        call(nonsense=1)


def test_signatures_and_documents_stay_visible() -> None:
    assert list(inspect.signature(cr.sum).parameters) == ["x", "axis", "keepdims"]
    assert list(inspect.signature(nn.Linear).parameters)[:2] == ["in_features", "out_features"]
    assert list(inspect.signature(layer.forward).parameters) == ["x"]
    assert "sum(x: 'Operand', axis: 'Axis' = None" in pydoc.plain(pydoc.render_doc(cr.sum))
    assert "def sum(" in inspect.getsource(cr.sum)
    for value in CALLED.values():
        assert inspect.getdoc(value)


@pytest.mark.parametrize("name", [n for n, v in CALLED.items() if not isinstance(v, Op)])
def test_what_is_public_can_be_pickled_by_name(name: str) -> None:
    assert pickle.loads(pickle.dumps(CALLED[name])) is CALLED[name]


def test_a_type_error_from_within_is_not_blamed_on_the_call() -> None:
    class Wrong(nn.Module):
        def forward(self, a: cr.Node) -> cr.Node:
            raise TypeError(f"of the user's own about {a.shape}")

    with pytest.raises(TypeError, match="of the user's own") as caught:
        Wrong()(x)
    assert type(caught.value) is TypeError
    with pytest.raises(cr.DTypeError, match="f32"):
        cr.sum(x + cr.input("n", (), dtype="int32"))


def test_names_from_the_users_line_are_found_through_the_call() -> None:
    first = nn.Linear(4, 3)
    assert str(first.weight.op.label) == "first/weight"
    error = losses.squared_error(first(x), cr.input("y", ("batch", 3)))
    program = cr.training(
        optim.SGD(lr=0.1).minimize(error), epochs=1, batch_size=1, metrics=[error + 1.0]
    )
    assert program.metrics
    assert all(node.origin.location is not None and HERE in node.origin.location.file
               for node in (error, first.weight, cr.sum(x), cr.exp(x)))  # fmt: skip
    np.testing.assert_allclose(cr.compile(cr.sum(w)).bind(cr.State({"w": np.ones((4, 2))}))(), 8)
