"""What importing the package brings along, and what it leaves for later."""

from __future__ import annotations

import ast
import pydoc
import re
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType

import pytest

import chainrule as cr
from chainc.ops import arithmetic, reduce
from chainrule.declare import functional, leaves, transforms

PUBLIC: list[str] = vars(cr)["__all__"]  # made when it is imported, so type checkers do not see it


HEAVY = (
    "sympy", "llvmlite", "matplotlib", "networkx", "graphviz", "wasmtime", "safetensors", "tqdm",
    "numpy.random", "gzip", "hashlib", "logging", "lzma", "pathlib", "shutil",
    "chainc.backends", "chainc.driver", "chainc.drawing", "chainc.formulas", "chainc.lowering",
    "chainc.passes", "chainc.rewriting", "chainc.schedules",
    "chainrule.compiled", "chainrule.datasets", "chainrule.drawing", "chainrule.evaluation",
    "chainrule.fitting", "chainrule.plots", "chainrule.teaching", "chainrule.views",
)  # fmt: skip


def test_importing_is_light() -> None:
    """What compiles, draws, teaches or reads data is imported when it is first asked for."""
    code = (
        "import sys, numpy; known = set(sys.modules); import chainrule; "
        f"heavy = set({HEAVY}) & (set(sys.modules) - known); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_who_asks_for_a_public_module_does_not_wait_for_the_words_of_an_error() -> None:
    code = (
        "import sys, numpy; known = set(sys.modules); import chainrule as cr\n"
        "cr.losses, cr.metrics, cr.nn.Linear, cr.optim.SGD, cr.schedules\n"
        "heavy = {'difflib', 'pathlib'} & (set(sys.modules) - known); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


SHOWING = (
    "graphviz", "numpy.ma", "tqdm", "chainc.drawing", "chainc.formulas",
    "chainrule.drawing", "chainrule.teaching", "chainrule.views",
)  # fmt: skip


def test_who_compiles_and_trains_does_not_wait_for_what_shows() -> None:
    code = (
        "import sys, numpy as np, chainrule as cr; known = set(sys.modules)\n"
        "x = cr.input('x', ('batch', 3)); w = cr.parameter('w', (3, 2), 'he_normal')\n"
        "step = cr.optim.SGD(lr=0.1).minimize(cr.mean(cr.square(x @ w)))\n"
        "stop = cr.EarlyStopping('loss', patience=2)\n"
        "program = cr.compile(cr.training(step, epochs=1, batch_size=2, stop=stop))\n"
        "result = program.run(np.ones((4, 3), np.float32))\n"
        "cr.compile(x @ w).bind(result.state)(x=np.ones((4, 3), np.float32))\n"
        f"heavy = set({SHOWING}) & (set(sys.modules) - known); assert not heavy, heavy\n"
        "assert program.graph.text() and program.stages and program.cost(batch=2)"
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


def test_who_takes_one_layer_and_one_optimizer_does_not_wait_for_the_others() -> None:
    others = ("chainrule.nn.normalization", "chainrule.nn.mlp", "chainrule.optim.averages",
              "chainrule.optim.optimizers.adam", "chainrule.optim.rate_search",
              "chainrule.optim.schedules")  # fmt: skip
    code = (
        "import sys, chainrule as cr; w = cr.nn.Linear(3, 2)(cr.input('x', (4, 3)))\n"
        "cr.optim.SGD(lr=0.1, momentum=0.9).minimize(cr.mean(w))\n"
        f"loaded = set({others}) & set(sys.modules); assert not loaded, loaded\n"
        "public = [getattr(cr.optim, name) for name in dir(cr.optim)]\n"
        "public += [getattr(cr.nn, name) for name in dir(cr.nn)]\n"
        f"left = set({others[:-1]}) - set(sys.modules); assert not left, left"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_star_brings_what_is_imported_later_too() -> None:
    code = "from chainrule.optim import *; from chainrule.nn import *; Adam, averages, MLP"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_that_is_not_there_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'chainrule' has no attribute 'grads'"):
        _ = cr.grads  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"module 'chainrule\.optim' has no attribute 'Adm'"):
        _ = cr.optim.Adm  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("package", "name", "hint"),
    [
        ("chainrule.nn", "Conv2D", "there is 'Conv2d'"),
        ("chainrule.losses", "CrossEntropy", "there is 'cross_entropy'"),
        ("chainrule.losses", "zzz", r"dir\(chainrule\.losses\) lists"),
        ("chainrule", "topk", "there is 'top_k'"),
    ],
)
def test_a_name_that_is_nearly_there(package: str, name: str, hint: str) -> None:
    what = rf"^module '{package}' has no attribute '{name}'"
    found = rf"{what}\n  where: .*test_importing\.py:\d+\n  try: {hint}"
    with pytest.raises(cr.GraphError, match=found):
        getattr(import_module(package), name)
    assert not hasattr(import_module(package), "__path_of_none__")


@pytest.mark.parametrize("name", ["init", "losses", "metrics", "regularize", "schedules"])
def test_public_modules_can_be_imported_from(name: str) -> None:
    assert import_module(f"chainrule.{name}") is getattr(cr, name)


def test_what_is_public_is_listed_and_nothing_else() -> None:
    for name in PUBLIC:
        assert getattr(cr, name) is not None
    modules = {name for name in PUBLIC if isinstance(getattr(cr, name), ModuleType)}
    assert modules == {
        "acting", "augment", "datasets", "init", "learning", "losses", "metrics", "nn", "optim",
        "plots", "regularize", "schedules", "text", "zoo",
    }  # fmt: skip
    assert {name for name in dir(cr) if not name.startswith("_")} == set(PUBLIC)
    for family in (arithmetic, reduce, functional, leaves, transforms):
        assert set(family.__all__) <= set(PUBLIC)
    unlisted = {"sys", "Mapping", "compiled", "declare", "random", "annotations", "TYPE_CHECKING"}
    assert not unlisted & set(dir(cr))


NAMESPACES = {"averages", "clip", "gan"}  # modules that a public module shows


@pytest.mark.parametrize(
    "module",
    [
        cr.nn,
        cr.optim,
        cr.optim.averages,
        cr.optim.clip,
        cr.losses,
        cr.metrics,
        cr.init,
        cr.regularize,
        cr.schedules,
    ],
)
def test_public_modules_show_what_is_theirs(module: ModuleType) -> None:
    shown = dir(module)
    assert shown
    values = {name: getattr(module, name) for name in shown}
    homes = {getattr(value, "__module__", "") for value in values.values()} & set(sys.modules)
    files = [found for name, found in sys.modules.items() if name.startswith(module.__name__)]
    files += [sys.modules[name] for name in homes if name.startswith("chainrule.")]
    listed = {name for file in files for name in getattr(file, "__all__", ())}
    for name, value in values.items():
        if isinstance(value, ModuleType):
            assert name in NAMESPACES
            assert value.__all__
        else:
            assert name in listed


def test_help_names_the_functions_before_the_folders() -> None:
    text = pydoc.plain(pydoc.render_doc(cr))
    overview = text[: text.index("PACKAGE CONTENTS")]
    listed = [line.split("  ", 1) for line in (cr.__doc__ or "").splitlines()[9:]]
    names = {name for _, *rest in listed for name in re.findall(r"\w+", "".join(rest))}
    assert {"input", "grad", "compile", "training", "draw"} <= names
    assert names - set(PUBLIC) <= {
        *["the", "Array", "API", "s", "functions", "under", "their", "such", "as", "names"]
    }
    assert all(name in overview for name in names)


def test_the_version_is_the_one_that_was_installed() -> None:
    assert cr.__version__ == metadata.version("chainrule")
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"chainrule {cr.__version__}\n"
