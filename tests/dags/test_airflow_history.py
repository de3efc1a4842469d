"""The machinery for schema changes, pointed at a history that none of us wrote: Airflow's own."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.run.schema_records import Level
from include.trueup.schema import AlembicHistory, describe
from include.trueup.schema.history import History, Revision
from include.trueup.schema.lint import lint
from include.trueup.schema.rehearse import rehearse
from tests.harness import new_database

START, SOUND, BROKEN = "10b52ebd31f7", "1fd565369930", "d75389605139"
"""Airflow 2.8.0; two revisions of 2.9 later; and the one after that."""


@pytest.fixture(scope="module")
def airflow() -> History:
    package = find_spec("airflow")
    assert package is not None
    assert package.origin is not None
    return History(
        AlembicHistory(
            id="airflow",
            connection="airflow",
            script_location=Path(package.origin).parent / "migrations",
            phases={START: 0, SOUND: 1, BROKEN: 2},
        )
    )


@pytest.fixture(scope="module")
def uri(airflow: History, postgres_server: postgres.Server) -> str:
    """A database at phase 0, brought there revision by revision."""
    made = new_database(postgres_server)
    with describe.connected(made, "begin") as connection:
        for step in airflow.steps((), 0):
            airflow.run(connection, step)
        assert airflow.heads(connection) == (START,)
    return made


def steps(airflow: History, phase: int) -> list[Revision]:
    return airflow.steps((START,), phase)


def test_the_lint_finds_what_its_revisions_do(airflow: History) -> None:
    linted = {one.step.revision: one for one in lint(airflow, (START,), steps(airflow, 2))}
    assert [f.level for f in linted[BROKEN].findings if f.rule == "changing-column-type"] == [Level.BREAKING]
    assert "require-concurrent-index-deletion" in {f.rule for f in linted["88344c1d9134"].findings}
    assert not [f for one in linted.values() for f in one.findings if f.level is Level.NOT_LINTED]
    assert "ALTER TABLE log ADD COLUMN run_id" in linted[BROKEN].sql


def test_sound_revisions_pass_their_rehearsal(airflow: History, uri: str) -> None:
    found = rehearse(airflow, uri, steps(airflow, 1), "airflow_clone", 5)
    assert found.problems == ()
    assert found.steps == 2
    assert found.sample_rows > 50
    assert found.touched  # what a backup would take


def test_a_way_down_that_cannot_take_rows_is_found(airflow: History, uri: str) -> None:
    # going down, log.event becomes varchar(30) again, whatever longer events there are by then
    found = rehearse(airflow, uri, steps(airflow, 2), "airflow_clone", 5)
    assert found.steps == 2
    assert len(found.problems) == 1
    assert f"revision {BROKEN} down" in found.problems[0]
    assert "value too long for type character varying(30)" in found.problems[0]
