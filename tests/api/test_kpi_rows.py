"""What became of every legacy row of KPIs, over the API, against plain Python that knows the contract alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from include.migrations.kpi_linking import sample
from include.migrations.kpi_linking.migration import migration
from tests.harness import few_rows
from tests.migrations import kpi_linking_oracle as oracle
from tests.samples import Migrated, Samples

from .test_rows import lead

__all__ = ["lead"]

ROWS = "/trueup/api/v2/migrations/kpi_linking/rows"
PHASES = {
    "links": oracle.GOAL_LINKS,
    "milestones": oracle.MILESTONES,
    "actuals": oracle.ACTUALS,
    "readings": oracle.READINGS,
}
NEW_LINKS, NEW_DATA = "purposepath-kpi-links", "purposepath-kpi-data"
smallest = partial(few_rows, 1)


@pytest.fixture
def first(samples: Samples, viewer: Any, lead: Any) -> Iterator[Migrated]:
    """A run over the sample's dirt, and the API led to it."""
    with samples.migrated(migration, sample, smallest) as made:
        lead(made.ledger._engine.url.render_as_string(hide_password=False), made.workspace)
        yield made


def expected(legacy: dict[str, list[oracle.Item]]) -> dict[tuple[str, str], Any]:
    """By legacy table and id: fate, rule, target rows, and codes of findings."""
    found = oracle.expected(legacy)
    targets = defaultdict(set)
    for id in found.links:
        targets[oracle.GOAL_LINKS, id].add((NEW_LINKS, id, "add"))
    for id, row in found.data.items():
        targets[row["legacy_table"]["S"], row["legacy_id"]["S"]].add((NEW_DATA, id, "add"))
    codes = defaultdict(set)
    for phase, key, code in found.findings:
        codes[PHASES[phase], key].add(code)
    every = [(table, row["id"]["S"]) for table in PHASES.values() for row in legacy[table]]
    return {
        of: ("rejected" if of in found.rejected else "written", found.rejected.get(of), targets[of], codes[of])
        for of in every
    }


def some(expected: dict[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    """Of rows that differ in their ids alone, one."""
    kinds = {
        (of[0], fate, rule, len(targets), *sorted(codes)): of for of, (fate, rule, targets, codes) in expected.items()
    }
    return {of: expected[of] for of in kinds.values()}


def check(viewer: Any, expected: dict[tuple[str, str], Any], new: int | None = None) -> None:
    """Ask for every one of these rows, and for every row that comes of it (`new`: for so many), and hold the answers
    against it."""
    wrong = {}
    for (table, id), (fate, rule, targets, codes) in expected.items():
        asked = [
            {"source": table, "key": id},
            *({"target": name, "key": key} for name, key, _ in sorted(targets)[:new]),
        ]
        for parameters in asked:
            answer = viewer.get(ROWS, params=parameters).json()
            told = {(t["table"], t["key"], t["verb"]) for t in answer["targets"]}
            found = {(f["table"], f["key"], f["code"]) for f in answer["findings"]}
            got = answer["run"], answer["source"], answer["key"], answer["fate"], answer["rule"], told, found
            should = "first", table, id, fate, rule, targets, {(table, id, code) for code in codes}
            if got != should or len(answer["targets"]) != len(told) or len(answer["findings"]) != len(found):
                wrong[table, id, len(parameters)] = should, answer
    assert wrong == {}


def test_a_row_of_every_kind(first: Migrated, viewer: Any) -> None:
    with smallest():
        chosen = some(expected(sample.rows()))
    assert len(chosen) > 30
    assert {rule for _, rule, _, _ in chosen.values()} == {None, "missing_key", "bad_type", "bad_date", "unlinked"}
    assert {code for *_, codes in chosen.values() for code in codes} >= {
        "id_collision",
        "kpi_missing",
        "ambiguous_person",
    }
    check(viewer, chosen, new=1)
    # an id that two legacy tables have is asked for by its table
    shared = next(id for table, id in chosen if "id_collision" in chosen[table, id][3])
    assert viewer.get(ROWS, params={"source": oracle.GOAL_LINKS, "key": shared}).status_code == 404


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_row(first: Migrated, viewer: Any) -> None:
    with smallest():
        check(viewer, expected(sample.rows()))
