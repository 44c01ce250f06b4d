"""Pages let nothing in and nothing out."""

from __future__ import annotations

import base64
import hashlib
import json
import re

from chainrule.teaching.pages.page import Page

HOSTILE = "</script><script>alert(1)</script><!-- & \u2028 \"'"


def test_data_and_titles_are_inert() -> None:
    html = Page(HOSTILE, "<p>body</p>", data={"label": HOSTILE}).html()
    assert "<script>alert" not in html
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html)
    assert json.loads(found) == {"label": HOSTILE}
    assert "&lt;/script&gt;" in html


def test_the_policy_allows_what_is_inside_and_nothing_else() -> None:
    html = Page("title", "").html()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    assert "http" not in policy
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert html == Page("title", "").html()
