"""The ops of the registry in C: bit for bit what machine code gives, many ops in one file."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from tests.conformance.together import ALL, FIRST, Together, ops_together, special_values
from tests.graphs import Case, cases

from chainc.backends.c.file import FLAGS
from chainc.backends.llvm.c_programs import compiler
from chainc.ir import REGISTRY
from chainc.ir.types import DType, float32, float64

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

NAMES = sorted(REGISTRY)


def test_every_op_has_the_bits_of_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled as they are written: that takes a third of the time."""
    compile_with(monkeypatch, "-O0")
    ops_together(NAMES, float32, FIRST).check("c", "llvm")


def compile_with(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    """At such a level of optimization, and with nothing to complain of."""
    flags = [level if flag == "-O2" else flag for flag in FLAGS]
    strict = ("-Wall", "-Wextra", "-Werror", "-Wno-psabi")
    monkeypatch.setattr(compiler, "FLAGS", (*flags, *strict))


GROUPS = [NAMES[start : start + 10] for start in range(0, len(NAMES), 10)]


@pytest.mark.nightly
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_every_sample_has_the_bits_of_machine_code(
    monkeypatch: pytest.MonkeyPatch, names: Sequence[str], dtype: DType
) -> None:
    compile_with(monkeypatch, "-O2")
    ops_together(names, dtype, ALL).check("c", "llvm")


@pytest.mark.nightly
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_special_values_are_those_of_machine_code(dtype: DType) -> None:
    special_values(dtype).check("c", "llvm")


@pytest.mark.nightly
@settings(max_examples=100)
@given(case=cases(dtype=float32))
def test_random_graphs_have_the_bits_of_machine_code(case: Case) -> None:
    Together(case.graph, case.inputs, case.states).check("c", "llvm")
