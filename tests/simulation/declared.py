"""The migration of every history: names in capitals, people without a name rejected. Deployed again it says more."""

from __future__ import annotations

from pathlib import Path

from include.trueup.declare.migration import Migration, Phase, Source, Table, Target, Type
from include.trueup.stores.postgres.catalog import StoredIndex
from tests.small import _suite, _whole

from .history import Setup
from .twins import Database, ForeignKey

COLUMNS = {"id": Type.TEXT, "name": Type.TEXT, "amount": Type.NUMBER}
_SQL = (
    "CREATE OR REPLACE VIEW rows AS SELECT id, upper(name){more} AS name, amount, id AS _source FROM people "
    "WHERE name IS NOT NULL; CREATE OR REPLACE VIEW findings AS SELECT id AS _source, id AS key, "
    "'reject' AS severity, 'no_name' AS code, 'no name' AS message FROM people WHERE name IS NULL"
)
PEOPLE = Table(name="people", connection="s", key=("id",), columns=COLUMNS)
PERSONS = Table(name="persons", connection="t", key=("id",), columns=COLUMNS)
ORDERS = Table(name="orders", connection="t", key=("id",), columns={"id": Type.TEXT, "person": Type.TEXT})
"""An application's, which refers to the target where the setup says so."""


def declare(folder: Path, setup: Setup, version: int) -> Migration:
    """The migration at a version, its script in the folder."""
    script = folder / f"rows{version}.sql"
    if not script.exists():
        script.write_text(_SQL.format(more=" || '!'" if version else ""))
    create = folder / f"create{'-unique' if setup.unique else ''}.sql"
    if not create.exists():
        unique = ", CONSTRAINT persons_name UNIQUE (name)" if setup.unique else ""
        create.write_text(f"CREATE TABLE persons (id text PRIMARY KEY, name text, amount numeric{unique})")
    phase = Phase(
        id="copy", title="Copy", source="people", target="persons", transform=script, suite=_suite, allow_empty=True
    )
    return Migration(
        id="small", title="Small", owner="tests", doc="",
        sources=(Source(id="people", table=PEOPLE, partition_by=("id",)),),
        targets=(Target(id="persons", table=PERSONS, create=create if setup.kind == "postgres" else None),),
        phases=(phase,), suite=_whole,
        settings={state: {"small.read_from": state} for state in ("legacy", "dual", "new")},
    )  # fmt: skip


def dress(database: Database, setup: Setup) -> None:
    """Give the tables that were made in a twin what `create.sql` says beside their columns."""
    held = database.find(PERSONS)
    if held is not None and setup.unique and not any(index.name == "persons_name" for index in held.indexes):
        held.indexes.append(StoredIndex(name="persons_name", primary=False, unique=True, complete=True, key=("name",)))
    if held is not None and setup.referred and not database.foreign_keys:
        database.find(ORDERS) or database.make(ORDERS)
        database.foreign_keys.append(
            ForeignKey(
                name="orders_person", table="public.orders", columns=("person",), to="public.persons", refers_to=("id",),
                on_delete=setup.referred.replace("NO ACTION", ""),
            )
        )  # fmt: skip


def should(row: tuple[object, ...] | None, version: int) -> tuple[object, ...] | None:
    """What the target should hold for a source row, said without the migration."""
    if row is None or row[1] is None or row[-1] is not None:
        return None
    return (row[0], f"{str(row[1]).upper()}{'!' if version else ''}", *row[2:])
