"""The functions that C calls to prepare an arena, and to read and change what it holds.

Each checks what it is given before anything is changed, and brings the floating-point environment
that the kernels need.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainc.backends.llvm.printing.spelling import element
from chainc.backends.llvm.training_code import TrainingCode
from chainc.backends.standalone import entry_templates as templates
from chainc.backends.standalone.guards import Body
from chainc.backends.standalone.interface import (
    BAD_ARENA,
    BAD_ARGUMENT,
    MOST_ROWS,
    Interface,
    mark_of,
)
from chainc.dataclass import dataclass
from chainc.schedules.program import control_block
from chainc.schedules.training.layout import JOB_WORDS

SEED, MARK, PLAN = 0, 8, 64  # offsets in bytes of our own; `JOB_WORDS` are the plan
OWN_BYTES = -(-(PLAN + 8 * JOB_WORDS) // 64) * 64

ARENA = "ptr %arena"
DATA = "ptr %data"
COPY = "ptr %arena, i32 %tensor, ptr %values"


@dataclass(frozen=True)
class EntryContext:
    """What the functions must know beside the interface."""

    code: TrainingCode
    own: int  # offset in the arena of OWN_BYTES bytes
    step: int  # that of the number of steps done
    version: str  # hexadecimal

    @property
    def mark(self) -> int:
        """That of the version."""
        return mark_of(self.version)


def function(
    interface: Interface, name: str, arguments: str, body: str, result: str = "i32"
) -> str:
    """A function that C sees."""
    holes = {"name": f"{interface.name}_{name}", "arguments": arguments, "body": body}
    return templates.ENTRY.substitute(holes, result=result)


def internal(name: str, arguments: str, body: str) -> str:
    """A function that the others call; what it returns is for C."""
    return templates.INTERNAL.substitute(name=name, arguments=arguments, body=body)


def checks(interface: Interface, places: EntryContext) -> Sequence[str]:
    """Functions that look at what is given: an arena, the arrays of a data set."""
    prediction = interface.prediction
    rows = (*interface.inputs, *(prediction.inputs if prediction else ()))
    arena = templates.ARENA_CHECKS.substitute(
        offset=places.own + MARK,
        mark=places.mark,
        bad_argument=BAD_ARGUMENT,
        bad_arena=BAD_ARENA,
    )
    return [
        *(
            templates.INDICES_WITHIN.substitute(kind=element(dtype), size=dtype.itemsize)
            for dtype in dict.fromkeys(each.dtype for each in rows if each.bound is not None)
        ),
        arena,
        internal("data.check", DATA, _data_check(interface)),
        internal("data.check.optional", DATA, templates.OPTIONAL_DATA),
    ]


def _data_check(interface: Interface) -> str:
    inputs = interface.inputs
    body = Body()
    body.not_null("%data")
    body.word("rows", "%data", 0)
    body.within("%rows", 1, MOST_ROWS)
    for i in range(len(inputs)):
        body.word(f"array.{i}", "%data", 1 + i, "ptr")
        body.not_null(f"%array.{i}")
    body.word("bytes", "%data", 1 + len(inputs))
    body.no_other_bits("%bytes", sum(1 << i for i, each in enumerate(inputs) if each.may_be_bytes))
    for i, each in enumerate(inputs):
        body.indices(each, f"%array.{i}")
    body.lines.append("  ret i32 0")
    return body.text


def state_functions(interface: Interface, places: EntryContext) -> Sequence[str]:
    """`version`, `init`, `get`, `set`, `stop` and `records`."""
    length, text = len(places.version) + 1, places.version
    stop = templates.STOP.substitute(offset=control_block.STOP)
    records = templates.RECORDS.substitute(offset=control_block.EPOCHS)
    ended = templates.RECORDS.substitute(offset=control_block.ENDED)
    return [
        *([function(interface, "ended", ARENA, ended, "i64")] if interface.end else []),
        templates.CLEAR,
        templates.VERSION.substitute(length=length, text=text),
        function(interface, "version", "", templates.VERSION_RESULT, "ptr"),
        function(interface, "init", "ptr %arena, i64 %seed", _init(interface, places)),
        function(interface, "get", COPY, _copies(interface, "get")),
        function(interface, "set", COPY, _copies(interface, "set")),
        function(interface, "stop", ARENA, stop, "void"),
        function(interface, "records", ARENA, records, "i64"),
    ]


def _init(interface: Interface, places: EntryContext) -> str:
    body = Body()
    body.passes("arena.aligned", "%arena")
    given = f"ptr %arena, ptr null, i64 %seed, i64 {places.mark}"
    return templates.INIT.substitute(
        guards=body.text,
        arena_bytes=interface.arena_bytes,
        stores="",
        calls=f"  call void @first({given})",
    )


def _copies(interface: Interface, direction: str) -> str:
    body = Body()
    body.passes("arena.check", "%arena")
    body.not_null("%values")
    numbers = range(len(interface.tensors))
    return templates.COPY.substitute(
        guards=body.text,
        cases=" ".join(f"i32 {i}, label %tensor.{i}" for i in numbers),
        copies="\n".join(templates.COPY_ONE.substitute(i=i, direction=direction) for i in numbers),
        bad_argument=BAD_ARGUMENT,
    )
