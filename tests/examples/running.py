"""Examples as modules, and what a run of one leaves."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    """The example as a module, from its file, as it need not be installed."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def run(name: str, folder: Path) -> Any:
    """What the example returns; it is skipped where something that it needs is not there."""
    if name == "standalone" and shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    if name != "mnist":
        return load(name).main(folder)
    images = os.environ.get("CHAINRULE_MNIST")
    if not images:
        pytest.skip("CHAINRULE_MNIST does not name a folder with the IDX files of MNIST")
    return load(name).main(folder, Path(images))


@dataclass(frozen=True)
class Run:
    """What an example has returned, printed and drawn."""

    results: Any
    report: str
    folder: Path
