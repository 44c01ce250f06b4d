"""The tokens of graph text, with limits that text from a stranger cannot pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from chainc.dataclass import dataclass
from chainc.ir.errors import ParseError

MAX_LENGTH = 1 << 25  # characters
MAX_DIGITS = 20  # and sign: what an int64 needs
SHOWN = 100  # characters of a line in a message

_PATTERN = r"""
    (?P<space>[ \t\r]+ | \#.*)
    | (?P<node>%\d+)
    | (?P<number>-inf | -?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<sign>[][(){}:=,*])
    """

_NAMES = {"newline": "the end of the line", "end": "the end of the text"}


@cache
def _pattern() -> re.Pattern[str]:
    """Compiled when the first text is read: that takes longer than most imports."""
    return re.compile(_PATTERN, re.VERBOSE | re.ASCII)


def is_word(text: str) -> bool:
    """Can a name stand as it is?"""
    return text.isascii() and text.isidentifier()


@dataclass(frozen=True)
class Token:
    """A piece of text of one kind: node, number, word, string, sign, newline or end."""

    kind: str
    text: str
    line: int
    column: int

    def __str__(self) -> str:
        return _NAMES.get(self.kind, repr(self.text))


class Tokens:
    """A stream of tokens with one to look ahead at.

    Raises:
        ParseError: the text is too long, or holds a character that begins no token.
    """

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise ParseError(
                f"the graph is a {type(text).__name__}, not text",
                hint="give what str(graph) or graph.text() wrote",
            )
        self._lines = text[: MAX_LENGTH + 1].split("\n")
        self._stream = self._scan()
        if len(text) > MAX_LENGTH:
            first = Token("end", "", 1, 0)
            raise self.error(
                f"the text is longer than {MAX_LENGTH} characters", "keep weights in a file", first
            )
        self.next = next(self._stream)

    def _scan(self) -> Iterator[Token]:
        for number, line in enumerate(self._lines, start=1):
            yield from self._scan_line(number, line)
            yield Token("newline", "", number, len(line))
        yield Token("end", "", len(self._lines), len(self._lines[-1]))

    def _scan_line(self, number: int, line: str) -> Iterator[Token]:
        column, pattern = 0, _pattern()
        while column < len(line):
            match = pattern.match(line, column)
            if match is None:
                token = Token("sign", line[column], number, column)
                raise self.error(f"unexpected {line[column]!r}", "write a graph's text", token)
            if match.lastgroup != "space":
                yield Token(str(match.lastgroup), match.group(), number, column)
            column = match.end()

    def take(self, kind: str, text: str | None = None) -> Token:
        """The next token, which must be of this kind, and read `text` where it is given."""
        token = self.next
        if token.kind != kind or text not in (None, token.text):
            wanted = _NAMES.get(kind, f"a {kind}") if text is None else repr(text)
            raise self.error(f"expected {wanted}, found {token}", f"write {wanted} here", token)
        self.next = next(self._stream, token)
        return token

    def take_if(self, kind: str, text: str) -> bool:
        """Take the next token when it reads `text`; did it?"""
        found = self.next.kind == kind and self.next.text == text
        if found:
            self.take(kind)
        return found

    def skip_newlines(self) -> None:
        while self.next.kind == "newline":
            self.take("newline")

    def integer(self) -> int:
        token = self.take("number")
        whole = len(token.text) <= MAX_DIGITS and token.text.lstrip("-").isdigit()
        if not whole or not -(2**63) <= int(token.text) < 2**63:
            raise self.error(f"{token} is no integer of 64 bits", "write a smaller integer", token)
        return int(token.text)

    def size(self) -> int:
        token = self.next
        value = self.integer()
        if value < 0:
            raise self.error(f"{token} is no size", "write a size that is not negative", token)
        return value

    def error(self, what: str, hint: str, token: Token) -> ParseError:
        """The error at a token, with its line and a caret below the column."""
        start = max(token.column - SHOWN // 2, 0)
        shown = self._lines[token.line - 1][start : start + SHOWN].replace("\t", " ")
        caret = " " * (token.column - start) + "^"
        return ParseError(
            what,
            where=f"line {token.line}, column {token.column + 1}\n         {shown}\n"
            f"         {caret}",
            hint=hint,
        )
