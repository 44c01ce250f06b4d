"""Pictures from DOT text: what comes out, what is refused, and which limits hold."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest

from chainrule.drawing import rendering
from chainrule.drawing.rendering import RenderingError, render_file, render_svg

SVG = "{http://www.w3.org/2000/svg}"
SMALL = 'digraph { node [fontname="Helvetica"]; a -> b [label="batch,64"] }'

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX owners, modes and signals")


def dense_graph() -> str:
    """Minutes of work for the layout: 1,000 random edges among 100 nodes."""
    draw = random.Random(0)
    edges = (f"n{draw.randrange(100)} -> n{draw.randrange(100)};" for _ in range(1000))
    return "digraph {" + " ".join(edges) + "}"


def labels(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.fixture(autouse=True, scope="module")
def _cache_of_this_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


# The picture


def test_draws_every_node_edge_and_label() -> None:
    svg = render_svg(SMALL)
    classes = [group.get("class") for group in ElementTree.fromstring(svg).iter(f"{SVG}g")]
    assert classes.count("node") == 2
    assert classes.count("edge") == 1
    assert sorted(labels(svg)) == ["a", "b", "batch,64"]


def test_is_one_svg_element_that_a_page_can_hold() -> None:
    svg = render_svg(SMALL)
    assert svg.startswith("<svg ")
    assert svg.rstrip().endswith("</svg>")
    for unwanted in ("<?", "<!", "-->"):
        assert unwanted not in svg


def test_equal_text_gives_equal_bytes() -> None:
    assert render_svg(SMALL) == render_svg(SMALL)


def test_threads_draw_at_the_same_time() -> None:
    graphs = [f"digraph {{ a{i} -> b -> c; a{i} -> c }}" for i in range(8)]
    with ThreadPoolExecutor(max_workers=8) as threads:
        assert list(threads.map(render_svg, graphs)) == [render_svg(graph) for graph in graphs]


def test_a_box_is_as_wide_as_its_label_in_helvetica() -> None:
    widths = {"m": 833, "W": 944, "i": 222, "0": 556}  # thousandths of the size: Adobe's metrics
    for character, width in widths.items():
        node = f'a [shape=box margin=0 width=0 fontsize=10 label="{character * 50}"]'
        svg = render_svg(f'digraph {{ node [fontname="Helvetica"]; {node} }}')
        box = ElementTree.fromstring(svg).findall(f".//{SVG}polygon")[-1].attrib["points"]
        horizontal = [float(point.split(",")[0]) for point in box.split()]
        assert max(horizontal) - min(horizontal) == pytest.approx(50 * 10 * width / 1000, abs=1)


@pytest.mark.parametrize(
    ("name", "first", "generic"),
    [
        ("Helvetica", "Helvetica", "sans-serif"),
        ("Arial", "Helvetica", "sans-serif"),
        ("Courier", "Courier", "monospace"),
        ("Times-Roman", "Times", "serif"),
        ("Unknown Family", "Times", "serif"),
    ],
)
def test_a_label_is_shown_in_the_font_it_was_measured_in(
    name: str, first: str, generic: str
) -> None:
    text = ElementTree.fromstring(render_svg(f'digraph {{ a [fontname="{name}"] }}'))
    families = text.findall(f".//{SVG}text")[0].attrib["font-family"].split(",")
    assert (families[0], families[-1]) == (first, generic)


# Hostile text


@pytest.mark.parametrize(
    "label",
    [
        "</text><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "--><!-- ]]>",
        "a & b &amp",
        "' onload='alert(1)",
    ],
)
def test_a_hostile_label_comes_out_as_text(label: str) -> None:
    svg = render_svg(f'digraph {{ "{label}" [label="{label}", tooltip="{label}"] }}')
    assert labels(svg) == [label]
    assert "script" not in {element.tag for element in ElementTree.fromstring(svg).iter()}
    assert "<script" not in svg
    assert "<img" not in svg


@pytest.mark.parametrize("character", ["\0", "\x01", "\x1b", "\ud800", "\ufffe", "&#1;"])
def test_what_xml_cannot_hold_is_replaced(character: str) -> None:
    svg = render_svg(f'digraph {{ a [label="x{character}y"] }}')
    assert labels(svg) == ["x\ufffdy"]


@pytest.mark.parametrize(
    "attribute",
    ['URL="javascript:alert(1)"', 'href="https://example.org/x"', 'class="url(http://x)"'],
)
def test_a_way_out_of_the_picture_is_refused(attribute: str) -> None:
    with pytest.raises(RenderingError, match="can run, load or open") as caught:
        render_svg(f"digraph {{ a [{attribute}] }}")
    assert "leave out links" in caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        "<script>alert(1)</script>",
        "<foreignObject/>",
        '<image href="#a"/>',
        '<g onload="alert(1)"/>',
        '<g style="fill: url(https://example.org/x)"/>',
    ],
)
def test_even_graphviz_is_not_trusted(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prolog = "<!-- read to the end -->"
    picture = f'{prolog}<svg xmlns="http://www.w3.org/2000/svg">{content}</svg>'
    monkeypatch.setattr(rendering, "_layout", lambda *_: picture.encode())
    with pytest.raises(RenderingError, match="can run, load or open"):
        render_svg(SMALL)


def test_a_picture_that_is_not_xml_is_refused() -> None:
    with pytest.raises(RenderingError, match="a picture that is not XML: undefined entity"):
        render_svg('digraph { "&undefined;" }')


def test_a_gradient_within_the_picture_is_kept() -> None:
    assert 'fill="url(#' in render_svg('digraph { a [style=filled, fillcolor="red:blue"] }')


def test_a_link_within_the_page_and_a_tooltip_are_kept() -> None:
    svg = render_svg('digraph { a [href="#b", tooltip="model.py:12"] }')
    link = next(ElementTree.fromstring(svg).iter(f"{SVG}a"))
    assert link.attrib["{http://www.w3.org/1999/xlink}href"] == "#b"
    assert link.attrib["{http://www.w3.org/1999/xlink}title"] == "model.py:12"


def test_no_file_is_read(tmp_path: Path) -> None:
    image = tmp_path / "image.svg"
    image.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"/>')
    svg = render_svg(f'digraph {{ stylesheet="{image}"; a [image="{image}", label=""] }}')
    assert "image" not in svg


# Text that is refused


def test_a_syntax_error_repeats_what_graphviz_says() -> None:
    with pytest.raises(RenderingError, match="Failed to parse DOT source") as caught:
        render_svg("digraph { a -> }")
    what, where, hint = str(caught.value).splitlines()
    assert what.startswith("Graphviz refused the DOT text")
    assert "test_rendering.py" in where
    assert hint == "  try: save it as .dot and compare it with the DOT grammar"


@pytest.mark.parametrize("text", ["", "hello", "digraph { a", "digraph { a } // end"])
def test_text_without_a_closing_brace_is_refused(text: str) -> None:
    with pytest.raises(RenderingError, match="does not end with '}'"):
        render_svg(text)


@pytest.mark.parametrize(
    "text",
    [
        "digraph { a } digraph { b }",
        "digraph { a } // }",
        "digraph {" + " -> ".join(f"n{i}" for i in range(5000)) + "}",  # Graphviz drops the edges
    ],
)
def test_half_a_picture_is_an_error(text: str) -> None:
    with pytest.raises(RenderingError, match="read the DOT text only in part"):
        render_svg(text)


# Limits


def test_the_deadline_stops_the_layout_and_the_next_one_works() -> None:
    before = render_svg(SMALL)
    with pytest.raises(RenderingError, match=r"layout took longer than 0\.5 s") as caught:
        render_svg(dense_graph(), deadline=0.5)
    assert caught.value.hint == "draw a smaller graph, or fold its layers"
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]
    assert render_svg(SMALL) == before


@pytest.mark.parametrize("deadline", [0, -1.0, float("nan"), float("inf")])
def test_a_deadline_that_is_none_is_refused(deadline: float, tmp_path: Path) -> None:
    with pytest.raises(RenderingError, match="not a finite number of seconds above zero"):
        render_svg(SMALL, deadline=deadline)
    with pytest.raises(RenderingError, match="not a finite number of seconds above zero"):
        render_file(SMALL, tmp_path / "graph.dot", deadline=deadline)
    assert not list(tmp_path.iterdir())


@posix
def test_control_c_stops_the_layout() -> None:
    graph = dense_graph()
    render_svg(SMALL)
    # a process that a shell has begun in the background ignores the signal otherwise
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        render_svg(graph, deadline=300)
    signal.signal(signal.SIGINT, before)
    assert "<svg" in render_svg(SMALL)


def test_memory_is_bounded() -> None:
    nodes = ";".join(f"n{i}" for i in range(300_000))
    with pytest.raises(RenderingError, match="needs more than 256 MB of memory"):
        render_svg(f"digraph {{ {nodes} }}", deadline=120)


def test_a_graph_too_deep_for_the_stack_is_an_error() -> None:
    edges = "".join(f"n{i} -> n{i + 1};" for i in range(20_000))
    with pytest.raises(RenderingError, match="layout stopped inside Graphviz: stack overflow"):
        render_svg(f"digraph {{ {edges} }}", deadline=120)


# Files


def test_saves_svg_and_dot(tmp_path: Path) -> None:
    assert render_file(SMALL, tmp_path / "graph.SVG") == tmp_path / "graph.SVG"
    assert (tmp_path / "graph.SVG").read_text(encoding="utf-8") == render_svg(SMALL)
    render_file(SMALL, str(tmp_path / "graph.dot"))
    assert (tmp_path / "graph.dot").read_text(encoding="utf-8") == SMALL
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["graph.jpeg", "graph", "graph.svg.exe"])
def test_an_unknown_suffix_lists_the_known_ones(name: str, tmp_path: Path) -> None:
    with pytest.raises(RenderingError, match="unknown suffix") as caught:
        render_file(SMALL, tmp_path / name)
    assert caught.value.hint == "choose one of .svg, .dot, .png, .pdf"
    assert not list(tmp_path.iterdir())


def test_a_failed_layout_leaves_the_old_picture(tmp_path: Path) -> None:
    picture = tmp_path / "graph.svg"
    picture.write_text("old", encoding="utf-8")
    with pytest.raises(RenderingError):
        render_file("digraph { a -> }", picture)
    assert picture.read_text(encoding="utf-8") == "old"


def test_a_path_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(RenderingError, match=r"cannot write .*missing"):
        render_file(SMALL, tmp_path / "missing" / "graph.svg")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(RenderingError, match=r"cannot write .*folder\.svg") as caught:
        render_file(SMALL, tmp_path / "folder.svg")
    assert caught.value.hint == "choose a folder that exists, is yours to write, and has room"
    assert [path.name for path in tmp_path.iterdir()] == ["folder.svg"]


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_without_an_installed_graphviz_svg_is_offered(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(RenderingError, match="`dot` is not on the PATH") as caught:
        render_file(SMALL, tmp_path / f"graph.{suffix}")
    assert caught.value.hint == "install Graphviz, or save as .svg"
    assert not list(tmp_path.iterdir())


def install_fake_dot(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    executable = folder / "dot"
    executable.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    executable.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(executable))


@posix
def test_the_installed_graphviz_gets_the_text_and_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_fake_dot(tmp_path, monkeypatch, 'env; echo "arguments: $*"; cat')
    monkeypatch.setenv("SECRET_TOKEN", "1234")
    received = render_file(SMALL, tmp_path / "-o graph.pdf").read_text(encoding="utf-8")
    assert "arguments: -Tpdf\n" in received
    assert received.endswith(SMALL)
    assert "SERVER_NAME=" in received  # Graphviz opens no image file while this is set
    assert "SECRET_TOKEN" not in received


@posix
def test_the_deadline_holds_for_the_installed_graphviz(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_fake_dot(tmp_path, monkeypatch, "exec sleep 300")
    with pytest.raises(RenderingError, match=r"layout took longer than 0\.2 s"):
        render_file(SMALL, tmp_path / "graph.png", deadline=0.2)


@posix
def test_an_error_of_the_installed_graphviz_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_fake_dot(tmp_path, monkeypatch, "cat > /dev/null; echo 'no such format' >&2; exit 1")
    with pytest.raises(RenderingError, match="Graphviz failed: no such format"):
        render_file(SMALL, tmp_path / "graph.png")
    assert not (tmp_path / "graph.png").exists()


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's `dot` is not installed")
@pytest.mark.parametrize(("suffix", "signature"), [("png", b"\x89PNG\r\n"), ("pdf", b"%PDF-")])
def test_saves_png_and_pdf(suffix: str, signature: bytes, tmp_path: Path) -> None:
    assert render_file(SMALL, tmp_path / f"graph.{suffix}").read_bytes().startswith(signature)


def test_importing_loads_no_webassembly() -> None:
    program = "import sys, chainrule.drawing.rendering; assert 'wasmtime' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
