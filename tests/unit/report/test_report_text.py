"""The report as Markdown, and how values of rows become text in either form."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from markdown_it import MarkdownIt

from include.trueup.report import text

from . import report_facts
from .report_facts import Facts
from .report_record import markdown

every_run = pytest.mark.parametrize("run", report_facts.ALL, ids=lambda run: run.__name__)


# Markdown


@every_run
def test_markdown_is_short(run: Callable[[], Facts]) -> None:
    facts = run()
    phases = (facts["plan"] or {}).get("phases", [])
    for name in ("gates", "proof", "findings"):
        facts[name] = facts[name] * 50
    facts["findings"] = [finding | {"code": f"code-{i}"} for i, finding in enumerate(facts["findings"])]
    phases *= 50
    assert len(markdown(facts).splitlines()) < 60
    assert len(markdown(facts)) < 30_000


@every_run
def test_markdown_says_the_same(run: Callable[[], Facts]) -> None:
    facts, said = run(), markdown(run())
    assert said.splitlines()[0].startswith("## ✅ Passed" if facts["verdict"]["status"] == "passed" else "## ❌ Failed")
    if facts["plan"] and run is not report_facts.hostile:
        assert "| readings | 324,500 | " in said
    if facts["run"]["failed"]:
        error = facts["run"]["failed"]["error"]
        assert text.shown(error, 600).replace("`", "ˋ") in said or text.markdown(text.sentence(error), 600) in said


def test_markdown_of_hostile_text_is_only_text() -> None:
    parser = MarkdownIt("gfm-like", {"html": True})
    said = markdown(report_facts.hostile() | {"undo": {"how": "see www.evil.com or http://evil.com\n# no heading"}})
    rendered = parser.render(said)
    assert set(re.findall(r"<(\w+)", rendered)) <= {
        *("h2", "p", "strong", "ul", "li", "code", "table", "thead", "tbody", "tr", "th", "td"),
    }
    rows = re.findall("<tr>.*?</tr>", rendered, re.DOTALL)
    assert {len(re.findall("<t[hd]", row)) for row in rows} == {7}
    assert ">13,100<" in re.findall("<td.*?</td>", rows[1])[1]
    assert rendered.count("<h2>") == 1
    assert not re.search(r"@(?!\u200b)\w", re.sub("<code>.*?</code>", "", rendered, flags=re.DOTALL))


# text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("one\ntwo\tthree", "one⏎two⇥three"),
        ("a\x00\u202eb\ufeff", "a‹U+0000›‹U+202E›b‹U+FEFF›"),
        ("\ud800", "\ufffd"),
        ("\u05e9\u05dc\u05d5\u05dd, e\u0301, \U0001f600", "\u05e9\u05dc\u05d5\u05dd, e\u0301, \U0001f600"),
        ("x" * 301, "x" * 300 + "… (the first 300 of 301 characters)"),
        (None, "–"),
        (7, "7"),
    ],
)
def test_what_cannot_be_seen_is_shown(value: Any, shown: str) -> None:
    assert text.shown(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("14,741 rows; 5 % (all)", "14,741 rows; 5 % \\(all\\)"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("a_b*c`d|e", "a\\_b\\*c\\`d\\|e"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("@all", "@\u200ball"),
    ],
)
def test_markdown_is_escaped(value: str, shown: str) -> None:
    assert text.markdown(value) == shown


def test_markdown_code_cannot_be_left() -> None:
    assert text.markdown_code("a``b`\n") == "`aˋˋbˋ⏎`"
    assert text.markdown_code(" ") == "` `"


def test_a_script_is_shown_line_by_line_and_closes_nothing() -> None:
    shown = text.block("SELECT '</pre>\u202e'\n\tFROM a; " + "x" * 30, limit=30)
    assert shown.startswith('<pre dir="ltr" tabindex="0">SELECT &#39;&lt;/pre&gt;‹U+202E›&#39;\n⇥FROM a')
    assert shown.endswith("\n… (the first 30 of 56 characters)</pre>")


def test_sizes_are_told_in_the_unit_that_suits_them() -> None:
    sizes = (0, 999, 1_000, 1_310_000, 123_456_789, 10**9, 5 * 10**12, None)
    assert [text.size(size) for size in sizes] == [
        *("0 B", "999 B", "1.0 kB", "1.3 MB", "123 MB", "1.0 GB", "5.0 TB", "–"),
    ]


def test_durations_are_told_as_people_tell_them() -> None:
    durations = (0.04, 9.94, 9.96, 59.4, 185, 7620, None)
    assert [text.duration(seconds) for seconds in durations] == [
        *("0.0 s", "9.9 s", "10 s", "59 s", "3 min 05 s", "2 h 07 min", "–"),
    ]


def test_moments_are_in_utc() -> None:
    assert text.moment("2026-03-14T10:26:53+01:00") == "14 Mar 2026, 09:26:53 UTC"
    assert text.moment("soon") == "soon"
    assert text.moment(None) == "–"
