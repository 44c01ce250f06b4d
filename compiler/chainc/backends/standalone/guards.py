"""The beginning of a function that C calls: what it is given is checked before anything changes."""

from __future__ import annotations

from dataclasses import field
from string import Template

from chainc.backends.llvm.printing.spelling import element
from chainc.backends.standalone import entry_templates as templates
from chainc.backends.standalone.interface import BAD_ARGUMENT, BAD_INDEX, RowArray
from chainc.dataclass import dataclass


@dataclass
class Body:
    """Lines of a function; where a check fails, it returns at once."""

    lines: list[str] = field(default_factory=list)
    count: int = 0
    block: str = "entry"  # the label of the block that the next line is in

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def word(self, name: str, pointer: str, word: int, kind: str = "i64") -> None:
        """`%name` is a 64-bit word of a struct."""
        holes = {"name": name, "pointer": pointer, "word": word, "kind": kind}
        self.lines.append(templates.WORD.substitute(holes))

    def not_null(self, pointer: str) -> None:
        self._guard(templates.NOT_NULL, BAD_ARGUMENT, pointer=pointer)

    def within(self, value: str, least: int, most: int) -> None:
        width = most - least
        self._guard(templates.WITHIN, BAD_ARGUMENT, value=value, least=least, width=width)

    def last_batch(self, rows: str, batch: int, least: int) -> None:
        """The rows that whole batches leave over are none, or at least so many."""
        if least > 1:
            self._guard(templates.LAST_BATCH, BAD_ARGUMENT, rows=rows, batch=batch, least=least)

    def below(self, value: str, bound: str) -> None:
        self._guard(templates.BELOW, BAD_ARGUMENT, value=value, bound=bound)

    def no_other_bits(self, value: str, allowed: int) -> None:
        self._guard(templates.NO_OTHER_BITS, BAD_ARGUMENT, value=value, others=~allowed)

    def passes(self, function: str, pointer: str) -> None:
        """The result is that of a check which is a function of its own, if it fails."""
        result = f"%result.{self.count + 1}"
        self._guard(templates.CHECKED, result, function=function, pointer=pointer)

    def indices(self, rows: RowArray, pointer: str) -> None:
        """The values of an array with `%rows` rows lie within its bound, if it has one."""
        if rows.bound is None:
            return
        self._guard(
            templates.INDICES,
            BAD_INDEX,
            elements=rows.row_elements,
            pointer=pointer,
            kind=element(rows.dtype),
            bound=rows.bound,
        )

    def _guard(self, test: Template, result: int | str, **holes: object) -> None:
        self.count += 1
        tested = test.substitute(holes, number=self.count)
        holes = {"test": tested, "number": self.count, "result": result}
        self.lines.append(templates.GUARD.substitute(holes))
        self.block = f"passed.{self.count}"


def store(name: str, offset: int, value: str, kind: str = "i64") -> str:
    """Write a value into the arena, at a place aligned for it."""
    holes = {"name": name, "offset": offset, "value": value, "kind": kind}
    return templates.STORE.substitute(holes)
