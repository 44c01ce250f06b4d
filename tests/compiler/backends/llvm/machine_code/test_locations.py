"""Debug information tells from which line of LLVM text an instruction comes."""

from __future__ import annotations

import re

import pytest

from chainc.backends.llvm.machine_code.jit import assembly
from chainc.backends.llvm.machine_code.locations import llvm_lines, with_locations
from chainc.backends.llvm.machine_code.texts import labelled
from chainc.backends.llvm.processors.native import host

MODULE = """\
define void @"kernel"(ptr %x, ptr %y) #0 {
entry:
  %a = load double, ptr %x
  %b = load double, ptr %y
  %sum = fadd double %a, %b
  %root = call double @llvm.sqrt.f64(double %sum)
  store double %root, ptr %y
  ret void
}

define void @other(ptr %x) {
  store i64 0, ptr %x
  ret void
}

declare double @llvm.sqrt.f64(double)
attributes #0 = { nounwind }
"""


def test_only_the_functions_asked_for_get_locations() -> None:
    lines = with_locations(MODULE, {"kernel"}).split("\n")
    assert re.fullmatch(r'define void @"kernel"\(ptr %x, ptr %y\) #0 !dbg !\d+ \{', lines[0])
    assert lines[1] == "entry:"
    assert all(re.search(r", !dbg !\d+$", line) for line in lines[2:8])
    assert lines[8:13] == MODULE.split("\n")[8:13]
    (number,) = re.findall(r"fadd .*, !dbg !(\d+)", "\n".join(lines))
    assert any(line.startswith(f"!{number} = !DILocation(line: 5,") for line in lines)


@pytest.mark.skipif("x86_64" not in host().triple, reason="the mnemonics are those of x86-64")
def test_instructions_lead_to_their_lines() -> None:
    text = assembly(MODULE, host())
    found = llvm_lines(MODULE, text, {"kernel"}, host())
    lines = text.splitlines()
    by_mnemonic = {lines[number - 1].split()[0].removeprefix("v"): line
                   for number, line in found.items()}  # fmt: skip
    assert by_mnemonic["addsd"] == 5
    assert by_mnemonic["sqrtsd"] == 6
    assert by_mnemonic["retq"] == 8
    assert set(found.values()) <= set(range(2, 9))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("kernel:", "kernel"),
        ('"linear1.2":    # @linear1.2', "linear1.2"),
        ("Loss:           # @Loss", "Loss"),
        (".LBB0_1:", None),
        (".Lfunc_end3:", None),
        ("\tvaddps\t%zmm0, %zmm1, %zmm0", None),
    ],
)
def test_labels_of_functions_are_told_from_those_inside(line: str, name: str | None) -> None:
    assert labelled(line) == name


def test_where_texts_differ_nothing_is_said() -> None:
    text = assembly(MODULE, host())
    changed = text.replace("addsd", "subsd")
    assert changed != text
    assert llvm_lines(MODULE, changed, {"kernel"}, host()) == {}
