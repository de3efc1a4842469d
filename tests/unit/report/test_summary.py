"""The first page of a report, which is what somebody signs: what, where, who, the proof, and how to undo it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from . import report_facts
from .report_facts import Facts
from .report_page import Page
from .report_record import html, view

WHERE = {
    "environment": "production",
    "live": True,
    "places": [
        {"connection": "kpi_dynamodb", "kind": "dynamodb", "place": "dynamodb://123456789012/eu-central-1"},
        {"connection": "other", "kind": "postgres", "place": None, "error": "it did not answer"},
    ],
    "code": {"sha256": "ab" * 32, "commit": "0f1e2d3c4b5a", "changed": True},
}
every_run = pytest.mark.parametrize("run", report_facts.ALL, ids=lambda run: run.__name__)


@every_run
def test_the_summary_comes_before_everything_that_it_sums_up(run: Callable[[], Facts]) -> None:
    seen = Page(html(run()))
    assert seen.ids.index("verdict") < seen.ids.index("summary") < seen.ids.index("asked")
    for name in ("What", "Where", "Who", "Proof", "Not in the target", "Checks", "Versions", "To undo it"):
        assert name in seen.sections["summary"]
    assert "Read and accepted by" in seen.sections["summary"]


def test_it_says_what_was_done_where_by_whom_and_on_what_proof() -> None:
    facts = report_facts.passed()
    source = html({**facts, "where": WHERE})
    said = Page(source).sections["summary"]
    assert "purposepath-goal-kpi-links" in said.split("→")[0]
    assert "purposepath-kpi-data" in said.split("→")[1]
    assert "whole tables" in said
    assert '<strong class="bad"><bdi>production' in source, "a mistake there is one in earnest"
    assert "kpi_dynamodb dynamodb://123456789012/eu-central-1" in said
    assert "other (its server did not say)" in said
    assert f"Triggered by {facts['run']['triggered_by']} Approved by {facts['approval']['by']}" in said
    assert "1,971,790 rows read back and compared: every one as planned" in said
    assert "7,120 rejected (0.5 % of 1,403,990 source rows), kept whole in quarantine" in said
    assert "code abababababababab, commit 0f1e2d3c4b5a, with changes that are not committed" in said
    assert facts["undo"]["how"][:40] in said


def test_what_is_not_known_is_said_to_be_so() -> None:
    said = Page(html({})).sections["summary"]
    for word in (
        "not known",
        "No approval was asked for",
        "Nothing is proven",
        "Nothing was counted",
        "None was reached",
    ):
        assert word in said
    assert "Where not known" in said


def test_a_proof_that_failed_says_how_many_rows() -> None:
    proven = view(report_facts.failed_proof()).summary.proven
    assert proven is not None
    assert proven.wrong
    assert re.search(r"compared: \d+ (missing|different)", proven.words)


@pytest.mark.parametrize("run", report_facts.ALL[:-1], ids=lambda run: run.__name__)
def test_nothing_is_said_as_a_program_would(run: Callable[[], Facts]) -> None:
    said = Page(html({**run(), "where": WHERE})).text
    assert not re.search(r"\b(True|False|None)\b(?! was reached)|\{\}|\[\]", said)


def test_a_gate_says_which_share_of_its_rows_broke_a_rule() -> None:
    facts = report_facts.failed_at_gate()
    (gate,) = (g for g in facts["gates"] for e in g["expectations"] if e["unexpected"] == 2204)
    share = f"{100 * 2204 / gate['rows']:.1f} % of {gate['rows']:,}"
    assert f"2,204 rows broke it. That is {share}." in Page(html(facts)).sections["gates"]


def test_on_paper_the_summary_is_a_page_of_its_own() -> None:
    style = Page(html(report_facts.passed())).style
    assert "@page{size:A4" in style
    assert ".summary{break-after:page}" in style.split("@media print")[-1]
