"""The twins carry a migration, as the real stores do, and lie as they are asked to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.trueup.declare.migration import Table, Type
from include.trueup.errors import StoreUnavailableError
from include.trueup.ledger import Ledger
from include.trueup.run import LAST
from include.trueup.run.workspace import Workspace
from include.trueup.stores import Fence, arrow_schema
from include.trueup.walk import walk
from tests.copying import declare_copy
from tests.harness import run_of
from tests.simulation.twins import DOCUMENTS, POSTGRES, Effect, Foreign, MemoryStore, Server
from tests.simulation.twins.looking import Kind

TABLE = Table(name="t", connection="c", key=("id",), columns={"id": Type.TEXT, "name": Type.TEXT})


def rows(*ids: str, name: str = "new") -> pa.Table:
    return pa.Table.from_pylist([{"id": id, "name": name} for id in ids], schema=arrow_schema(TABLE))


def fence(epoch: int, tries: int = 1) -> Fence:
    return Fence(check=lambda: None, epochs={"t": epoch}, part="apply 0", tries=tries, lasts=60)


@pytest.mark.parametrize("kind", [POSTGRES, DOCUMENTS], ids=lambda kind: kind.name)
def test_a_migration_goes_there_and_back(kind: Kind, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> None:
    columns = {"id": Type.TEXT, "name": Type.TEXT, "amount": Type.NUMBER}
    server, migration = Server("shop"), declare_copy(tmp_path, columns)
    effects: list[Effect] = []
    store = MemoryStore(server, kind, effects.append)
    old = server.make(migration.sources[0].table)
    old.put({"id": f"p{n}", "name": f"name {n}", "amount": f"{n}.50"} for n in range(5))

    def run(id: str, undoes: str | None = None) -> None:
        made = run_of(migration, ledger, workspace, lambda _: store, id)
        back = replace(made.options, partitions=None)
        walk(made if undoes is None else replace(made, dag_id="copying_rollback", undoes=undoes, options=back))

    run("one")
    assert server.tables["new"].rows == old.rows
    assert str(ledger.entered("one").status) == "proven"
    wrote = ("put" if kind is DOCUMENTS else "add", "before")
    assert {(e.kind, e.when) for e in effects if e.target == "new"} >= {wrote, ("read", "after")}
    run("back", LAST)
    assert not server.tables["new"].rows
    assert str(ledger.entered("one").status) == "rolled_back"


def test_of_a_batch_of_rows_all_or_none_is_written_and_of_documents_each_by_itself() -> None:
    for kind, written in ((POSTGRES, 0), (DOCUMENTS, 2)):
        server = Server("s")
        server.make(TABLE)

        def gone(effect: Effect) -> None:
            if effect.when == "before" and "c" in effect.keys:
                raise StoreUnavailableError("gone")

        with pytest.raises(StoreUnavailableError):
            MemoryStore(server, kind, gone).add(TABLE, rows("a", "b", "c", "d"))
        assert len(server.tables["t"].rows) == written


def test_an_answer_that_is_lost_is_no_lost_write() -> None:
    server = Server("s")
    server.make(TABLE)

    def lost(effect: Effect) -> None:
        if effect.when == "after":
            raise StoreUnavailableError("no answer")

    with pytest.raises(StoreUnavailableError):
        MemoryStore(server, POSTGRES, lost).add(TABLE, rows("a"))
    assert MemoryStore(server).add(TABLE, rows("a")).written == 1


@pytest.mark.parametrize(("kind", "landed"), [(POSTGRES, False), (DOCUMENTS, True)], ids=["rows", "documents"])
def test_what_a_newer_lease_has_ended_is_not_committed(kind: Kind, landed: bool) -> None:
    server = Server("s")
    server.make(TABLE)
    newer = MemoryStore(server, kind)

    def late(effect: Effect) -> None:
        if effect.when == "before":
            newer.end_older(fence(2))

    with fence(1).active():
        store = MemoryStore(server, kind, late)
        if landed:
            assert store.add(TABLE, rows("a")).written == 1
        else:
            with pytest.raises(StoreUnavailableError, match="terminating"):
                store.add(TABLE, rows("a"))
    assert bool(server.tables["t"].rows) is landed


def test_a_table_does_by_itself_what_it_was_given() -> None:
    server = Server("s")
    held, other = server.make(TABLE), server.make(replace(TABLE, name="other"))
    held.unique["t_name"] = ("name",)
    other.foreign.append(Foreign(name="refers", columns=("name",), to="t", refers_to=("id",)))
    store = MemoryStore(server)
    outcome = store.add(TABLE, rows("a", "b"))
    assert (outcome.written, [r.constraint for r in outcome.refused]) == (1, ["t_name"])
    other.put([{"id": "x", "name": "a"}])
    assert "refer to it" in store.stuck(TABLE, rows("a"))["a"]
    assert store.remove(TABLE, rows("a")).refused

    def upper(_: Server, __: object, row: dict[str, Any] | None) -> dict[str, Any] | None:
        return row and {**row, "name": str(row["name"]).upper()}

    held.triggers["upper"] = upper
    assert store.add(TABLE, rows("c", name="low")).written == 1
    assert store.get(TABLE, rows("c").select(["id"])).to_pylist()[0]["name"] == "LOW"
    held.hidden = lambda row: row["id"] == "c"
    assert {row["id"] for batch in store.read(TABLE, 0, 1) for row in batch.to_pylist()} == {"a"}
    found = store.describe(TABLE)
    assert found is not None
    assert found.obstacles
    assert found.references[0].constraint == "refers"


def test_what_is_read_in_one_block_is_of_one_moment() -> None:
    server = Server("s")
    held = server.make(TABLE)
    held.put([{"id": "a", "name": "x"}])
    with MemoryStore(server).reading() as one:
        held.put([{"id": "b", "name": "y"}])
        assert sum(batch.num_rows for batch in one.read(TABLE, 0, 1)) == 1
    with MemoryStore(server, DOCUMENTS).reading() as all_that_comes:
        held.put([{"id": "c", "name": "z"}])
        assert sum(batch.num_rows for batch in all_that_comes.read(TABLE, 0, 1)) == 3
