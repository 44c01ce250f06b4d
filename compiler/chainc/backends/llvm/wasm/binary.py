"""Numbers and bytes as WebAssembly writes them; what is cut short or too large is an error."""

from __future__ import annotations

from chainc.ir.errors import LinkingError

_BITS = 7  # of a number in a byte; the eighth says that more follow
_MORE = 0x80
_MOST_BYTES = 10  # of a number of 64 bits


def broken(reason: str) -> LinkingError:
    """What is wrong with an object file."""
    return LinkingError(
        f"export: LLVM's object file for WebAssembly cannot be linked: {reason}",
        hint="use a version of llvmlite that Chainrule is tested with",
    )


class Reader:
    """Reads from one place on, up to another."""

    def __init__(self, content: bytes, at: int = 0, end: int | None = None) -> None:
        self.content = content
        self.at = at
        self.end = len(content) if end is None else end

    def __bool__(self) -> bool:
        return self.at < self.end

    def take(self, count: int) -> bytes:
        """So many bytes."""
        if count > self.end - self.at:
            raise broken(f"it is cut short at byte {self.at}")
        self.at += count
        return self.content[self.at - count : self.at]

    def inside(self, count: int) -> Reader:
        """A reader of the next bytes alone, which this one passes over."""
        start = self.at
        self.take(count)
        return Reader(self.content, start, self.at)

    def byte(self) -> int:
        return self.take(1)[0]

    def unsigned(self) -> int:
        """A number of 32 bits."""
        value, _ = self._number()
        if value >= 1 << 32:
            raise broken(f"a number before byte {self.at} is too large")
        return value

    def signed(self) -> int:
        """A number of up to 64 bits with a sign."""
        value, bits = self._number()
        return value - (1 << bits) if value >> (bits - 1) else value

    def _number(self) -> tuple[int, int]:
        value = 0
        for position in range(_MOST_BYTES):
            byte = self.byte()
            value |= (byte & (_MORE - 1)) << (_BITS * position)
            if byte < _MORE:
                return value, _BITS * (position + 1)
        raise broken(f"a number before byte {self.at} has no end")

    def name(self) -> str:
        try:
            return self.take(self.unsigned()).decode()
        except UnicodeDecodeError as error:
            raise broken(f"a name before byte {self.at} is no text") from error


def unsigned(value: int) -> bytes:
    """As few bytes as hold the number."""
    written = bytearray()
    while value >= _MORE:
        written.append(value & (_MORE - 1) | _MORE)
        value >>= _BITS
    return bytes((*written, value))


def signed(value: int) -> bytes:
    """The same with a sign."""
    written = bytearray()
    while not -(_MORE >> 1) <= value < _MORE >> 1:
        written.append(value & (_MORE - 1) | _MORE)
        value >>= _BITS
    return bytes((*written, value & (_MORE - 1)))


def sized(content: bytes) -> bytes:
    """Behind its length."""
    return unsigned(len(content)) + content


def listed(*items: bytes) -> bytes:
    """Behind their number."""
    return unsigned(len(items)) + b"".join(items)
