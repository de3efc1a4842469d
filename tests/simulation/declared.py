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
NARROW = {"name": "character varying(7)", "amount": "numeric(3,0)"}
"""What the target's columns are where the source has what they do not hold; there `amount` may not be null, too."""
MOST_DIGITS = 38
"""Of a number in DynamoDB."""
ORDERS = Table(name="orders", connection="t", key=("id",), columns={"id": Type.TEXT, "person": Type.TEXT})
"""An application's, which refers to the target where the setup says so."""


def declare(folder: Path, setup: Setup, version: int) -> Migration:
    """The migration at a version, its script in the folder."""
    script = folder / f"rows{version}.sql"
    if not script.exists():
        script.write_text(_SQL.format(more=" || '!'" if version else ""))
    create = folder / f"create{'-unique' if setup.unique else ''}{'-narrow' if setup.unfit else ''}.sql"
    if not create.exists():
        create.write_text(create_sql(setup))
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


def create_sql(setup: Setup) -> str:
    """The script that makes the target in PostgreSQL."""
    columns = {"name": "text", "amount": "numeric"} | (NARROW if setup.unfit else {})
    required = " NOT NULL" if setup.unfit else ""
    unique = ", CONSTRAINT persons_name UNIQUE (name)" if setup.unique else ""
    return f"CREATE TABLE persons (id text PRIMARY KEY, name {columns['name']}, amount {columns['amount']}{required}{unique})"


def dress(database: Database, setup: Setup) -> None:
    """Give the tables that were made in a twin what `create.sql` says beside their columns."""
    held = database.find(PERSONS)
    if held is not None and setup.unique and not any(index.name == "persons_name" for index in held.indexes):
        held.indexes.append(StoredIndex(name="persons_name", primary=False, unique=True, complete=True, key=("name",)))
    if held is not None and setup.unfit:
        held.exact, held.not_null = NARROW, held.not_null | {"amount"}
    if held is not None and setup.referred and not database.foreign_keys:
        database.find(ORDERS) or database.make(ORDERS)
        database.foreign_keys.append(
            ForeignKey(
                name="orders_person", table="public.orders", columns=("person",), to="public.persons", refers_to=("id",),
                on_delete=setup.referred.replace("NO ACTION", ""),
            )
        )  # fmt: skip


def should(row: tuple[object, ...] | None, version: int, setup: Setup) -> tuple[object, ...] | None:
    """What the target should hold for a source row, said without the migration."""
    if row is None or rejected(row, version, setup):
        return None
    return (row[0], _name(row, version), *row[2:])


def rejected(row: tuple[object, ...], version: int, setup: Setup) -> str:
    """The code of the finding by which a source row is rejected, said without the migration; empty: it is not."""
    if row[1] is None:
        return "no_name"
    if row[-1] is not None:
        return "unread_value"
    return "" if not setup.unfit or _held(_name(row, version), row[2], setup.kind) else "unwritable"


def _name(row: tuple[object, ...], version: int) -> str:
    return f"{str(row[1]).upper()}{'!' if version else ''}"


def _held(name: str, amount: object, kind: str) -> bool:
    """Whether a row has room in the target."""
    if kind == "postgres":
        return len(name) <= 7 and amount is not None and len(str(amount)) <= 3
    return amount is None or len(str(amount)) <= MOST_DIGITS
