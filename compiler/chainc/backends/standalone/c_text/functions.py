"""C source of what C sees of a program: functions that hand on what they are given to routines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chainc.backends.c.entries import ENTER, LEAVE
from chainc.backends.c.file import broken
from chainc.backends.c.routine import Callee
from chainc.backends.standalone.outside import Given, Outside
from chainc.loops.repetition import Rendered


def functions(name: str, seen: Sequence[Outside], called: Mapping[str, Callee]) -> Iterator[str]:
    """Each of them; `called` are the functions of the routines by name."""
    prefix = name.upper()
    yield f"// What {name}.h declares\n"
    yield f'#include "{name}.h"\n'
    yield f"const char *{name}_version(void) {{\n    return {prefix}_VERSION;\n}}\n"
    for function in seen:
        lines = _function(prefix, function, called[function.routine.name])
        yield "\n".join(short.text for line in lines for short in broken(Rendered(line, None)))


def _function(prefix: str, function: Outside, callee: Callee) -> Iterator[str]:
    handed = [one for given in function.given for one in _arguments(given)]
    taken = [one for one, keeps in zip(handed, callee.kept, strict=True) if keeps]
    call = f"{callee.name}({', '.join(taken)});"
    gives = function.result != "void"
    declared = ", ".join(given.declared for given in function.given)
    yield f"{function.result} {function.name}({declared}) {{"
    for given in function.given:
        if given.fields:
            yield f"    if ({given.name} == NULL) return {prefix}_BAD_ARGUMENT;"
    if function.computes:
        yield f"    {ENTER}"
        yield f"    {function.result} result = {call}" if gives else f"    {call}"
        yield f"    {LEAVE}"
        if gives:
            yield "    return result;"
    else:
        yield f"    return {call}" if gives else f"    {call}"
    yield "}\n"


def _arguments(given: Given) -> Sequence[str]:
    """What a routine is given: no pointer to what is constant, as it has a table of them all."""
    if given.fields:
        casts = ("(void *)" if field.is_pointer else "" for field in given.fields)
        fields = (f"{given.name}->{field.path}" for field in given.fields)
        return [f"{cast}{field}" for cast, field in zip(casts, fields, strict=True)]
    return [f"(void *){given.name}" if "const" in given.declared else given.name]
