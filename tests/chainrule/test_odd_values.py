"""Every argument of all that is public, given values that make no sense.

Each is taken, or refused in three parts at the user's line: none dies in Python's own words, and
none names a file of the library.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from tests.odd import (
    acting,
    calls,
    compiled,
    declaring,
    fitting,
    imaging,
    learning,
    left_out,
    optimizing,
)

import chainc
import chainrule as cr

ROWS = {
    **declaring.OPS, **declaring.LEAVES, **declaring.DERIVATIVES, **declaring.LOSSES,
    **declaring.OPTIMIZERS, **optimizing.AROUND, **declaring.LAYERS, **declaring.AUGMENT,
    **imaging.ZOO, **imaging.FUNCTIONS, **imaging.LAYERS,
    **compiled.COMPILING, **compiled.TEACHING, **compiled.PLOTS, **fitting.TRAINERS,
    **learning.RULES, **acting.ACTING,
}  # fmt: skip
PARAMETERS = [(path, name) for path, arguments in ROWS.items() for name in arguments]
ODD: dict[str, Any] = {
    "None": None, "an array": np.ones((2, 5)), "text": "abc", "a list": [1.5, "b"],
    "a dictionary": {"a": 1}, "an empty one": {}, "rows of two lengths": [[1], [2, 3]],
    "a node": cr.input("other", (7, 5, 2)), "-1": -1, "1.5": 1.5,
    "NaN": float("nan"), "beyond int64": 2**70, "a lambda": lambda: None, "a class": int,
}  # fmt: skip

PYTHON = re.compile(
    r"object is not (it|sub|call)|unexpected keyword|unsupported operand|object has no attribute|"
    r"truth value of an array|takes \d+ positional|missing \d+ required|cannot unpack|unhashable|"
    r"'NoneType'|expected str|Errno|could not convert|not supported between|invalid literal"
)
OURS = tuple(str(Path(str(package.__file__)).parent) for package in (cr, chainc))
OF_MISSING_FILES = ("datasets.mnist", "datasets.read_idx", "lenet.load")
OF_THE_TEXT = ("cr.parse",)  # the place that is wrong is one of the text


def faults(path: str, name: str) -> Iterator[str]:
    """The odd values that the argument neither takes nor refuses as it should."""
    for word, value in ODD.items():
        fault = fault_of(partial(calls.call, path, {**ROWS[path], name: value}), path)
        if fault:
            yield f"{word}: {fault}"


def fault_of(action: Callable[[], object], path: str = "") -> str | None:
    try:
        action()
    except cr.ChainruleError as error:
        place = str(error).partition("\n  where:")[2].partition("\n  try:")[0]
        at_home = path in OF_THE_TEXT or Path(calls.__file__).name in place or "test_odd" in place
        ours = [folder for folder in OURS if folder in str(error)]
        right = at_home and error.hint and not ours and not PYTHON.search(str(error))
        return None if right else str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


@pytest.fixture(autouse=True, scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """In a folder of its own: some of the values are names of files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("odd"))
        calls.things()["state"].save("state.safetensors")
        calls.things()["trainer"].save("fitted.safetensors")
        yield


