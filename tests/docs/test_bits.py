"""The table of how far targets are apart says what they compute."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs import bits
from tests.emulated import EMULATORS, need, need_emulated

from chainc.backends.llvm.processors.native import host
from chainc.schedules.layout.machine import AVX512

PAGE = (Path(__file__).parents[2] / "docs" / "elsewhere.md").read_text(encoding="utf-8")
TABLE = PAGE[PAGE.index(f"| {' | '.join(bits.NETWORKS)} |") :]
OWN = {"numpy", "wasm, relaxed"}  # what they round together is not ours to say
FIGURE = r"identical|\de-\d"


def shown(name: str) -> str:
    head = f"| {bits.SHOWN[name]} |"
    (found,) = (line for line in TABLE.splitlines() if line.startswith(head))
    return found


def figures(row: str) -> list[str]:
    return row.split("|")[2:]


def check(name: str) -> None:
    """A row that is not ours to say has figures of that kind, and targets stay close."""
    if name in EMULATORS and name != "x86-64-v4":
        need_emulated(name)
    if name == "c":
        need("cc")
    if not host().fuses:
        pytest.skip("this processor rounds products and sums apart")
    beside = bits.reference()
    if name not in OWN:
        like = "x86-64-v4" if name == "c" and host().machine == AVX512 else name
        assert figures(bits.row(name, beside)) == figures(shown(like))
        return
    for network, state in beside.items():
        assert bits.apart(bits.trained(bits.target_of(name), network), state) < 1e-4


def test_the_page_has_a_row_for_every_target() -> None:
    for name in bits.SHOWN:
        assert len(re.findall(FIGURE, shown(name))) == len(bits.NETWORKS)


@pytest.mark.nightly
@pytest.mark.parametrize("name", bits.SHOWN)
def test_targets_are_as_far_apart_as_the_page_says(name: str) -> None:
    check(name)
