"""A layer's name is read from the assignment it is made for, in every way Python compiles one."""

import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

from chainrule import nn
from chainrule.nn.assignment import variable_assigned_from

at_module_level = nn.ReLU()


def name_here() -> str | None:
    return variable_assigned_from(sys._getframe(1))


def test_module_level_name() -> None:
    assert str(at_module_level.label) == "at_module_level"


def test_local_name() -> None:
    local = nn.ReLU()
    assert str(local.label) == "local"


def test_local_name_followed_by_a_use_of_another() -> None:
    other = "other"
    joined = name_here()
    # 3.13 compiles the store of `joined` and the load of `other` as one instruction
    assert [other, joined] == ["other", "joined"]


def run(program: str, folder: Path) -> dict[str, object]:
    file = folder / "program.py"
    file.write_text(program)
    return runpy.run_path(str(file), {"make": name_here})


def test_global_name(tmp_path: Path) -> None:
    program = "def declare():\n    global made\n    made = make()\ndeclare()\n"
    assert run(program, tmp_path)["made"] == "made"


def test_cell_name() -> None:
    cell = nn.ReLU()

    def inner() -> nn.ReLU:
        return cell

    assert str(inner().label) == "cell"


def test_annotated_name() -> None:
    annotated: nn.Module = nn.ReLU()
    assert str(annotated.label) == "annotated"


class Holder:
    encoder: nn.Module
    inner: "Holder"


def test_attribute_name() -> None:
    holder = Holder()
    holder.inner = Holder()
    holder.encoder = nn.ReLU()
    holder.inner.encoder = nn.Tanh()
    assert str(holder.encoder.label) == "encoder"
    assert str(holder.inner.encoder.label) == "encoder"


def test_call_with_keywords_and_unpacking() -> None:
    keyword = nn.LeakyReLU(slope=0.2)
    sizes = (3, 4)
    unpacked = nn.Linear(*sizes)
    assert str(keyword.label) == "keyword"
    assert str(unpacked.label) == "unpacked"


def test_call_over_several_lines() -> None:
    spread = nn.Sequential(
        nn.Linear(3, 4),
        nn.ReLU(),
    )
    assert str(spread.label) == "spread"


def test_many_locals_need_wide_instructions(tmp_path: Path) -> None:
    many = [f"v{number} = 0" for number in range(300)]
    body = "\n    ".join([*many, "last = make()", "return last"])
    assert run(f"def crowd():\n    {body}\nname = crowd()\n", tmp_path)["name"] == "last"


def test_elsewhere_there_is_no_name() -> None:
    holder = Holder()
    holder.encoder = nn.ReLU()
    assert [name_here()] == [None]
    assert (name_here(), holder.encoder) == (None, holder.encoder)
    unpacked, _ = name_here(), 0
    assert unpacked is None
    item = {"key": name_here()}
    assert item == {"key": None}
    result = nn.ReLU().label
    assert str(result) == "relu"
    taken = nn.Linear(3, 4).weight
    assert taken.op.label == "linear/weight"


def test_other_operations_on_the_result_give_no_name() -> None:
    parts: dict[str, nn.Module] = {}
    parts["key"] = nn.ReLU()
    assert str(parts["key"].label) == "relu"
    first = second = nn.ReLU()
    assert first is second
    assert str(first.label) == "relu"


def test_the_name_stays_right_when_the_code_gets_specialised() -> None:
    # after some rounds the interpreter replaces the instructions by quicker ones
    names = set()
    for _ in range(3000):
        warm = nn.ReLU()
        names.add(str(warm.label))
    assert names == {"warm"}


@dataclass(frozen=True, eq=False)
class Own(nn.Module):
    width: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()


def test_constructors_of_subclasses_are_not_mistaken_for_the_caller() -> None:
    mine = Own(4)
    assert str(mine.label) == "mine"
