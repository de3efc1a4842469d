"""Every row of a real run can be seen on its page: filtered, searched, paged, beside its source row; and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from .conftest import EMPTY, HOSTILE, PAGES, RUN

DAG = f"{PAGES}/data/dags/kpi_linking"
AT = f"{DAG}/runs/{RUN.replace('+', '%2B')}"
KEY = HOSTILE.replace("\0", "")


def every(client: Any, **asked: Any) -> Iterator[dict[str, Any]]:
    """All rows that are so, over all pages."""
    after = None
    for _ in range(1_000):
        page = client.get(f"{AT}/rows", params={"size": 100, **asked, **({"after": after} if after else {})}).json()
        yield from page["rows"]
        after = page["next"]
        if after is None:
            return
    raise AssertionError("the pages have no end")


def test_all_rows_of_all_verbs_are_there_once(viewer: Any) -> None:
    plan = viewer.get(f"{AT}/plan").json()["plan"]
    rows = list(every(viewer))
    assert len({row["at"] for row in rows}) == len(rows)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["verb"]] = counts.get(row["verb"], 0) + 1
    totals = {verb: n for verb, n in plan["totals"].items() if n}
    assert counts == totals
    summary = viewer.get(f"{AT}/rows/summary").json()
    assert sum(kind["rows"] for kind in summary["kinds"]) == len(rows)
    for verb, n in totals.items():
        assert viewer.get(f"{AT}/rows/total", params={"verb": verb}).json() == {"rows": n, "whole": True}
    fans = {fan["phase"]: fan for fan in summary["fan_out"]}
    phases = {phase["phase"]: phase for phase in plan["phases"]}
    assert fans["links"]["several"] == 0
    milestones = fans["milestones"]
    assert milestones["rows"] == phases["milestones"]["rows"]["add"] > milestones["sources"]
    assert sum(each["sources"] for each in milestones["each"]) == milestones["sources"]


def test_a_row_stands_beside_its_legacy_row_and_its_brothers(viewer: Any) -> None:
    rows = list(every(viewer, phase="milestones", verb="add"))
    sources = [row["source"] for row in rows]
    twice = next(row for row in rows if sources.count(row["source"]) > 1)
    assert sorted(row["at"] for row in every(viewer, key=twice["source"], phase="milestones")) == sorted(
        row["at"] for row in rows if row["source"] == twice["source"]
    )
    whole = viewer.get(f"{AT}/rows/one", params={"at": twice["at"]}).json()
    (legacy,) = whole["legacy"]
    assert legacy["table"] == "purposepath-kpi-milestones"
    assert legacy["row"]["target_value"] == whole["row"]["post_value"]
    assert len(whole["made"]["targets"]) == sources.count(twice["source"])
    assert all(one["written_at"] and one["proof"]["kind"] == "as planned" for one in whole["made"]["targets"])
    found = viewer.get(f"{DAG}/lens", params={"key": twice["key"]}).json()["runs"]
    assert {one["key"] for one in found[0]["targets"]} >= {one["key"] for one in whole["made"]["targets"]}


def test_text_and_findings_narrow_the_rows(viewer: Any) -> None:
    label = next(row for row in every(viewer, phase="links"))["cells"][1]["value"]
    found = list(every(viewer, text=label.upper(), phase="links"))
    assert found
    assert viewer.get(f"{AT}/rows/total", params={"text": label.upper(), "phase": "links"}).json()["rows"] == len(found)
    assert {row["verb"] for row in every(viewer, code="id_collision")} == {"add"}
    assert {row["code"] for row in every(viewer, code="unlinked")} == {"unlinked"}


def test_a_hostile_row_is_text(viewer: Any) -> None:
    (row,) = every(viewer, key=KEY)
    assert (row["verb"], row["source"], row["code"]) == ("rejected", KEY, "unlinked")
    answer = viewer.get(f"{AT}/rows/one", params={"at": row["at"]})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["legacy"][0]["row"]["id"] == KEY
    (run,) = viewer.get(f"{DAG}/lens", params={"key": KEY}).json()["runs"]
    assert [(one["fate"], one["rule"]) for one in run["sources"]] == [("rejected", "unlinked")]
    assert "<script>alert" not in viewer.get(f"{PAGES}/lens", params={"dag_id": "kpi_linking", "key": KEY}).text


def test_who_finds_no_room_to_look_is_told_when_to_come_again(viewer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from trueup_airflow import looking

    monkeypatch.setattr(looking, "WAIT_SECONDS", 0)
    for path in (f"{DAG}/lens?key=x", f"{AT}/rows"):
        with ExitStack() as others:
            for _ in range(looking.AT_ONCE):
                assert others.enter_context(looking.turn())
            answer = viewer.get(path)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert "Others look at rows" in answer.json()["detail"]
        assert viewer.get(path).status_code == 200


def test_what_is_not_there_says_so(viewer: Any) -> None:
    gone = viewer.get(f"{AT}/rows", params={"after": "plan/links/p999.parquet:1"})
    assert (gone.status_code, "begin again" in gone.json()["detail"]) == (404, True)
    assert viewer.get(f"{AT}/rows/one", params={"at": "plan/links/p000.parquet:999999"}).status_code == 404
    assert viewer.get(f"{AT}/rows", params={"size": 1_000}).status_code == 422
    empty = f"{DAG}/runs/{EMPTY.replace('+', '%2B')}/rows"
    assert (viewer.get(empty).status_code, "not begun" in viewer.get(empty).json()["detail"]) == (404, True)
    assert "changes schemas" in viewer.get(f"{PAGES}/data/dags/platform_schema/lens?key=x").json()["detail"]
