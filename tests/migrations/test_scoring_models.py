"""Scoring models, from the dirty sample to the proven target, against an oracle that knows the contract only."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Any

import duckdb
import psycopg
import pytest

from include.migrations.scoring_models import sample
from include.migrations.scoring_models.migration import migration
from include.migrations.scoring_models.versions import SUPERSEDED, VERSIONS
from include.trueup.errors import GateError
from include.trueup.ledger import Ledger
from include.trueup.rows.values import json_value
from include.trueup.run import LAST, Mode, Run, Window
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Step
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import run_of, run_sql
from tests.samples import Migrated, Samples

from .rescore_in_sql import in_sql as rescored_in_sql
from .scoring_models_oracle import Row, band, mismatch, read, rescored, stamp

ORIGINAL = (
    "SELECT id, survey_id, submitted_at, answers, dimension_scores, index_score, band, xmin::text FROM survey_responses"
)
CONTENT = ORIGINAL.replace(", xmin::text", "") + " ORDER BY id"


@pytest.fixture
def uri(samples: Samples) -> str:
    """A database with the sample."""
    return samples.database(sample)


@pytest.fixture
def store(uri: str) -> PostgresStore:
    return PostgresStore(uri)


@pytest.fixture
def stamped(samples: Samples) -> Iterator[Migrated]:
    """The sample after a first run."""
    with samples.migrated(migration, sample) as there:
        yield there


def findings(workspace: Workspace, run: str) -> set[tuple[str, str]]:
    lines = (workspace.read(f"runs/{run}/findings.csv") or b"").decode().splitlines()
    return {(row["key"], row["code"]) for row in csv.DictReader(lines)}


def made_by(run: Run) -> tuple[list[Any], list[str]]:
    """The rows that the phase rescore made, and all findings."""
    files = run.folder.location("should/rescore/*.parquet")
    rows = duckdb.execute(f"SELECT * FROM read_parquet('{files}') ORDER BY ALL").fetchall()
    assert rows
    return rows, (run.folder.read("findings.csv") or b"").decode().splitlines()


def stamps(uri: str) -> dict[str, str | None]:
    return {
        r["id"]: r["scoring_model_version"] for r in read(uri, "SELECT id, scoring_model_version FROM survey_responses")
    }


def oracle_of(uri: str) -> tuple[dict[str, Row], dict[str, str | None], set[tuple[str, str]]]:
    """The responses, the version that each must get, and the findings."""
    surveys = {s["id"]: s for s in read(uri, "SELECT * FROM surveys")}
    responses = {r["id"]: r for r in read(uri, CONTENT)}
    wanted = {id: stamp(r, surveys) for id, r in responses.items()}
    found = {(id, "before_first_model") for id, v in wanted.items() if v is None}
    found |= {(id, "band_mismatch") for id, v in wanted.items() if v is not None and mismatch(responses[id], v)}
    return responses, wanted, found


def decimal_of(index: Fraction) -> Decimal:
    """Exactly where it ends; else 34 significant digits."""
    rest = index.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    with localcontext() as context:
        context.prec = 34 if rest > 1 else 1_000
        return Decimal(index.numerator) / Decimal(index.denominator)


def nullable(uri: str) -> bool:
    ((not_null,),) = run_sql(
        uri,
        "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'survey_responses'::regclass"
        " AND attname = 'scoring_model_version'",
    )
    return not not_null


def test_stamps_what_was_in_force_and_changes_nothing_else(
    uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace
) -> None:
    responses, wanted, oracle = oracle_of(uri)
    assert {"1.0.0", "1.1.0", "2.0.0", None} == set(wanted.values())
    first = run_of(migration, ledger, workspace, lambda _: store, "first", partitions=3, segments=2)
    assert walk(first).status == "passed"
    assert stamps(uri) == wanted
    assert {r["id"]: r for r in read(uri, CONTENT)} == responses
    assert findings(workspace, "first") == oracle
    report = first.folder.read_json("report.json")
    phases = {p["phase"]: p for p in report["plan"]["phases"]}
    assert phases["stamp"]["written"] == sum(v is not None for v in wanted.values())
    assert phases["versions"]["written"] == 3
    assert phases["rescore"]["skipped"] == {"not_asked_for": len(responses)}
    assert all(p["unaccounted"] == 0 for p in phases.values())
    answers = {s["title"]: s["answer"] for s in first.folder.read_json("statements.json")}
    assert list(answers.values()) == ["YES", sum(v is None for v in wanted.values())]
    # while a response has no version the column cannot be NOT NULL, but no new one can come in
    assert nullable(uri)
    with pytest.raises(Exception, match="before_first_model"):
        run_sql(uri, "INSERT INTO survey_responses (id) VALUES (gen_random_uuid())")

    before = read(uri, ORIGINAL)
    second = run_of(migration, ledger, workspace, lambda _: store, "second")
    assert walk(second).headline.startswith("Nothing to")
    assert read(uri, ORIGINAL) == before  # not one row was written
    assert findings(workspace, "second") == oracle


def test_the_column_becomes_not_null_once_every_response_has_a_version(stamped: Migrated) -> None:
    uri, store, ledger, workspace = stamped.uri, stamped.store, stamped.ledger, stamped.workspace
    assert nullable(uri)
    run_sql(uri, "DELETE FROM survey_responses WHERE scoring_model_version IS NULL")
    walk(run_of(migration, ledger, workspace, lambda _: store, "second"))
    assert not nullable(uri)
    assert (
        run_sql(
            uri, "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = 'survey_responses'::regclass"
        )
        == []
    )
    ((type_,),) = run_sql(
        uri,
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 'survey_responses'::regclass AND attname = 'scoring_model_version'",
    )
    assert type_ == "character varying(20)"
    walk(run_of(migration, ledger, workspace, lambda _: store, "third"))
    assert not nullable(uri)


@pytest.mark.parametrize("to", ["1.0.0", "1.1.0", "2.0.0"])
def test_scores_again_beside_the_original(to: str, stamped: Migrated) -> None:
    uri, store, ledger, workspace = stamped.uri, stamped.store, stamped.ledger, stamped.workspace
    responses, wanted, _ = oracle_of(uri)
    run = run_of(migration, ledger, workspace, lambda _: store, "again", params={"rescore_to": to})
    assert walk(run).status == "passed"
    assert {r["id"]: r for r in read(uri, CONTENT)} == responses
    if to == "2.0.0":
        in_sql = run_of(
            rescored_in_sql(), ledger, workspace, lambda _: store, "in_sql", params={"rescore_to": to}, mode=Mode.PLAN
        )
        walk(in_sql)
        assert made_by(run) == made_by(in_sql)
        assert {"no_index", "before_first_model"} <= {code for _, code in findings(workspace, "in_sql")}
    scores = {r["response_id"]: r for r in read(uri, "SELECT * FROM response_scores")}
    expected = {id: rescored(responses[id], v, to) for id, v in wanted.items() if v is not None}
    assert set(scores) == {id for id, (index, _) in expected.items() if index is not None}
    no_index = {(id, "no_index") for id, (index, _) in expected.items() if index is None}
    assert {f for f in findings(workspace, "again") if f[1] == "no_index"} == no_index
    for id, row in scores.items():
        index, dimensions = expected[id]
        assert index is not None
        assert row["scoring_model_version"] == to
        assert row["index_score"] == decimal_of(index)
        # under its own version a response is as it was recorded, odd band and all
        assert row["band"] == (responses[id]["band"] if wanted[id] == to else band(to, row["index_score"]))
        assert row["dimension_scores"] == dimensions
    # both exports name the version, and the recorded scores stay the recorded ones
    recorded = {r["response_id"]: r for r in read(uri, "SELECT * FROM response_scores_as_recorded")}
    assert {id: r["scoring_model_version"] for id, r in recorded.items()} == wanted
    assert all(recorded[id]["index_score"] == r["index_score"] for id, r in responses.items())
    under = {r["response_id"]: r for r in read(uri, f"SELECT * FROM response_scores_under('{to}')")}
    assert set(under) == set(responses)
    assert all(r["scoring_model_version"] == to for r in under.values())
    assert {id for id, r in under.items() if not r["rescored"]} == {id for id, v in wanted.items() if v == to}
    for id in scores.keys() - {id for id, v in wanted.items() if v == to}:
        assert {**scores[id], "rescored": True} == under[id]
    if to != "1.1.0":
        return  # that it finds nothing to do when it is done again is no matter of the version
    third = run_of(migration, ledger, workspace, lambda _: store, "third", params={"rescore_to": to})
    assert walk(third).headline.startswith("Nothing to")


def test_one_version_s_scores_stay_when_another_s_are_written(
    uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace
) -> None:
    for n, to in enumerate(("2.0.0", "1.1.0")):
        walk(run_of(migration, ledger, workspace, lambda _: store, f"r{n}", params={"rescore_to": to}))
    counts = dict(run_sql(uri, "SELECT scoring_model_version, count(*) FROM response_scores GROUP BY 1"))
    assert set(counts) == {"2.0.0", "1.1.0"}
    walk(run_of(migration, ledger, workspace, lambda _: store, "none"))
    assert dict(run_sql(uri, "SELECT scoring_model_version, count(*) FROM response_scores GROUP BY 1")) == counts


def test_a_stored_definition_that_differs_is_an_error_and_nothing_is_written(stamped: Migrated) -> None:
    uri, store, ledger, workspace = stamped.uri, stamped.store, stamped.ledger, stamped.workspace
    run_sql(
        uri,
        "UPDATE scoring_model_versions SET definition = jsonb_set(definition, '{bands,0,minimum}', '70')"
        " WHERE version = '1.1.0'",
        "UPDATE survey_responses SET scoring_model_version = '1.0.0' WHERE scoring_model_version = '1.1.0'",
    )
    before = read(uri, ORIGINAL)
    with pytest.raises(GateError, match="never change"):
        walk(run_of(migration, ledger, workspace, lambda _: store, "second"))
    assert read(uri, ORIGINAL) == before
    assert ("1.1.0", "definition_differs") in findings(workspace, "second")


def test_what_the_first_release_stored_is_a_planned_change(stamped: Migrated) -> None:
    uri, store, ledger, workspace = stamped.uri, stamped.store, stamped.ledger, stamped.workspace
    with psycopg.connect(uri) as connection:
        connection.cursor().executemany(
            "UPDATE scoring_model_versions SET definition = %s, checksum = %s WHERE version = %s",
            [(v.superseded, SUPERSEDED[v.version], v.version) for v in VERSIONS],
        )
    first = run_of(migration, ledger, workspace, lambda _: store, "second")
    assert walk(first).status == "passed"
    phases = {p["phase"]: p for p in first.folder.read_json("report.json")["plan"]["phases"]}
    assert (phases["versions"]["rows"]["change"], phases["stamp"]["rows"]["change"]) == (3, 0)
    stored = run_sql(uri, "SELECT definition::text, checksum FROM scoring_model_versions ORDER BY version")
    assert [(json_value(d), c) for d, c in stored] == [(json_value(v.definition), v.checksum) for v in VERSIONS]
    second = run_of(migration, ledger, workspace, lambda _: store, "third")
    assert walk(second).headline.startswith("Nothing to")


def test_responses_to_come_are_stamped_though_their_application_does_not_know_the_column(stamped: Migrated) -> None:
    uri, store, ledger, workspace = stamped.uri, stamped.store, stamped.ledger, stamped.workspace
    ((opted,),) = run_sql(uri, "SELECT min(id::text) FROM surveys WHERE scoring_config ->> 'model' = '2.0.0'")
    new = {
        "2024-05-31T23:59:59.999999Z": "1.0.0",
        "2024-06-01T00:00:00Z": "1.1.0",
        "2024-12-31T23:59:59.999999Z": "1.1.0",
        "2025-01-01T00:00:00Z": "2.0.0",
    }
    insert = "INSERT INTO survey_responses (id, survey_id, submitted_at) VALUES (gen_random_uuid(), {survey}, {at})"
    given = [insert.format(survey=f"'{opted}'", at=f"'{at}'") for at in new]
    given.append(insert.format(survey="NULL", at="'2026-01-01T00:00:00Z'"))
    stored = [run_sql(uri, f"{one} RETURNING scoring_model_version") for one in given]
    assert [version for ((version,),) in stored] == [*new.values(), "1.1.0"]
    run_sql(uri, "DELETE FROM survey_responses WHERE scoring_model_version IS NULL")
    second = run_of(migration, ledger, workspace, lambda _: store, "second")
    assert walk(second).headline.startswith("Nothing to")
    assert not nullable(uri)
    assert all("target_has_triggers" not in code for _, code in findings(workspace, "second"))
    for at in ("'2023-12-31T23:59:59Z'", "NULL"):
        with pytest.raises(psycopg.errors.NotNullViolation, match="before_first_model"):
            run_sql(uri, insert.format(survey="NULL", at=at))


def test_a_rollback_takes_the_trigger_away(stamped: Migrated) -> None:
    uri, store, ledger, workspace = stamped.uri, stamped.store, stamped.ledger, stamped.workspace
    trigger = "SELECT count(*) FROM pg_trigger WHERE tgname = 'survey_responses_stamp'"
    assert run_sql(uri, trigger) == [(1,)]
    run = run_of(migration, ledger, workspace, lambda _: store, "back")
    back = replace(run, dag_id=f"{migration.id}_rollback", undoes=LAST, options=replace(run.options, partitions=None))
    assert walk(back).status == "passed"
    assert run_sql(uri, trigger) == [(0,)]
    assert set(stamps(uri).values()) == {None}
    run_sql(uri, "INSERT INTO survey_responses (id) VALUES (gen_random_uuid())")


def test_mode_plan_does_not_even_add_the_column(
    uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace
) -> None:
    verdict = walk(run_of(migration, ledger, workspace, lambda _: store, mode=Mode.PLAN))
    assert verdict.headline.startswith("Planned, nothing written")
    columns = run_sql(uri, "SELECT column_name FROM information_schema.columns WHERE table_name = 'survey_responses'")
    assert ("scoring_model_version",) not in columns


def test_windows_by_submitted_at_leave_the_others_unstamped(
    uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace
) -> None:
    responses, wanted, _ = oracle_of(uri)
    bounds = ["2019-01-01T00:00:00+00:00", "2024-06-01T00:00:00+00:00", "2030-01-01T00:00:00+00:00"]
    for n, (start, end) in enumerate(pairwise(bounds)):
        run = run_of(
            migration, ledger, workspace, lambda _: store, f"w{n}", window=Window.parse(start, end), max_reject_share=1
        )
        assert walk(run).status == "passed"
        assert stamps(uri) == {
            id: v if responses[id]["submitted_at"].isoformat() < end else None for id, v in wanted.items()
        }
        assert nullable(uri)


def test_a_row_that_changes_between_plan_and_apply_keeps_its_new_content(
    uri: str, store: PostgresStore, ledger: Ledger, workspace: Workspace
) -> None:
    _, wanted, _ = oracle_of(uri)
    id = next(id for id, v in wanted.items() if v == "1.1.0")

    def meddle(step: Step) -> None:
        if step.id == "apply" and step.phase and step.phase.id == "stamp":
            run_sql(uri, f"UPDATE survey_responses SET band = 'by hand' WHERE id = '{id}'")

    run = run_of(migration, ledger, workspace, lambda _: store, max_left_alone=1)
    verdict = walk(run, seen=meddle)
    assert (verdict.status, verdict.proof) == ("passed", "proven_with_exceptions")
    ((found, version),) = run_sql(uri, f"SELECT band, scoring_model_version FROM survey_responses WHERE id = '{id}'")
    assert (found, version) == ("by hand", None)


def test_the_migration_is_refused_where_a_published_definition_was_edited(monkeypatch: pytest.MonkeyPatch) -> None:
    from include.migrations.scoring_models import versions
    from include.trueup.errors import DeclarationError

    first = versions.VERSIONS[0]
    bands = (replace(first.bands[0], minimum=Decimal(81)), *first.bands[1:])
    monkeypatch.setattr(versions, "VERSIONS", (replace(first, bands=bands), *versions.VERSIONS[1:]))
    with pytest.raises(DeclarationError, match=r"1\.0\.0 is not what PUBLISHED"):
        versions.check()


def test_chains_lead_between_any_two_versions_and_a_missing_step_is_named() -> None:
    from include.migrations.scoring_models.steps import STEPS, chain
    from include.migrations.scoring_models.versions import VERSIONS
    from include.trueup.errors import DeclarationError

    assert [(s.from_version, s.to_version) for s in chain("1.0.0", "2.0.0")] == [("1.0.0", "1.1.0"), ("1.1.0", "2.0.0")]
    assert chain("1.1.0", "1.1.0") == ()
    for one in VERSIONS:
        for other in VERSIONS:
            assert len(chain(one.version, other.version)) <= 2
    with pytest.raises(
        DeclarationError, match=r"from scoring model 1\.0\.0 to 2\.0\.0; from 1\.0\.0 one gets to 1\.0\.0, 1\.1\.0"
    ):
        chain("1.0.0", "2.0.0", [s for s in STEPS if s.to_version != "2.0.0"])
