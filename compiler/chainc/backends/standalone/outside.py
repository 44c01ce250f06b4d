"""What C sees of a program: functions, and what each hands on to a routine.

All that they check and do is in the routines, which every printer prints. What is left here are
the conventions of C: types, the fields of a struct, and the floating-point environment, which is
set to IEEE's defaults and restored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from string import Template

from chainc.backends.standalone.interface import BAD_ARGUMENT
from chainc.dataclass import dataclass
from chainc.loops.language import Routine


@dataclass(frozen=True)
class Field:
    """What lies in a 64-bit word of a struct, a pointer or a number."""

    word: int
    path: str  # as C finds it: training.x_data
    is_pointer: bool = False


@dataclass(frozen=True)
class Given:
    """An argument as C declares it; in the place of a struct its fields are handed on."""

    declared: str  # const digits_job *job
    fields: tuple[Field, ...] = ()

    @property
    def name(self) -> str:
        found = re.search(r"\w+$", self.declared)
        assert found is not None
        return found[0]

    @property
    def is_pointer(self) -> bool:
        return "*" in self.declared

    @property
    def kind(self) -> str:
        """In LLVM text."""
        return "ptr" if self.is_pointer else "i64" if "int64_t" in self.declared else "i32"


ARENA = Given("void *arena")
RESULTS = {"int": "i32", "int64_t": "i64", "void": "void"}


@dataclass(frozen=True)
class Outside:
    """A function that C sees, with the whole name; `computes` floating-point numbers."""

    name: str
    given: tuple[Given, ...]
    routine: Routine
    result: str = "int"
    computes: bool = True


# How many cases are worth a table of jumps LLVM keeps for all processors, and code for WebAssembly
# changes it: with such tables the code would depend on what the process has compiled before.
FUNCTION = Template("""\
define $kind @$name($given) nounwind "no-builtins" "no-jump-tables"="true" {
entry:
$handed
$enter  ${result}call $kind @"$routine"($arguments)
$leave  ret $returned
}
""")
ENTER = "  %before = call i32 @environment.enter()\n"
LEAVE = "  call void @environment.leave(i32 %before)\n"
THERE = Template("""\
  %$name.missing = icmp eq ptr %$name, null
  br i1 %$name.missing, label %$name.refused, label %$name.given
$name.refused:
  ret i32 $bad_argument
$name.given:""")
WORD = Template("""\
  %$name.$word.at = getelementptr i64, ptr %$name, i64 $word
  %$name.$word = load $kind, ptr %$name.$word.at, align 8""")
VERSION = Template("""\
@version = private unnamed_addr constant [$length x i8] c"$text\\00", align 1
define ptr @${name}_version() nounwind "no-builtins" {
  ret ptr @version
}
""")


def version_text(name: str, version: str) -> str:
    """LLVM text of the function that says which program this is."""
    return VERSION.substitute(name=name, length=len(version) + 1, text=version)


def llvm_text(function: Outside) -> str:
    """LLVM text of a function that calls its routine."""
    handed = [line for given in function.given for line in _handed(given)]
    arguments = (argument for given in function.given for argument in _arguments(given))
    gives = function.result != "void"
    kind = RESULTS[function.result]
    return FUNCTION.substitute(
        kind=kind,
        name=function.name,
        given=", ".join(f"{given.kind} %{given.name}" for given in function.given),
        handed="\n".join(handed),
        enter=ENTER if function.computes else "",
        leave=LEAVE if function.computes else "",
        result="%result = " if gives else "",
        routine=function.routine.name,
        arguments=", ".join(arguments),
        returned=f"{kind} %result" if gives else "void",
    )


def _handed(given: Given) -> Iterator[str]:
    """What an argument is before it is handed on."""
    name = given.name
    if given.kind == "i32":
        yield f"  %{name}.wide = sext i32 %{name} to i64"
    if given.fields:
        yield THERE.substitute(name=name, bad_argument=BAD_ARGUMENT)
    for field in given.fields:
        yield WORD.substitute(name=name, word=field.word, kind=_kind(field))


def _arguments(given: Given) -> Sequence[str]:
    name = given.name
    if given.fields:
        return [f"{_kind(field)} %{name}.{field.word}" for field in given.fields]
    return [f"i64 %{name}.wide" if given.kind == "i32" else f"{given.kind} %{name}"]


def _kind(field: Field) -> str:
    return "ptr" if field.is_pointer else "i64"
