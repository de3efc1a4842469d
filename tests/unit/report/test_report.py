"""The report: what it says for each way a run can end, and that nothing in a row can speak for it."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from include.trueup.prove.differing import differences
from include.trueup.report import text
from include.trueup.report.checks import count_checks
from include.trueup.run.reported import Checks

from . import report_facts
from .report_facts import HOSTILE, Facts
from .report_page import Page, squeezed
from .report_record import html, markdown, report_of, view

SECTIONS = ("asked", "counts", "gates", "proof", "findings", "people", "times", "artifacts", "undo")
every_run = pytest.mark.parametrize("run", report_facts.ALL, ids=lambda run: run.__name__)


def page(run: Callable[[], Facts]) -> Page:
    return Page(html(run()))


def row(seen: Page, start: str) -> str:
    return next(r for r in seen.rows if r.startswith(start))


# what every report has


@every_run
def test_is_one_whole_page_with_every_section(run: Callable[[], Facts]) -> None:
    seen = page(run)
    assert [name for name in seen.ids if name in SECTIONS] == list(SECTIONS)
    assert len(set(seen.ids)) == len(seen.ids)
    assert len(seen.tags("h1")) == 1
    assert {"header", "main", "nav", "footer"} <= {tag for tag, _ in seen.elements}
    assert {a["href"] for a in seen.tags("a")} <= {f"#{name}" for name in seen.ids}
    assert all(section.get("aria-labelledby") in seen.ids for section in seen.tags("section"))
    assert all(seen.sections[name].split(" ", 1)[1:] for name in SECTIONS if name != "who"), "a section is empty"


@every_run
def test_every_table_has_a_caption_and_headers(run: Callable[[], Facts]) -> None:
    seen = page(run)
    assert len(seen.tags("caption")) == len(seen.tags("table"))
    assert all(header.get("scope") in ("col", "row", "rowgroup") for header in seen.tags("th"))


@every_run
def test_needs_nothing_but_itself_and_runs_nothing(run: Callable[[], Facts]) -> None:
    source = html(run())
    seen = Page(source)
    tags = {tag for tag, _ in seen.elements}
    assert not tags & {"script", "img", "link", "iframe", "object", "embed", "form", "base", "input", "b", "i"}
    names = {name for _, attributes in seen.elements for name in attributes}
    assert not {n for n in names if n.startswith("on")} | (names & {"src", "style", "srcset", "xlink:href", "action"})
    assert "url(" not in seen.style
    assert "@import" not in seen.style
    policies = [m["content"] for m in seen.tags("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    digest = b64encode(hashlib.sha256(seen.style.encode()).digest()).decode()
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]
    assert source.encode()  # no lone surrogate is left


@every_run
def test_any_part_may_be_missing(run: Callable[[], Facts]) -> None:
    whole = run()
    for name in whole:
        for nothing in ({k: v for k, v in whole.items() if k != name}, whole | {name: None}):
            Page(html(nothing))
            assert markdown(nothing)


def test_no_facts_at_all_are_a_failure() -> None:
    seen = Page(html({}))
    assert "Failed" in seen.sections["verdict"]
    assert "left no verdict" in seen.text
    assert markdown({}).startswith("## ❌ Failed")


# the verdict


@pytest.mark.parametrize(
    ("run", "word"),
    [
        (report_facts.passed, "Passed"),
        (report_facts.planned, "Passed"),
        (report_facts.nothing_to_do, "Passed"),
        (report_facts.failed_at_gate, "Failed"),
        (report_facts.failed_at_apply, "Failed"),
        (report_facts.failed_proof, "Failed"),
        (report_facts.failed_at_once, "Failed"),
        (report_facts.hostile, "Failed"),
    ],
)
def test_the_verdict_comes_first(run: Callable[[], Facts], word: str) -> None:
    facts, seen = run(), page(run)
    assert seen.sections["verdict"].startswith(f"{word} ")
    assert text.shown(facts["verdict"]["headline"], 1000).split("⏎")[0] in seen.sections["verdict"]
    assert {"Passed": "passed", "Failed": "failed"}[word] in str(seen.tags("section")[0]["class"])
    assert word in seen.text[: seen.text.index("Trueup · Report")]  # the title says so too


@pytest.mark.parametrize("run", [report_facts.failed_at_gate, report_facts.failed_at_apply, report_facts.failed_proof])
def test_a_failed_run_says_where_why_and_what_next_at_the_top(run: Callable[[], Facts]) -> None:
    failed, seen = run()["run"]["failed"], page(run)
    top = seen.text[: seen.text.index("What was asked")]
    for name, label in (("step", "Failed at"), ("next", "What to do next")):
        assert f"{label} {squeezed(failed[name])}" in top
    assert top.count(squeezed(failed["error"])[1:]) == 1  # in the headline; again, as Why, only where that has it cut
    facts, long = run(), f"{failed['error']} {'and more ' * 100}"
    facts["run"]["failed"]["error"], facts["verdict"]["headline"] = long, text.sentence(long)
    assert f"Why {squeezed(long)}" in Page(html(facts)).text


def test_a_passed_verdict_over_failed_parts_is_a_contradiction_and_not_passed() -> None:
    assert "contradicts itself" not in page(report_facts.passed).text
    for run in (report_facts.failed_at_gate, report_facts.failed_at_apply, report_facts.failed_proof):
        facts = run() | {"verdict": report_facts.passed()["verdict"]}
        seen = Page(html(facts))
        assert "This report contradicts itself The verdict says passed, and yet" in seen.text
        assert seen.sections["verdict"].startswith("Failed")
        assert "contradicts itself" in markdown(facts)
        assert markdown(facts).startswith("## ❌ Failed")


# the counts


def test_counts_are_shown_adding_up() -> None:
    seen = page(report_facts.passed)
    assert "Every source row is accounted for: source rows = written + kept + rejected + skipped" in seen.text
    assert row(seen, "Links between").endswith("13,100 = 12,797 + 262 + 41 + 0 yes")
    assert row(seen, "Readings, as actuals").endswith("324,500 = 314,060 + 6,490 + 2,750 + 1,200 yes")
    assert "Skipped: 1,200 by rule outside_window" in seen.rows
    assert row(seen, "All phases").endswith("1,403,990 = 1,367,591 + 28,079 + 7,120 + 1,200 yes")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"written": 12_796}, "1 unaccounted for"),
        ({"written": 12_800}, "3 counted twice"),
        ({"unaccounted": 5}, "5 unaccounted for"),
        ({"skipped": {"stale": 1_000}}, "1,000 counted twice"),
    ],
)
def test_counts_that_do_not_add_up_say_by_how_much(change: Facts, said: str) -> None:
    facts = report_facts.passed()
    facts["plan"]["phases"][0] |= change
    seen = Page(html(facts))
    assert row(seen, "Links between").endswith(said)
    assert row(seen, "All phases").endswith(" no")
    assert "Not every source row is accounted for" in seen.text
    assert f"✗ {said} |" in markdown(facts)


def test_what_is_only_planned_is_not_called_written() -> None:
    for run in (report_facts.planned, report_facts.failed_at_gate, report_facts.failed_at_apply):
        assert "source rows = to write + kept" in page(run).text
        assert "= to write |" in markdown(run())
    assert "= written |" in markdown(report_facts.passed())


def test_target_rows_are_told_as_planned_and_as_written() -> None:
    seen = page(report_facts.failed_at_apply)
    rows = [r for r in seen.rows if r.startswith("Milestones, as targets")]
    assert rows[1].endswith("32,190 0 0 475 0 0 20,114 36 412 7.9 s")
    assert next(r for r in seen.rows if r.startswith("Actuals purposepath-kpi-data")).endswith("– – – –")


# gates, proof, findings, people, times, artifacts


def test_gates_tell_every_expectation_in_words() -> None:
    facts, seen = report_facts.failed_at_gate(), page(report_facts.failed_at_gate)
    for gate in facts["gates"]:
        for expectation in gate["expectations"]:
            assert expectation["description"] in seen.sections["gates"]
    said = seen.sections["gates"]
    assert "Failed Rows of actuals 1 of 3 expectations hold · 1,458,250 rows checked" in said
    assert "Failed No two rows share an id K2 2,204 rows broke it." in said
    assert "Not judged Every row has a tenant K8 The column “tenant” does not exist." in said
    assert said.index("Failed No two rows") < said.index("Holds Every row has an id K2", said.index("Rows of actuals"))
    assert "_key 0b72a386-05b0-4e6a-aa13-000000000000 · tenant_id acorn-000" in said
    assert "15 more examples" in said
    assert all(example["_key"] in said for example in facts["gates"][2]["expectations"][1]["examples"])
    assert said.count("The column “tenant” does not exist.") == 1
    opened = [d for d in seen.tags("details") if "open" in d]
    assert len(opened) == 1


def test_checks_are_counted_and_what_was_not_judged_is_failed() -> None:
    facts = report_facts.failed_at_gate()
    shown = sum(len(gate["expectations"]) for gate in facts["gates"])
    counted = Checks(total=shown, passed=shown - 3, failed=3)  # K2, K8; K1 warns
    assert count_checks(report_of(facts).gates, []) == counted
    empty = report_facts.gate("rows", "links", 0, []) | {"passed": False, "errors": ["the suite is empty"]}
    said = [{"title": "Same?", "answer": "NO", "holds": False}, {"title": "Rows", "answer": 7, "holds": True}]
    seen = report_of({"gates": [empty], "statements": said})
    assert count_checks(seen.gates, seen.statements, unanswered=2) == Checks(total=5, passed=1, failed=4)
    words = f"{shown - 3} of {shown} checks passed"
    assert words in page(report_facts.failed_at_gate).sections["gates"]
    assert words in markdown(facts)
    assert "3 of 4 checks passed" in html(facts | {"checks": {"total": 4, "passed": 3, "failed": 1}})


def test_a_warning_is_told_in_a_gate_that_passed() -> None:
    said = page(report_facts.passed).sections["gates"]
    assert "Passed Rows of links 6 of 7 expectations hold, 1 warning · 13,059 rows checked" in said
    assert "Warning Every link has a person K1 318 rows broke it." in said


def test_proof_tells_each_difference_to_the_last_digit() -> None:
    seen = page(report_facts.failed_proof)
    assert row(seen, "actuals purposepath-kpi-data") == "actuals purposepath-kpi-data 1,511,767 1 1 1 1 0 0 4 no"
    different = row(seen, "different")
    assert "post_value : planned 7.1000000000000000000000000000000000001 , found" in different
    assert "is_manual_override : planned false , found true" in different
    assert "id : planned" not in different
    assert row(seen, "missing").startswith('missing a-18 planned {"id":"a-18"')
    assert "found" not in row(seen, "missing")
    assert row(seen, "extra").endswith('found {"id":"stranger"}')


@pytest.mark.parametrize(
    ("planned", "found", "differs"),
    [
        ('{"n": 1.00000000000000000000000000000000000001}', '{"n": 1.00000000000000000000000000000000000002}', ["n"]),
        ('{"a": 1, "b": null}', '{"a": 1}', []),
        ('{"a": {"b": [1, 2]}}', '{"a": {"b": [1, 3]}}', ["a"]),
        ("no json", "{}", []),
        ("[1]", "[2]", []),
        (None, "{}", []),
    ],
)
def test_differences_between_rows(planned: Any, found: Any, differs: list[str]) -> None:
    facts = report_facts.failed_proof()
    facts["proof"][2]["examples"] = [{"kind": "different", "key": "k", "planned": planned, "found": found}]
    (example,) = view(facts).proofs[2].examples
    shown = differences(example.planned, example.found)
    assert [name for name, _, _ in shown] == differs
    assert all(one != other for _, one, other in shown)


def test_findings_go_by_code_with_example_keys() -> None:
    said = page(report_facts.passed).sections["findings"]
    assert said.index("Rejected 7,120 findings") < said.index("Warnings 3 findings")
    assert "unlinked 4,212 findings For example: Row milestone-00003 belongs to a KPI" in said
    assert "purposepath-kpi-actuals 3,812 0b72a386-05b0-4e6a-aa13-c7b793f5a40d" in said
    assert "unknown_attribute 3 findings" in said


def test_who_and_whether_they_approved_this_very_plan() -> None:
    facts = report_facts.passed()
    assert "approved by grace, 14 Mar 2026, 09:28:28 UTC" in Page(html(facts)).sections["people"].replace(" ,", ",")
    assert "the plan of this run" in Page(html(facts)).sections["people"]
    facts["approval"]["plan_sha256"] = "0" * 64
    assert "not the plan of this run" in Page(html(facts)).sections["people"]
    assert "another plan than this run" in markdown(facts)
    without = facts | {"plan": None, "approval": facts["approval"] | {"plan_sha256": None}}
    assert "not the plan of this run" in Page(html(without)).sections["people"]
    assert "none was asked for" in page(report_facts.planned).sections["people"]


def test_times_of_steps_lie_on_a_line_and_a_step_may_not_have_ended() -> None:
    steps = view(report_facts.failed_at_apply()).timings
    starts = [s.start or 0 for s in steps]
    assert starts == sorted(starts)
    assert all(s.start is not None and s.start >= 0 and s.start + s.width <= 100.01 for s in steps)
    seen = page(report_facts.failed_at_apply)
    assert row(seen, "apply milestones").endswith("16 did not end")
    assert row(seen, "snapshot") == "snapshot 09:26:53 8 41 s"


def test_artifacts_are_named_with_hashes_up_to_a_bound() -> None:
    facts = report_facts.passed()
    seen = Page(html(facts))
    assert "128 files" in seen.sections["artifacts"]
    assert all(a["sha256"] in seen.sections["artifacts"] for a in facts["artifacts"])
    facts["artifacts"] *= 100
    many = html(facts)
    assert "12,400 more are listed in report.json" in Page(many).text
    assert len(many) < 500_000


# hostile content


def test_hostile_text_is_shown_and_does_nothing() -> None:
    source = html(report_facts.hostile())
    seen = Page(source)
    for bad in HOSTILE:
        assert squeezed(text.shown(bad)) in seen.text, bad[:40]
    assert "<script>alert('row')</script>" in seen.text
    assert "{{ 7 * 7 }}" in seen.text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\ud800-\udfff]", source)
    assert len(source) < 200_000
    assert "the first 300 of 1,000,000 characters" in seen.text


def test_foreign_text_is_isolated_from_the_direction_of_its_surroundings() -> None:
    source = html(report_facts.hostile())
    for found in re.finditer("\u05e9\u05dc\u05d5\u05dd", source):
        before = source[: found.start()]
        assert before.rfind("<bdi>") > before.rfind("</bdi>") or before.rfind("<title>") > before.rfind("</title>")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("table 'old' has no key", "Table 'old' has no key."),
        ("table 'old'\nhas no key. Declare one?", "Table 'old' has no key. Declare one?"),
        ("localhost:5432/x: could not read", "localhost:5432/x: could not read."),
        ("x" * 700, f"{'x' * 600} …"),
    ],
)
def test_an_error_begins_a_headline_as_a_sentence(error: str, said: str) -> None:
    assert text.sentence(error) == said


def test_what_could_not_be_checked_and_what_a_run_undoes_is_said() -> None:
    facts = report_facts.passed()
    facts["plan"]["drift_checked"], facts["run"]["undoes"] = False, "run-of-yesterday"
    assert "Whether others changed rows since the last run is not known" in html(facts)
    assert "run-of-yesterday" in html(facts)
