"""The documentation site: make docs builds it into build/site."""

from __future__ import annotations

import shutil
import sys
from importlib import metadata
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[1]))  # the extensions in docs

project = "Chainrule"
author = "The Chainrule authors"
project_copyright = author
release = metadata.version("chainrule")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
extensions += ["docs.mathml", "docs.page_links", "docs.reference", "docs.wide_pictures"]
suppress_warnings = ["toc.not_included"]  # derivations are linked from where they are made
nitpicky = True
nitpick_ignore_regex = [  # types of other libraries, and those that users do not name
    (r"py:.*", r"(chainc|collections\.abc|graphviz|numpy|np|npt|os|pathlib|sympy|typing)\..*"),
    (
        r"py:.*",
        r"chainrule\.\w+\..*|Average|Data|DimLike|Figure|HasState"
        r"|Link|ScheduleLike|Storage|Transform",
    ),
]
smartquotes_action = "D"  # dashes only: quotes may be code
default_role = "literal"

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3  # links to headings, as other readers of Markdown make them

napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"Chainrule {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False


def setup(app: Sphinx) -> None:
    app.connect("build-finished", copy_pages)


def copy_pages(app: Sphinx, exception: Exception | None) -> None:
    """The pages that programs have written, such as those to step through, open from the site."""
    if exception:
        return
    for page in (Path(app.srcdir) / "pictures").rglob("*.html"):
        target = Path(app.outdir) / page.relative_to(app.srcdir)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page, target)
    from docs import pages

    pages.write(Path(app.outdir))
