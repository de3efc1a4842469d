"""The SQL of KPI linking against the oracle: every row, every finding, on the sample and on dirt made by hypothesis."""

from __future__ import annotations

import json
from base64 import b64encode

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
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
from include.trueup.declare.migration import Table
from include.trueup.declare.names import EXTRA
from include.trueup.plan.transform import UNWRITABLE
from include.trueup.stores import arrow_schema
from include.trueup.stores.dynamodb.items import Layout
from include.trueup.testing import Made, make_of
from include.trueup.testing.parting import Parting

from . import kpi_linking_oracle as oracle
from .kpi_linking_oracle import Item

Legacy = dict[str, list[Item]]


def made_of(legacy: Legacy, partitions: int = 1) -> Made:
    """What the SQL makes of items as DynamoDB gives them."""
    tables = {
        x.id: pa.Table.from_batches([Layout(x.table).decode(legacy.get(x.table.name, []))]) for x in migration.sources
    }
    several = Parting(partitions, tuple(range(partitions)))
    return make_of(migration, tables, several=several, judged=False)


def items(made: Made, target: str) -> list[Item]:
    """Planned rows of a target as DynamoDB would hold them."""
    table: Table = migration.target(target).table
    rows = [row for row in made.planned if row.target == target]
    for each in rows:
        assert not json.loads(each.row.get(EXTRA) or "{}").keys() & table.columns.keys(), (
            "_extra names a declared column"
        )
    return Layout(table).encode(pa.Table.from_pylist([each.row for each in rows], schema=arrow_schema(table)))


def compare(legacy: Legacy, partitions: int = 1) -> tuple[Made, oracle.Expected]:
    """Run the SQL and the oracle, and hold one against the other."""
    made = made_of(legacy, partitions)
    expected = oracle.expected(legacy)
    assume(
        not any(f.code == UNWRITABLE for f in made.findings)
    )  # what DynamoDB could not hold, the contract says nothing of
    assert made.broken == [], "a source row is not exactly one of written and rejected"
    for phase in migration.phases:
        assert made.counts[phase.id]["unaccounted"] == 0
        assert made.counts[phase.id]["source_rows"] == len(legacy.get(migration.source(phase.source).table.name, []))
    assert {(f.phase, f.about, f.code) for f in made.findings} == expected.findings
    rejected = {(migration.source(id).table.name, key): code for (id, key), code in made.codes("reject").items()}
    assert rejected == expected.rejected
    for target, wanted in (("kpi_links", expected.links), ("kpi_data", expected.data)):
        given = items(made, target)
        assert oracle.by_id(given) == oracle.by_id(wanted.values())
        assert len(given) == len(wanted)
    return made, expected


@pytest.mark.parametrize("partitions", [1, 5])
def test_the_sample_comes_out_as_the_contract_says(partitions: int) -> None:
    made, expected = compare(sample.rows(), partitions)
    codes = {code for _, _, code in expected.findings}
    rejects = {"missing_key", "bad_type", "bad_date", "unlinked"}
    assert codes == rejects | {"kpi_missing", "ambiguous_person", "id_collision", "unknown_attribute"}
    severities = {(f.code, f.severity) for f in made.findings}
    assert severities == {(code, "reject" if code in rejects else "warning") for code in codes}


@pytest.fixture(scope="module")
def made() -> Made:
    """What the SQL makes of the sample, in several partitions."""
    return made_of(sample.rows(), partitions=3)


def test_every_message_names_its_row_and_ends_as_a_sentence(made: Made) -> None:
    for finding in made.findings:
        assert finding.about is not None
        assert finding.about in finding.message, finding
        assert finding.message.endswith("."), finding


def test_messages_of_rejects_say_what_is_wrong(made: Made) -> None:
    message = {f.about: f.message for f in made.findings if f.phase == "readings"}
    assert "has no kpi_id;" in message["no-kpi-readings~0"]
    assert "has no tenant_id;" in message["no-tenant-and-bad-type-readings~0"]
    assert "holds values of another type than declared: value (S);" in message["bad-type-and-bad-date~0"]
    assert 'ISO 8601 date or timestamp: "31/12/2024";' in message["bad-date-2-readings~0"]
    assert "timestamp: there is none;" in message["no-date-readings~0"]
    assert "KPI kpi-unlinked~0 of tenant dirty-tenant-0, which has no link" in message["unlinked-readings~0"]


def test_a_row_shares_its_id_with_no_other(made: Made) -> None:
    for rows in made.rows.values():
        assert len({row["id"] for row in rows}) == len(rows)


def test_empty_tables_give_nothing() -> None:
    made, _ = compare({})
    assert made.planned == []


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
TENANT = st.sampled_from(["acorn", "birch"])
KPI = st.sampled_from(["k1", "k2", "k3"])
GOAL = TEXT.filter(bool)  # an index of the new table is by it, which takes no empty text
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
        LINKS: _rows(LINKS, id=ID, tenant_id=TENANT, kpi_id=KPI, goal_id=GOAL, created_by=USER),
        MILESTONES: _rows(MILESTONES, id=ID, tenant_id=TENANT, kpi_id=KPI, milestone_date=DATE),
        ACTUALS: _rows(ACTUALS, id=ID, tenant_id=TENANT, kpi_id=KPI, measurement_date=DATE),
        READINGS: _rows(READINGS, id=ID, tenant_id=TENANT, kpi_id=KPI, reading_date=DATE),
        KPIS: _rows(KPIS, id=KPI, tenant_id=TENANT, owner_id=USER),
        PEOPLE: _rows(PEOPLE, id=ID, tenant_id=TENANT, linked_user_id=USER),
    }
)


@settings(max_examples=16, deadline=None, suppress_health_check=list(HealthCheck))
@given(legacy=LEGACY, partitions=st.integers(1, 3))
def test_any_legacy_tables_come_out_as_the_contract_says(legacy: Legacy, partitions: int) -> None:
    compare(legacy, partitions)
