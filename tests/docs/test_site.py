"""What the site is made of: every public name, the pages in order, formulas for browsers."""

from __future__ import annotations

import importlib
import pkgutil
import pydoc
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

import chainrule as cr
from chainc import ops
from chainrule.declare import functional

DOCS = Path(__file__).parents[2] / "docs"
LECTURES = DOCS / "lectures"
REFERENCE = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.rst"))
ORDER = re.findall(
    r"^\d+\. \[(.*?)\]\((\w+)\.md\)", (LECTURES / "index.md").read_text("utf-8"), re.M
)


def public_names() -> list[str]:
    """What `chainrule/__init__.py` names, and what the families of ops export."""
    named = re.findall(
        r"^ *from \S+ import \w+ as (\w+)$", Path(cr.__file__).read_text("utf-8"), re.M
    )
    families = [
        importlib.import_module(f"chainc.ops.{found.name}")
        for found in pkgutil.iter_modules(ops.__path__)
    ]
    exported = [
        name for module in (*families, functional) for name in getattr(module, "__all__", ())
    ]
    return sorted({*named, *exported})


@pytest.mark.parametrize("name", public_names())
def test_every_public_name_is_described(name: str) -> None:
    kind = "module" if isinstance(getattr(cr, name), ModuleType) else "(function|class|data)"
    assert re.search(rf"^\.\. (auto|py:){kind}:: chainrule\.{name}$", REFERENCE, re.M)


def test_all_that_is_described_is_there() -> None:
    named = re.findall(r"^\.\. auto\w+:: (\S+)$", REFERENCE, re.M)
    assert len(named) > 100
    assert [name for name in named if pydoc.locate(name) is None] == []
    assert pydoc.locate("chainrule.program.Compiled") is None


def test_lectures_are_linked_in_reading_order() -> None:
    pages = [name for _, name in ORDER]
    assert sorted(pages) == sorted(
        path.stem for path in LECTURES.glob("*.md") if path.stem != "index"
    )
    assert pages == listed(LECTURES / "index.md")
    for position, name in enumerate(pages):
        last = (LECTURES / f"{name}.md").read_text(encoding="utf-8").rstrip().rsplit("\n", 1)[-1]
        before, after = ORDER[:position][-1:], ORDER[position + 1 :][:1]
        steps = [f"Before: [{title}]({page}.md)" for title, page in before]
        assert last == " · ".join(
            [*steps, *(f"Next: [{title}]({page}.md)" for title, page in after)]
        )


def test_the_site_has_every_page() -> None:
    own = sorted(path.stem for path in DOCS.glob("*.md") if path.stem != "index")
    assert sorted(listed(DOCS / "index.md")) == sorted([*own, "api/index", "lectures/index"])


def listed(page: Path) -> list[str]:
    """The pages of the table of contents that a page has."""
    _, _, rest = page.read_text(encoding="utf-8").partition(":::{toctree}\n:hidden:\n\n")
    return rest.partition("\n:::")[0].split("\n")


def test_formulas_become_mathml() -> None:
    pytest.importorskip("docutils", reason="the extra `docs` is not installed")
    from docs.mathml import NAMESPACE, mathml

    formula = r"\frac{\partial L}{\partial w} = \underbrace{x}_{\text{local}} \, g"
    root = ET.fromstring(mathml(formula, as_block=True))
    (fraction,) = root.iter(f"{{{NAMESPACE}}}mfrac")
    assert ["".join(part.itertext()).split() for part in fraction] == [["∂", "L"], ["∂", "w"]]
    label = next(e for e in root.iter(f"{{{NAMESPACE}}}mtext") if e.text == "local")
    labelled = next(e for e in root.iter(f"{{{NAMESPACE}}}munder") if label in list(e))
    assert "⏟" in "".join(labelled[0].itertext())


def test_wide_pictures_keep_letters_that_can_be_read(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
    from docs.wide_pictures import PAGE, legible_width

    narrow, wide, other = (tmp_path / f"{name}.svg" for name in ("narrow", "wide", "other"))
    narrow.write_text('<svg width="300pt" height="10pt"></svg>', encoding="utf-8")
    wide.write_text('<?xml version="1.0"?>\n<svg\n width="1500pt"></svg>', encoding="utf-8")
    other.write_text('<svg viewBox="0 0 5000 10"></svg>', encoding="utf-8")
    assert (legible_width(narrow), legible_width(wide), legible_width(other)) == (300, 1500, 0)
    assert PAGE < legible_width(wide)
