"""The variables of one C function: what registers, indices and buffers are called, and where.

Registers that share a name share a variable: it is declared where it is first written, or
before the loop or branch that leaves it a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainc.backends.c.prelude import Prelude
from chainc.backends.c.spelling import Type, element, identifier, literal, type_of
from chainc.loops.language import Splat, Statement, statements
from chainc.loops.names import literals, names
from chainc.loops.values import Index, Parameter, Register, Variable

POSITION = Type("int64_t")


class Variables:
    """Finds a name for each value that is written, and says how a value is read."""

    def __init__(
        self,
        body: Sequence[Statement],
        given: Sequence[Register],
        reserved: Iterable[str],
        prelude: Prelude,
    ) -> None:
        self.prelude = prelude
        self.words = names(body, given)
        self.literals = literals(body)
        self.scalars = {
            each.out: each.value for each in statements(body) if isinstance(each, Splat)
        }
        self.taken = dict.fromkeys(reserved, "")  # identifiers, and the words that they stand for
        self.scopes: list[dict[str, Type]] = [{}]
        self.found: dict[Variable, str] = {}
        self.types: dict[Variable, Type] = {}
        self.buffers: dict[Parameter, str] = {}

    # names

    def buffer(self, parameter: Parameter) -> str:
        """The name of a pointer."""
        if parameter not in self.buffers:
            self.buffers[parameter] = self.fresh(parameter.name)
        return self.buffers[parameter]

    def fresh(self, word: str) -> str:
        """The name of a buffer or an array."""
        return self._free(identifier(word), "_", f"array {len(self.taken)}")

    def _named(self, word: str) -> str:
        """An identifier that stands for this word alone."""
        name = identifier(word)
        if self.taken.get(name, word) != word:
            name = f"{name}_value"
        return self._free(name, "", word)

    def _free(self, wanted: str, before_number: str, word: str) -> str:
        name, count = wanted, 1
        while self.taken.setdefault(name, word) != word:
            count += 1
            name = f"{wanted}{before_number}{count}"
        return name

    def define(self, variable: Variable, type: Type) -> tuple[str, bool]:
        """Its name, and whether it must be declared; a mask takes the type that is there."""
        word = self._word(variable)
        name = self._named(word)
        known = self._declared(name)
        if known is not None and not _alike(known, type):
            name = self._named(f"{word}_{type.short}")
            known = self._declared(name)
        self.found[variable] = name
        self.types[variable] = known or type
        if known is None:
            self.scopes[-1][name] = type
        return name, known is None

    def _declared(self, name: str) -> Type | None:
        return next((scope[name] for scope in reversed(self.scopes) if name in scope), None)

    def _word(self, variable: Variable) -> str:
        return str(self.words.get(variable, variable.name or "value"))

    def same(self, variable: Variable, other: Variable) -> None:
        """What another is called, too."""
        self.found[variable], self.types[variable] = self.found[other], self.types[other]

    # values

    def is_literal(self, variable: Variable) -> bool:
        return isinstance(variable, Register) and variable in self.literals

    def type_of(self, variable: Variable) -> Type:
        """Of what is read."""
        if isinstance(variable, Index):
            return POSITION
        source = self.source(variable)
        if source in self.types:
            return self.types[source].of(type_of(variable.kind).lanes)
        return type_of(variable.kind)

    def source(self, register: Register) -> Register:
        """The scalar that is in every lane."""
        while register in self.scalars:
            register = self.scalars[register]
        return register

    def short(self, variable: Variable) -> str:
        """The value, of one lane where all are the same."""
        if isinstance(variable, Index):
            return self.found[variable]
        if variable in self.literals:
            return literal(self.literals[variable], type_of(variable.kind))
        return self.found[self.source(variable)]

    def is_short(self, variable: Variable) -> bool:
        """Is what `short` gives of one lane, and the value of several?"""
        if isinstance(variable, Index) or variable.kind.lanes == 1:
            return False
        return variable in self.literals or variable in self.scalars

    def value(self, variable: Variable, wanted: Type | None = None) -> str:
        """All lanes; those of a mask of the wanted size."""
        short, type = self.short(variable), self.type_of(variable)
        if type.lanes == 1:
            return short
        if self.is_short(variable):
            return self._splat(short, wanted if wanted is not None and wanted.mask else type)
        if wanted is not None and type.mask and wanted.size != type.size:
            return f"__builtin_convertvector({short}, {self.prelude.type(wanted)})"
        return short

    def _splat(self, short: str, type: Type) -> str:
        if type.mask and short not in ("0", "-1"):
            short = f"-{short}"  # of a bool
        self.prelude.type(type)
        return f"{self.prelude.function('splat', type)}({short})"


def _alike(known: Type, type: Type) -> bool:
    """The same, or masks of as many lanes."""
    return known == type or (known.mask and type.mask and known.lanes == type.lanes)


def pointer(parameter: Parameter, *, constant: bool = False, restrict: bool = False) -> str:
    """The type of a buffer."""
    const = "const " if constant else ""
    return f"{const}{element(parameter.dtype)} *{'restrict ' if restrict else ''}"
