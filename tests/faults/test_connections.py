"""A connection that leads elsewhere while a run goes on: what lies there is neither read nor proven for the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from psycopg.conninfo import conninfo_to_dict

from include.embedded import postgres
from include.trueup.declare.migration import Migration
from include.trueup.errors import SourceError, StoreUnavailableError
from include.trueup.ledger import Ledger, Status
from include.trueup.run import Mode, Run
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Step
from include.trueup.stores import Fence
from include.trueup.stores.parameters import parameters
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import run_of
from tests.small import CREATE, Database, declare

SOURCE, TARGET = "source", "target"


@pytest.fixture
def here(postgres_server: postgres.Server) -> Database:
    database = Database(postgres_server, 3)
    database.sql(CREATE.format("persons"))
    return database


@pytest.fixture
def elsewhere(postgres_server: postgres.Server) -> Database:
    """Another database, with what the target of the first one should hold, and people of other names."""
    database = Database(postgres_server, 3)
    database.sql(
        CREATE.format("persons"),
        "INSERT INTO persons SELECT id, upper(name), amount, seen_at FROM people",
        "UPDATE people SET name = 'another'",
    )
    return database


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    declared = declare(tmp_path)
    (source,), (target,), (phase,) = declared.sources, declared.targets, declared.phases
    source = replace(source, table=replace(source.table, connection=SOURCE))
    target = replace(target, table=replace(target.table, connection=TARGET))
    return replace(declared, sources=(source,), targets=(target,), phases=(phase,))


@pytest.mark.parametrize(
    ("step", "connection", "mode"),
    [
        ("snapshot", SOURCE, Mode.APPLY),
        ("snapshot", TARGET, Mode.PLAN),
        ("read_back", TARGET, Mode.VERIFY),
        ("verify", TARGET, Mode.VERIFY),  # which reads again what is missing
        ("validate", TARGET, Mode.APPLY),  # which brings sequences behind what was written
    ],
)
def test_nothing_is_proven_by_what_lies_where_a_connection_leads_since(
    step: str,
    connection: str,
    mode: Mode,
    here: Database,
    elsewhere: Database,
    migration: Migration,
    ledger: Ledger,
    workspace: Workspace,
) -> None:
    leads_to = {SOURCE: here.store, TARGET: here.store}

    def redirect(at: Step) -> None:
        if at.id == step:
            leads_to[connection] = elsewhere.store

    def run(number: int) -> Run:
        return run_of(migration, ledger, workspace, lambda name: leads_to[name], f"run-{number}", mode=mode)

    with pytest.raises(
        SourceError, match=rf"connection '{connection}' led to postgres://\S+ .* leads to postgres://.* now"
    ):
        walk(run(1), seen=redirect)
    assert ledger.entered("run-1").status == Status.FAILED
    leads_to[connection] = here.store
    if mode is Mode.APPLY:
        assert walk(run(2)).proof == "proven"
        assert here.persons() == here.should()


def test_a_writer_whose_connection_leads_elsewhere_since_writes_nothing_there(
    here: Database, elsewhere: Database, migration: Migration
) -> None:
    (target,) = migration.targets
    leads_to = [conninfo_to_dict(here.uri)]
    store = PostgresStore(lambda: parameters(leads_to[0]), patience=0.0)
    rows = next(iter(elsewhere.store.read(target.table, 0, 1)))
    elsewhere.sql("DELETE FROM persons")
    fence = Fence(check=lambda: None, confirm=lambda _: None, epochs={"t": 1}, part="apply 0", tries=1, lasts=60)
    with fence.active():
        leads_to[0] = conninfo_to_dict(elsewhere.uri)
        with pytest.raises(StoreUnavailableError, match=r"leads to .* since this task began to write"):
            store.add(target.table, pa.Table.from_batches([rows]))
    assert elsewhere.persons() == here.persons() == {}
    assert len(next(iter(store.read(migration.sources[0].table, 0, 1)))) == 3  # who does not write goes where it leads
