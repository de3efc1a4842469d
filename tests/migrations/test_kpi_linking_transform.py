"""The SQL of KPI linking against the oracle: every row, every finding, on the sample and on dirt made by hypothesis."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.migrations.kpi_linking import sample, sample_dirt
from include.migrations.kpi_linking.migration import migration
from include.migrations.kpi_linking.sample_rows import (
    ACTUALS,
    KPIS,
    LINKS,
    MILESTONES,
    NULL,
    PEOPLE,
    READINGS,
    boolean,
    n,
    s,
)

from . import kpi_linking_oracle as oracle
from . import transform_runner as runner
from .kpi_linking_oracle import Item

Legacy = dict[str, list[Item]]


def check(legacy: Legacy, scratch: Path, partitions: int = 1) -> tuple[runner.Planned, oracle.Expected]:
    """Run the SQL and the oracle, and hold one against the other."""
    planned = runner.run(migration, legacy, scratch, partitions)
    expected = oracle.expected(legacy)
    for phase in migration.phases:
        ids = [row["id"]["S"] for row in legacy.get(migration.source(phase.source).table.name, [])]
        assert planned.unaccounted(phase.id, ids) == []
    found = {(phase, f.key, f.code) for phase, findings in planned.findings.items() for f in findings}
    assert found == expected.findings
    rejected = {
        (migration.source(migration.phase(phase).source).table.name, f.source): f.code
        for phase, findings in planned.findings.items()
        for f in findings
        if f.severity == "reject"
    }
    assert rejected == expected.rejected
    links = runner.items(migration.target("kpi_links").table, planned.rows["links"])
    assert oracle.by_id(links) == oracle.by_id(expected.links.values())
    assert len(links) == len(expected.links)
    data = [
        item
        for phase in ("milestones", "actuals", "readings")
        for item in runner.items(migration.target("kpi_data").table, planned.rows[phase])
    ]
    assert oracle.by_id(data) == oracle.by_id(expected.data.values())
    assert len(data) == len(expected.data)
    return planned, expected


@pytest.mark.parametrize("partitions", [1, 5])
def test_the_sample_comes_out_as_the_contract_says(tmp_path: Path, partitions: int) -> None:
    planned, expected = check(sample.rows(), tmp_path, partitions)
    codes = {code for _, _, code in expected.findings}
    rejects = {"missing_key", "bad_type", "bad_date", "unlinked"}
    assert codes == rejects | {"kpi_missing", "ambiguous_person", "id_collision", "unknown_attribute"}
    severities = {(f.code, f.severity) for findings in planned.findings.values() for f in findings}
    assert severities == {(code, "reject" if code in rejects else "warning") for code in codes}


def test_every_message_names_its_row_and_ends_as_a_sentence(tmp_path: Path) -> None:
    planned = runner.run(migration, sample.rows(), tmp_path)
    for findings in planned.findings.values():
        for finding in findings:
            assert finding.key in finding.message, finding
            assert finding.message.endswith("."), finding


def test_messages_of_rejects_say_what_is_wrong(tmp_path: Path) -> None:
    planned = runner.run(migration, sample.rows(), tmp_path)
    message = {f.key: f.message for f in planned.findings["readings"]}
    assert "has no kpi_id;" in message["no-kpi-readings~0"]
    assert "has no tenant_id;" in message["no-tenant-and-bad-type-readings~0"]
    assert "holds values of another type than declared: value (S);" in message["bad-type-and-bad-date~0"]
    assert 'ISO 8601 date or timestamp: "31/12/2024";' in message["bad-date-2-readings~0"]
    assert "timestamp: there is none;" in message["no-date-readings~0"]
    assert "KPI kpi-unlinked~0 of tenant dirty-tenant-0, which has no link" in message["unlinked-readings~0"]


def test_a_row_shares_its_id_with_no_other(tmp_path: Path) -> None:
    planned = runner.run(migration, sample.rows(), tmp_path, partitions=3)
    for phases in (["links"], ["milestones", "actuals", "readings"]):
        ids = [id for phase in phases for id in planned.rows[phase].column("id").to_pylist()]
        assert len(ids) == len(set(ids))


def test_empty_tables_give_nothing(tmp_path: Path) -> None:
    planned, _ = check({}, tmp_path)
    assert all(rows.num_rows == 0 for rows in planned.rows.values())


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
TENANT = st.sampled_from(["acorn", "birch"])
KPI = st.sampled_from(["k1", "k2", "k3"])
USER = st.sampled_from(["u1", "u2", "u3", ""])
ID = st.sampled_from([f"{i}" for i in range(6)] + ["é", "Z", "a/b", "\U0001f600", "\uffff"])
NUMBER = (
    st.sampled_from(sample_dirt.NUMBERS) | st.decimals(-1000, 1000, places=3).map(str) | st.integers(-12, 12).map(str)
)
DATE = (
    st.sampled_from(sample_dirt.LEGAL_DATES + sample_dirt.ILLEGAL_DATES)
    | st.datetimes().map(lambda d: d.isoformat())
    | TEXT
)

SCALAR = st.one_of(
    TEXT.map(s),
    NUMBER.map(n),
    st.booleans().map(boolean),
    st.just(NULL),
    st.binary(max_size=3).map(lambda b: {"B": b64encode(b).decode()}),
    st.just({"SS": ["b", "a"]}),
    st.just({"NS": ["2.0", "-1"]}),
)
ANY = st.recursive(
    SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: {"L": values}),
        st.dictionaries(TEXT.filter(bool), inner, max_size=3).map(lambda values: {"M": values}),
    ),
    max_leaves=5,
)
EXTRA_NAME = st.sampled_from(
    ["person_id", "strategy_id", "legacy_extra", "data_category", "_source", "x"]
) | TEXT.filter(bool)


def _rows(table: str, **special: st.SearchStrategy[str]) -> st.SearchStrategy[list[Item]]:
    """Rows of a legacy table: mostly as declared, sometimes null, missing, of another type, or with more than that."""
    plain = {"S": TEXT.map(s), "N": NUMBER.map(n), "BOOL": st.booleans().map(boolean)}
    kinds = oracle.NAMED[table]

    @st.composite
    def row(draw: st.DrawFn) -> Item:
        item: Item = {}
        spoiled = draw(st.sets(st.sampled_from(sorted(kinds)), max_size=2))
        for name, kind in kinds.items():
            good = special[name].map(s) if name in special else plain[kind]
            value = draw(st.one_of(good, st.none(), st.just(NULL), ANY) if name in spoiled and name != "id" else good)
            if value is not None:
                item[name] = value
        extras = draw(st.dictionaries(EXTRA_NAME.filter(lambda name: name not in kinds), ANY, max_size=2))
        return item | extras

    return st.lists(row(), max_size=10, unique_by=lambda item: item["id"]["S"])


LEGACY: st.SearchStrategy[Legacy] = st.fixed_dictionaries(
    {
        LINKS: _rows(LINKS, id=ID, tenant_id=TENANT, kpi_id=KPI, created_by=USER),
        MILESTONES: _rows(MILESTONES, id=ID, tenant_id=TENANT, kpi_id=KPI, milestone_date=DATE),
        ACTUALS: _rows(ACTUALS, id=ID, tenant_id=TENANT, kpi_id=KPI, measurement_date=DATE),
        READINGS: _rows(READINGS, id=ID, tenant_id=TENANT, kpi_id=KPI, reading_date=DATE),
        KPIS: _rows(KPIS, id=KPI, tenant_id=TENANT, owner_id=USER),
        PEOPLE: _rows(PEOPLE, id=ID, tenant_id=TENANT, linked_user_id=USER),
    }
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(legacy=LEGACY, partitions=st.integers(1, 3))
def test_any_legacy_tables_come_out_as_the_contract_says(
    tmp_path_factory: Any, legacy: Legacy, partitions: int
) -> None:
    check(legacy, tmp_path_factory.mktemp("scratch"), partitions)
