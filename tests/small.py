"""A migration small enough to be run many times in a test: people into persons, in PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.embedded import postgres
from include.trueup.declare.migration import Migration, Phase, Source, Table, Target, Type
from include.trueup.stores.postgres import PostgresStore
from tests.harness import new_database, run_sql

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

COLUMNS = {"id": Type.TEXT, "name": Type.TEXT, "amount": Type.NUMBER, "seen_at": Type.TIMESTAMP}
CREATE = "CREATE TABLE {} (id text PRIMARY KEY, name text, amount numeric, seen_at timestamptz)"
ROWS = "SELECT id, name, amount, seen_at FROM {} ORDER BY id"


def _suite() -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToNotBeNull(column="_key")]


def _whole() -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToBeInSet(column="unaccounted", value_set=[0])]


def declare(folder: Path) -> Migration:
    """The migration, its scripts in the folder: names in capitals; people without a name are rejected."""
    (folder / "rows.sql").write_text(
        "CREATE OR REPLACE VIEW rows AS SELECT id, upper(name) AS name, amount, seen_at, id AS _source FROM people "
        "WHERE name IS NOT NULL; CREATE OR REPLACE VIEW findings AS SELECT id AS _source, id AS key, "
        "'reject' AS severity, 'no_name' AS code, 'no name' AS message FROM people WHERE name IS NULL"
    )
    (folder / "create.sql").write_text(CREATE.format("persons"))
    people = Table(name="people", connection="c", key=("id",), columns=COLUMNS)
    persons = Table(name="persons", connection="c", key=("id",), columns=COLUMNS)
    phase = Phase(
        id="copy", title="Copy", source="people", target="persons", transform=folder / "rows.sql", suite=_suite,
        allow_empty=True,
    )  # fmt: skip
    return Migration(
        id="small", title="Small", owner="tests", doc="",
        sources=(Source(id="people", table=people, partition_by=("id",), window="seen_at"),),
        targets=(Target(id="persons", table=persons, create=folder / "create.sql"),), phases=(phase,), suite=_whole,
        settings={state: {"small.read_from": state} for state in ("legacy", "dual", "new")},
    )  # fmt: skip


def declare_in_place(folder: Path) -> Migration:
    """A migration that owns one column of people: the amount is the name's length."""
    (folder / "lengths.sql").write_text(
        "CREATE OR REPLACE VIEW rows AS SELECT id, length(name)::VARCHAR AS amount, id AS _source FROM people; "
        "CREATE OR REPLACE VIEW findings AS SELECT NULL AS _source, NULL AS key, '' AS severity, '' AS code, "
        "'' AS message WHERE false"
    )
    people = Table(name="people", connection="c", key=("id",), columns=COLUMNS)
    phase = Phase(
        id="count", title="Count", source="people", target="counted", transform=folder / "lengths.sql", suite=_suite
    )
    return Migration(
        id="in_place", title="In place", owner="tests", doc="",
        sources=(Source(id="people", table=people, partition_by=("id",)),),
        targets=(Target(id="counted", table=people, owned=("amount",)),), phases=(phase,), suite=_whole,
    )  # fmt: skip


class Database:
    """A database with people in it: p00 … p<n-1>."""

    def __init__(self, server: postgres.Server, people: int) -> None:
        self.uri = new_database(server)
        self.store = PostgresStore(self.uri)
        self.sql(CREATE.format("people"))
        self.sql(
            "INSERT INTO people SELECT 'p' || lpad(n::text, 2, '0'), 'name ' || n, n, "
            f"timestamptz '2025-01-01 00:00Z' + n * interval '1 day' FROM generate_series(0, {people - 1}) n"
        )

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements; the rows of the last one."""
        return run_sql(self.uri, *statements)

    def persons(self) -> dict[str, tuple[Any, ...]]:
        """The target, by id."""
        return {row[0]: row[1:] for row in self.sql(ROWS.format("persons"))}

    def should(self) -> dict[str, tuple[Any, ...]]:
        """What the target should hold, said without the migration."""
        rows = self.sql(ROWS.format("people"))
        return {id: (name.upper(), amount, at) for id, name, amount, at in rows if name is not None}
