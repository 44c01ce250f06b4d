"""A library for several levels of x86-64: each function is there once for each, and chooses.

What the processor has is asked once, by CPUID, and kept in a word of the library; threads that ask
at the same time find the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Template

Signature = tuple[str, str]  # LLVM's result and arguments

ASKING = """\
@level = internal global i32 0

define internal i32 @chosen() {
  %known = load atomic i32, ptr @level monotonic, align 4
  %asked = icmp ne i32 %known, 0
  br i1 %asked, label %done, label %ask
done:
  ret i32 %known
ask:
  %found = call i32 @found()
  store atomic i32 %found, ptr @level monotonic, align 4
  ret i32 %found
}

define internal { i32, i32, i32, i32 } @cpuid(i32 %leaf) noinline {
  %all = call { i32, i32, i32, i32 } asm sideeffect "cpuid", \
"={ax},={bx},={cx},={dx},{ax},{cx},~{dirflag},~{fpsr},~{flags}"(i32 %leaf, i32 0)
  ret { i32, i32, i32, i32 } %all
}

define internal i1 @has(i32 %word, i32 %bits) {
  %found = and i32 %word, %bits
  %all = icmp eq i32 %found, %bits
  ret i1 %all
}

; what the processor has, and what the system keeps of it when it changes threads
define internal i32 @found() noinline {
  %zero = call { i32, i32, i32, i32 } @cpuid(i32 0)
  %leaves = extractvalue { i32, i32, i32, i32 } %zero, 0
  %enough = icmp uge i32 %leaves, 7
  br i1 %enough, label %look, label %least
look:
  %one = call { i32, i32, i32, i32 } @cpuid(i32 1)
  %first = extractvalue { i32, i32, i32, i32 } %one, 2
  %seven = call { i32, i32, i32, i32 } @cpuid(i32 7)
  %second = extractvalue { i32, i32, i32, i32 } %seven, 1
  %more = call { i32, i32, i32, i32 } @cpuid(i32 -2147483647)
  %third = extractvalue { i32, i32, i32, i32 } %more, 2
  ; FMA, MOVBE, OSXSAVE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT
  %a = call i1 @has(i32 %first, i32 943722496)
  %b = call i1 @has(i32 %second, i32 296)
  %c = call i1 @has(i32 %third, i32 32)
  %ab = and i1 %a, %b
  %abc = and i1 %ab, %c
  br i1 %abc, label %system, label %least
system:
  %kept = call { i32, i32 } asm sideeffect "xgetbv", \
"={ax},={dx},{cx},~{dirflag},~{fpsr},~{flags}"(i32 0)
  %registers = extractvalue { i32, i32 } %kept, 0
  %wide = call i1 @has(i32 %registers, i32 6)
  br i1 %wide, label %wider, label %least
wider:
  ; AVX512F, DQ, CD, BW, VL
  %d = call i1 @has(i32 %second, i32 -805109760)
  %e = call i1 @has(i32 %registers, i32 230)
  %de = and i1 %d, %e
  %level = select i1 %de, i32 4, i32 3
  ret i32 %level
least:
  ret i32 1
}
"""
VERSION = Template("""
@version = private unnamed_addr constant [$length x i8] c"$text\\00", align 1
define ptr @${name}_version() {
  ret ptr @version
}
""")
FORWARD = Template("""
declare $result @${name}_v1_$function($arguments)
declare $result @${name}_v3_$function($arguments)
declare $result @${name}_v4_$function($arguments)

define $result @${name}_$function($arguments) {
  %level = call i32 @chosen()
  switch i32 %level, label %v1 [ i32 3, label %v3 i32 4, label %v4 ]
v1:
  ${first}tail call $result @${name}_v1_$function($arguments)
  ret $result$one
v3:
  ${second}tail call $result @${name}_v3_$function($arguments)
  ret $result$two
v4:
  ${third}tail call $result @${name}_v4_$function($arguments)
  ret $result$three
}
""")


def level_of(name: str, number: int) -> str:
    """What a program for one of the levels 1, 3 and 4 is called."""
    return f"{name}_v{number}"


def signatures(text: str, name: str) -> Mapping[str, Signature]:
    """Those of the functions of a module that C sees."""
    found = re.finditer(rf"^define (\S+) @{name}_(\w+)\((.*?)\)", text, re.MULTILINE)
    return {each[2]: (each[1], each[3]) for each in found}


def hidden(text: str, name: str) -> str:
    """The same functions, seen by what is linked with them alone."""
    return re.sub(rf"^define (\S+ @{name}_)", r"define hidden \1", text, flags=re.MULTILINE)


def choosing(name: str, version: str, signatures: Mapping[str, Signature]) -> str:
    """LLVM text of the functions that C sees, by what they are called after the name."""
    told = VERSION.substitute(name=name, length=len(version) + 1, text=version)
    forwards = [
        _forward(name, function, result, arguments)
        for function, (result, arguments) in signatures.items()
        if function != "version"
    ]
    return "".join([ASKING, told, *forwards])


def _forward(name: str, function: str, result: str, arguments: str) -> str:
    gives = result != "void"
    holes = {"name": name, "function": function, "result": result, "arguments": arguments}
    taken = {each: f"%{each}.result = " if gives else "" for each in ("first", "second", "third")}
    given = zip(("one", "two", "three"), ("first", "second", "third"), strict=True)
    returned = {hole: f" %{value}.result" if gives else "" for hole, value in given}
    return FORWARD.substitute(holes | taken | returned)