@pytest.mark.parametrize(("path", "name"), PARAMETERS)
def test_an_odd_value_is_taken_or_refused_in_three_parts(path: str, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert list(faults(path, name)) == []


@pytest.mark.parametrize("path", [path for path in ROWS if path not in OF_MISSING_FILES])
def test_the_calls_of_the_tables_work(path: str) -> None:
    calls.call(path, ROWS[path])


def test_a_fault_is_found() -> None:
    def refuse(what: str) -> None:
        raise cr.InputError(what, hint="give another")

    assert fault_of(lambda: None) is None
    assert fault_of(partial(refuse, "all is well")) is None
    assert fault_of(partial(refuse, "an 'int' object is not iterable"))
    assert fault_of(partial(refuse, f"it is in {cr.__file__}"))
    assert (
        fault_of(partial(divmod, 1, 0)) == "ZeroDivisionError: integer division or modulo by zero"
    )


# --- nothing is left out


def public(module: ModuleType, path: str) -> Iterator[tuple[str, Callable[..., object]]]:
    """The functions and classes of a module and of those in it, by the names that rows have."""
    for name in dir(module):
        found = getattr(module, name)
        if name.startswith("_") or found is cr:
            continue
        if isinstance(found, ModuleType):
            yield from public(found, name if path == "cr" else f"{path}.{name}")
        elif inspect.isfunction(found) or (inspect.isclass(found) and not is_no_call(found)):
            yield f"{path}.{name}", found


def is_no_call(found: type) -> bool:
    """Errors are raised by the library, and protocols are for types."""
    return issubclass(found, BaseException) or getattr(found, "_is_protocol", False)


def methods() -> Iterator[tuple[str, str, Callable[..., object]]]:
    """Those of the objects of the tables: `TrainingProgram.run`, `program.run` and the method."""
    for name, thing in calls.things().items():
        kind = type(thing)
        for method in dir(kind) if kind.__module__.startswith("chainrule") else ():
            static = inspect.getattr_static(kind, method)
            if not method.startswith("_") and inspect.isfunction(
                getattr(static, "__func__", static)
            ):
                bound = getattr(thing, method)
                yield bound.__qualname__, f"{name}.{method}", bound


def swept() -> dict[str, set[str]]:
    """The arguments of each row's function; those by position as `*`."""
    found: dict[str, set[str]] = defaultdict(set)
    for path, arguments in ROWS.items():
        found[path.partition(":")[0]] |= {"*" if a.startswith("_") else a for a in arguments}
    return found


def not_swept(function: Callable[..., object], arguments: set[str]) -> list[str]:
    """The parameters that no row gives; what is given by position may be any."""
    by_name = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = inspect.signature(function).parameters.values()
    named = [p.name for p in parameters if p.kind not in by_name]
    required = [p.name for p in parameters if p.kind in by_name and not arguments]
    known = named[:1] if "*" in arguments else []
    return [name for name in (*named, *required) if name not in {*arguments, *known}]


def test_every_argument_of_what_is_public_has_a_row() -> None:
    rows = swept()
    missing = [
        f"{path}: {name}"
        for path, function in public(cr, "cr")
        if path not in left_out.NAMES
        for name in not_swept(function, rows.get(path, set()))
        if f"{path}: {name}" not in left_out.NAMES
    ]
    assert missing == []


def test_every_argument_of_a_method_has_a_row() -> None:
    rows = swept()
    given: dict[str, set[str]] = defaultdict(set)
    for method, path, _ in methods():
        given[method] |= rows.get(path, set()) | rows.get(f"cr.{method}", set())
    missing = {
        f"{method}: {name}"
        for method, _, bound in methods()
        if method not in left_out.METHODS
        for name in not_swept(bound, given[method])
    }
    assert missing == set()


def test_every_layer_is_called() -> None:
    kinds = {name for name in dir(cr.nn) if is_layer(getattr(cr.nn, name))}
    assert set(vars(calls.layers())) == kinds - {"Module"}


def is_layer(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, cr.nn.Module)


def test_what_is_left_out_is_there() -> None:
    names = {path for path, _ in public(cr, "cr")}
    assert {path.partition(":")[0] for path in left_out.NAMES} <= names
    assert set(left_out.METHODS) <= {method for method, _, _ in methods()}


def test_an_argument_without_a_row_is_found() -> None:
    def function(first: object, second: object = None, **others: object) -> None:
        pass

    assert not_swept(function, {"first", "second"}) == []
    assert not_swept(function, {"first"}) == ["second"]
    assert not_swept(function, {"*"}) == ["second"]
    assert not_swept(function, set()) == ["first", "second", "others"]
