"""What importing the package brings along, and what it leaves for later."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import chainrule as cr


def test_importing_is_light() -> None:
    code = (
        "import sys, chainrule; heavy = {'sympy', 'llvmlite', 'matplotlib', 'networkx', "
        "'graphviz', 'wasmtime', 'safetensors', 'tqdm', 'numpy.random', 'chainrule.plots', "
        "'chainrule.teaching.explanation', 'chainrule.teaching.derivations', "
        "'chainrule.teaching.grading', 'chainrule.teaching.stepper'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_imported_later_is_there_for_type_checkers_too() -> None:
    tree = ast.parse(Path(cr.__file__).read_text(encoding="utf-8"))
    (choice,) = [part for part in tree.body if isinstance(part, ast.If)]
    declared = [name.name for part in choice.body if isinstance(part, ast.ImportFrom)
                for name in part.names]  # fmt: skip
    code = (
        "import chainrule as cr; eager = set(vars(cr)); later = set(dir(cr)) - eager;"
        "assert all(getattr(cr, name) for name in later); print(*sorted(later))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted(declared)
    assert callable(cr.explain)


def test_a_name_that_is_not_there_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'chainrule' has no attribute 'grads'"):
        _ = cr.grads  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["init", "losses", "metrics", "schedules"])
def test_public_modules_can_be_imported_from(name: str) -> None:
    assert import_module(f"chainrule.{name}") is getattr(cr, name)
