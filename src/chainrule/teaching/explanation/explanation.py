"""`cr.explain`: the whole story of a compile as one page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from chainc.ir import Graph, Node
from chainc.ir.errors import InputError, Location
from chainc.ir.python.collection import without_collection
from chainc.rewriting.change import Change
from chainc.rewriting.trace import Fired
from chainrule.compiled.compiled import Compiled
from chainrule.compiled.stages import Stage, spelled
from chainrule.declare.arguments import path_of
from chainrule.evaluation.cost import cost
from chainrule.evaluation.point import complete, evaluate_at
from chainrule.evaluation.values import Values
from chainrule.teaching.explanation.rule_source import source_at
from chainrule.teaching.explanation.story import Story
from chainrule.teaching.pages.page import Page
from chainrule.teaching.pages.writing import check_target, write_page
from chainrule.writing.array_text import array_lines

EXAMPLES = 12  # of what one rule replaced
CODES = {"numpy": "NumPy", "loops": "Loops", "c": "C", "llvm": "LLVM", "assembly": "Assembly"}
_CODE = re.compile("`([^`]*)`")

FIT = """\
<button type="button" class="whole" aria-pressed="false" aria-controls="{name}-picture">
Fit to width</button>"""

SIDE = """\
<aside id="panel" aria-labelledby="panel-title">
<button type="button" id="close" aria-label="Close what is selected">×</button>
<h2 id="panel-title" aria-live="polite">Nothing selected</h2>
<div id="panel-body"><p>Choose a node of a picture, or a line of code: here stands where it comes
from and what has become of it.</p></div>
</aside>"""

CODE = """\
<section id="code" aria-labelledby="code-title">
<h2 id="code-title">Generated code</h2>
<p>Choose a line: the nodes that it computes light up in every picture.</p>
<div role="tablist" aria-label="Language of the code">{tabs}</div>
<div id="listing" role="listbox" tabindex="0" aria-label="Lines of generated code"></div>
</section>"""


def explain(
    program: Compiled, path: str | Path = "explain.html", values: Values | None = None
) -> Path:
    """Write the story of a compile as one page that opens from disk and asks nobody for anything.

    For each pass it tells what the pass is for, which rules fired on what, the graph that it left
    and what that costs; then comes the generated code. A node leads to its kernel and its lines of
    code, a line of code to its nodes, the user's line and the chain-rule step.

    Args:
        program: a compiled function or training.
        path: ends in `.html`; the folder must exist.
        values: an array for every input, by node or name. Then each node shows its numbers there,
            in float64; states that are not given have their first values.

    Returns:
        The path of the page; a notebook shows it.

    Raises:
        InputError: `program` is not compiled, or a value is missing, unknown or does not fit.
        ExportError: the page cannot be written.
    """
    target = _checked(program, path)
    numbers = {} if values is None else _numbers(program, values)
    with without_collection():
        story = Story(program, numbers)
        page = Page(
            "The story of a compile",
            "\n".join(_body(story)),
            styles=("explain.css",),
            scripts=("explain.js",),
            data=story.data(),
        )
        text = page.html()
    return write_page("explain", target, text)


def _checked(program: object, path: str | Path) -> Path:
    if not isinstance(program, Compiled):
        raise InputError(
            f"explain: got {type(program).__name__}, which is not compiled",
            hint="give what cr.compile returns: cr.explain(cr.compile(loss))",
        )
    target = path_of("explain", path)
    check_target("explain", target)
    return target


def _numbers(program: Compiled, values: Values) -> Mapping[Node, Sequence[str]]:
    """Lines with the numbers of every node of every stage, at a point."""
    point = complete("explain", program.declared, values, 0)
    found: dict[Node, Sequence[str]] = {}
    for stage in program.stages:
        asked = [node for node in stage.graph.nodes if node not in found]
        read = {leaf.op.label for leaf in Graph(tuple(asked)).nodes if not leaf.inputs}
        known = {leaf: value for leaf, value in point.items() if leaf.op.label in read}
        results = evaluate_at(Graph(tuple(asked)), known)
        found.update((n, array_lines(v)) for n, v in zip(asked, results, strict=True))
    return found


def _body(story: Story) -> Iterator[str]:
    program = story.program
    names = ", ".join(name for name in program.graph.names if name)
    yield '<header><h1>The story of a compile</h1><button type="button" id="theme">Theme</button>'
    code = escape(program.target.language)
    yield f"<p>{escape(names or 'outputs')}, compiled to {code}: pass by pass, down to the code."
    yield "Choose a node to see where it comes from and what has become of it.</p>"
    yield from _contents(program.stages)
    yield "</header>\n<main>"
    for position, stage in enumerate(program.stages):
        yield from _stage(story, f"stage-{position}", stage, story.changes[position])
    tabs = "".join(
        f'<button type="button" role="tab" id="tab-{code}" aria-controls="listing" '
        f'aria-selected="false">{escape(CODES.get(code, code))}</button>'
        for code in program.codes
    )
    yield CODE.format(tabs=tabs)
    yield "</main>"
    yield SIDE


def _contents(stages: Sequence[Stage]) -> Iterator[str]:
    yield '<nav aria-label="Stages"><ol>'
    for position, stage in enumerate(stages):
        fired = f" <span>{_count(len(stage.fired), 'rule')}</span>" if stage.fired else ""
        yield f'<li><a href="#stage-{position}">{escape(stage.name)}{fired}</a></li>'
    yield '<li><a href="#code">code</a></li></ol></nav>'


def _stage(story: Story, name: str, stage: Stage, change: Change | None) -> Iterator[str]:
    yield f'<section id="{name}" aria-labelledby="{name}-title">'
    yield f'<h2 id="{name}-title">{escape(stage.name)}</h2>'
    yield from _meaning(stage.meaning if stage.before else "The graph as it was declared.")
    yield _costs(stage, story.program.shown_sizes())
    yield from _rules(story, stage.fired)
    yield from _pictures(story, name, stage, change)
    yield "</section>"


def _pictures(story: Story, name: str, stage: Stage, change: Change | None) -> Iterator[str]:
    """The graph as declared; what a pass changed; the graph that is left in the end."""
    if change is None:
        yield from _figure(name, "The declared graph", story.graph(name, stage.graph))
        return
    before, after = change.graphs
    if set(before.roots) == set(after.roots):
        yield "<p>The graph is that of the stage before: there was nothing to do.</p>"
    else:
        about = f"What {stage.name} changed"
        yield from _figure(f"{name}-change", about, story.change(f"{name}-change", change))
    if stage is story.program.stages[-1]:
        yield "<h3>What is left to compute</h3>"
        yield from _figure(name, "The graph after all passes", story.graph(name, stage.graph))


def _figure(name: str, about: str, svg: str) -> Iterator[str]:
    yield FIT.format(name=name)
    yield f'<figure id="{name}-picture" class="picture" role="group" aria-label="{escape(about)}">'
    yield f"{svg}</figure>"


def _meaning(text: str) -> Iterator[str]:
    """Paragraphs; indented ones are examples."""
    for paragraph in text.strip().split("\n\n"):
        if paragraph.startswith("    "):
            lines = (line.removeprefix("    ") for line in paragraph.split("\n"))
            yield f"<pre>{escape(chr(10).join(lines))}</pre>"
        elif paragraph:
            text = _CODE.sub(r"<code>\1</code>", escape(paragraph))
            yield f"<p>{text}</p>"


def _costs(stage: Stage, sizes: Mapping[str, int]) -> str:
    now = _figures(stage.graph, sizes)
    old = _figures(stage.before or stage.graph, sizes)
    heads = "".join(f'<th scope="col">{name}</th>' for name in now)
    cells = "".join(f"<td>{now[name]:,}{_change(now[name] - old[name])}</td>" for name in now)
    bound = ", ".join(f"{name} = {value}" for name, value in sizes.items())
    caption = f"<caption>for {escape(bound)}</caption>" if bound else ""
    return f'<table class="costs">{caption}<tr>{heads}</tr><tr>{cells}</tr></table>'


def _figures(graph: Graph, sizes: Mapping[str, int]) -> Mapping[str, int]:
    found = cost(graph, **sizes)
    return {
        "nodes": len(graph.nodes),
        "FLOPs": found.flops,
        "bytes read": found.bytes_read,
        "bytes written": found.bytes_written,
    }


def _change(difference: int) -> str:
    if not difference:
        return ""
    return f' <span class="change">{"+" if difference > 0 else "−"}{abs(difference):,}</span>'


def _rules(story: Story, fired: Sequence[Fired]) -> Iterator[str]:
    by_rule: dict[tuple[str, str, Location], list[Fired]] = {}
    for each in fired:
        by_rule.setdefault((each.rule, each.kind, each.location), []).append(each)
    if not by_rule:
        return
    yield '<h3>Rules that fired</h3><ul class="rules">'
    for (rule, kind, location), found in by_rule.items():
        yield f'<li data-rule="{escape(rule)}"><details>'
        times = _count(len(found), "time")
        written = f"written in <code>{escape(_place(location))}</code>"
        yield f"<summary><code>{escape(rule)}</code> ({kind}) {times}, {written}</summary>"
        yield _source(location)
        yield "<ul>"
        yield from (f"<li>{_firing(story, each)}</li>" for each in found[:EXAMPLES])
        if len(found) > EXAMPLES:
            yield f"<li>and {len(found) - EXAMPLES:,} more</li>"
        yield "</ul></details></li>"
    yield "</ul>"


def _source(location: Location) -> str:
    source = source_at(location)
    return "" if source is None else f"<pre>{escape(str(source))}</pre>"


def _firing(story: Story, fired: Fired) -> str:
    """What was replaced and by what; a node that some stage has can be chosen."""
    return f"{_chosen(story, fired.replaced)} → {_chosen(story, fired.replacement)}"


def _chosen(story: Story, node: Node) -> str:
    number, text = story.number(node), escape(spelled(node))
    if number is None:
        return f"<span>{text}</span>"
    return f'<button type="button" class="link" data-nodes="{number}">{text}</button>'


def _place(location: Location) -> str:
    """A file of the compiler by its name in the package, another by its own."""
    parts = Path(location.file).parts
    if "chainc" not in parts:
        return location.short
    start = len(parts) - 1 - parts[::-1].index("chainc")
    return f"{'/'.join(parts[start:])}:{location.line}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
