"""The ledger's revisions make the tables that the code declares, and go down and up again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from include.trueup import ledger
from include.trueup.ledger import Ledger, Status
from include.trueup.ledger.tables import SCHEMA, metadata
from include.trueup.stores import Conflict, Outcome, Refused

VERSIONS = {"version_table": "ledger_version", "version_table_schema": SCHEMA}


@pytest.fixture
def connection(ledger_uri: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(sa.make_url(ledger_uri).set(drivername="postgresql+psycopg"))
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def differences(connection: sa.Connection) -> list[Any]:
    only = {"include_schemas": True, "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA}
    context = MigrationContext.configure(connection, opts={**VERSIONS, **only, "compare_type": True})
    return list(compare_metadata(context, metadata))


def configured(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(ledger.__file__).parent / "alembic"))
    config.attributes["connection"] = connection
    return config


def test_the_revisions_make_what_is_declared_down_and_up_again(connection: sa.Connection) -> None:
    assert differences(connection) == []
    config = configured(connection)
    command.downgrade(config, "base")
    assert sa.inspect(connection).get_table_names(schema=SCHEMA) == ["ledger_version"]
    command.upgrade(config, "head")
    assert differences(connection) == []


def _lived_in(made: Ledger) -> None:
    """Two runs: `a` has begun twice, and has been approved twice; `b` took its target over and holds it."""
    for sha256 in ("1" * 64, "2" * 64):
        made.begin("a", migration_id="m", dag_id="m", triggered_by=None, options={}, airflow_run_id="audit:1")
        made.leases.take("a", ["t"])
        made.planned("a", sha256, "f" * 64)
        made.approvals.decide("a", sha256, "approved", by="ada")
        with made.step("a", "apply/copy", "0"):
            pass
        alone, refused = Conflict(key="k", reason="changed", found="{}"), Refused(key="r", reason="too long")
        made.wrote("a", "copy", 0, 0, 3, Outcome(written=1, conflicts=[alone], refused=[refused]))
    made.move("a", Status.FAILED, "as asked")
    made.leases.release("a")
    made.begin("b", migration_id="m", dag_id="m", triggered_by=None, options={})
    made.leases.take("b", ["t"], "elsewhere/1/1.00")


def rows(connection: sa.Connection, table: str, columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(sa.text(f"SELECT {columns} FROM trueup.{table} ORDER BY 1, 2, 3"))]


@pytest.mark.parametrize("down", ["0004", "0003", "0002"])
def test_a_ledger_with_rows_goes_down_and_up_again(ledger_uri: str, down: str) -> None:
    made = Ledger(ledger_uri)
    _lived_in(made)
    with made._begin() as connection:
        command.downgrade(configured(connection), down)
        # what the version below has a place for is of the last plan of a run
        assert rows(connection, "holds", "target, run_id, holder") == [("t", "b", "elsewhere/1/1.00")]
        last = down != "0004"
        assert len(rows(connection, "batches", "run_id, phase, batch")) == (1 if last else 2)
        assert len(rows(connection, "approvals", "run_id, plan_sha256, decision")) == (1 if last else 2)
        command.upgrade(configured(connection), "head")
        assert differences(connection) == []
        assert [row[:2] for row in rows(connection, "leases", "target, run_id, ended_at")] == [("t", "b")]
    assert [r.status for r in made.runs("m")] == ["running", "failed"]
    assert made.written("a", "copy", 0) == {0}
    assert (found := made.approvals.of("a")) is not None
    assert found.plan_sha256 == "2" * 64
    assert made.entered("a").airflow_run_id == ("audit:1" if down == "0004" else None)
    made.leases.take("b", ["t", "u"])
    made.close()
