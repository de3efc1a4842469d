"""What a store raises while DuckDB pulls its rows keeps its class and its advice; so does what DuckDB cannot hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Table
from include.trueup.errors import (
    ArtifactError,
    MemoryLimitError,
    StoreRejectedError,
    StoreUnavailableError,
    TrueupError,
)
from include.trueup.ledger import Ledger
from include.trueup.plan import making
from include.trueup.rows import duck
from include.trueup.run import run_folder
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Step
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import run_of
from tests.small import Database, declare


@pytest.mark.parametrize("kind", [StoreUnavailableError, StoreRejectedError])
def test_an_error_in_a_stream_of_rows_keeps_its_class(
    postgres_server: postgres.Server,
    ledger: Ledger,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[TrueupError],
) -> None:
    database = Database(postgres_server, 3)
    read = PostgresStore.read

    def failing(store: PostgresStore, table: Table, segment: int, segments: int) -> Iterator[pa.RecordBatch]:
        yield from read(store, table, segment, segments)
        raise kind("the database went away in the middle. Ask it again.")

    monkeypatch.setattr(PostgresStore, "read", failing)
    run = run_of(declare(tmp_path), ledger, workspace, lambda _: database.store)
    with pytest.raises(kind, match="went away in the middle"):
        walk(run)
    (step,) = [s for s in ledger.steps(run.id) if s.step == "snapshot"]
    assert step.error_class == kind.__name__
    assert step.error == "the database went away in the middle. Ask it again."
    verdict = run.folder.read_json("report.json")["verdict"]
    assert "Read the task's log" not in verdict["next"]


def test_what_needs_too_much_memory_names_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(duck.MEMORY, "10MB")
    with pytest.raises(MemoryLimitError, match="TRUEUP_DUCKDB_MEMORY"), duck.connect(tmp_path) as connection:
        connection.execute("SELECT list(i) FROM range(5000000) t(i)").fetchall()


def test_a_file_that_goes_while_a_script_reads_it_is_no_fault_of_the_script(
    postgres_server: postgres.Server,
    ledger: Ledger,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = Database(postgres_server, 3)
    run = run_of(declare(tmp_path), ledger, workspace, lambda _: database.store)
    settings = making._settings

    def prune(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
        run.folder.remove("snapshot")
        return settings(connection)

    monkeypatch.setattr(making, "_settings", prune)
    with pytest.raises(ArtifactError, match=r"snapshot/.*parquet.*Bring it back"):
        walk(run)


@pytest.mark.parametrize(("of", "name"), [(duck, "relation"), (run_folder, "sha256_of")], ids=["columns", "hash"])
def test_a_file_that_goes_before_its_columns_or_its_hash_are_looked_at(
    postgres_server: postgres.Server,
    ledger: Ledger,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    of: Any,
    name: str,
) -> None:
    database = Database(postgres_server, 3)
    run = run_of(declare(tmp_path), ledger, workspace, lambda _: database.store)
    real = getattr(of, name)

    def prune(*given: Any) -> Any:
        if "/plan/" in str(given):
            run.folder.remove("plan")
        return real(*given)

    monkeypatch.setattr(of, name, prune)
    with pytest.raises(ArtifactError, match=r"plan/.*parquet"):
        walk(run)


@pytest.mark.parametrize("where", ["snapshot", "transform"])
def test_what_needs_too_much_memory_names_the_row(
    postgres_server: postgres.Server,
    ledger: Ledger,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    database = Database(postgres_server, 3)
    database.sql("UPDATE people SET name = repeat(id, 4000000) WHERE id <> 'p00'")
    run = run_of(declare(tmp_path), ledger, workspace, lambda _: database.store)

    def short_of_memory(step: Step) -> None:
        if step.id == where:
            monkeypatch.setenv(duck.MEMORY, "25MB")

    if where == "snapshot":
        monkeypatch.setenv(duck.MEMORY, "25MB")
    said = "The largest value, of 12,000,000 bytes, is in column 'name' of row p01 of people; 2 values have more than 4 MiB."
    with pytest.raises(MemoryLimitError, match=f"TRUEUP_DUCKDB_MEMORY.*{said}"):
        walk(run, seen=short_of_memory)
    verdict = run.folder.read_json("report.json")["verdict"]
    assert said in verdict["headline"]


def test_an_error_of_duckdb_alone_stays_its_own() -> None:
    with pytest.raises(duckdb.ParserException), duck.own_errors():
        duckdb.sql("SELECT FROM")
