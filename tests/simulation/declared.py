"""The migration of every history: names in capitals, people without a name rejected. Deployed again it says more."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.trueup.declare.migration import Migration, Phase, Source, Table, Target, Type
from include.trueup.run import Window
from include.trueup.stores.postgres.catalog import StoredIndex
from tests.small import _suite, _whole

from . import second
from .history import Setup
from .scripts import BENDS as BENDS
from .scripts import LABELS_SQL, NARROW, TOUCHED, create_sql
from .twins import Counter, Database, Does, Firing, ForeignKey, RowRefusedError
from .twins.rows import Row
from .twins.tables import too_long

COLUMNS = {"id": Type.TEXT, "name": Type.TEXT, "amount": Type.NUMBER}
_SQL = (
    "CREATE OR REPLACE VIEW rows AS SELECT id, upper(name){more} AS name, amount, id AS _source FROM people "
    "WHERE name IS NOT NULL; CREATE OR REPLACE VIEW findings AS SELECT id AS _source, id AS key, "
    "'reject' AS severity, 'no_name' AS code, 'no name' AS message FROM people WHERE name IS NULL"
)
PEOPLE = Table(name="people", connection="s", key=("id",), columns=COLUMNS)
PERSONS = Table(name="persons", connection="t", key=("id",), columns=COLUMNS)
LABELS = Table(name=second.TABLE, connection="t", key=("id",), columns=COLUMNS)
_LABELS_SQL = (
    "CREATE OR REPLACE VIEW rows AS SELECT 'q' || substr(id, 2) AS id, 'of ' || name AS name, "
    "length(name)::VARCHAR AS amount, id AS _source FROM persons WHERE id IN (SELECT id FROM people); "
    "CREATE OR REPLACE VIEW findings AS SELECT id AS _source, id AS key, 'keep' AS severity, 'no_person' AS code, "
    "coalesce(_mistyped, '') AS message FROM people WHERE id NOT IN (SELECT id FROM persons)"
)
MOST_DIGITS = 38
"""Of a number in DynamoDB."""
ORDERS = Table(name="orders", connection="t", key=("id",), columns={"id": Type.TEXT, "person": Type.TEXT})
"""An application's, which refers to the target where the setup says so."""


def declare(folder: Path, setup: Setup, version: int) -> Migration:
    """The migration at a version, its script in the folder."""
    script = folder / f"rows{version}.sql"
    if not script.exists():
        script.write_text(_SQL.format(more=" || '!'" if version else ""))
    said = [word for word in ("unique", "unfit", "numbered") if getattr(setup, word)]
    said += [word.replace(" ", "-") for word in (setup.trigger, setup.referred) if word]
    create = folder / f"{'-'.join(['create', *said])}.sql"
    if not create.exists():
        create.write_text(create_sql(setup))
    phase = Phase(
        id="copy", title="Copy", source="people", target="persons", transform=script, suite=_suite, allow_empty=True
    )
    targets = [Target(id="persons", table=PERSONS, create=create if setup.kind == "postgres" else None)]
    phases = [phase]
    if setup.second:
        targets.append(_labels(folder, setup))
        phases.append(_label(folder))
    return Migration(
        id="small", title="Small", owner="tests", doc="",
        sources=(Source(id="people", table=PEOPLE, partition_by=("id",), window="name" if setup.windows else None),),
        targets=tuple(targets), phases=tuple(phases), suite=_whole,
        settings={state: {"small.read_from": state} for state in ("legacy", "dual", "new")},
    )  # fmt: skip


def _labels(folder: Path, setup: Setup) -> Target:
    create = folder / "create-labels.sql"
    if not create.exists():
        create.write_text(LABELS_SQL)
    return Target(id=second.TABLE, table=LABELS, create=create if setup.kind == "postgres" else None)


def _label(folder: Path) -> Phase:
    script = folder / "labels.sql"
    if not script.exists():
        script.write_text(_LABELS_SQL)
    more: dict[str, Any] = {"suite": _suite, "allow_empty": True}
    return Phase(id=second.PHASE, title="Label", source="people", target=second.TABLE, transform=script, **more)


def _alters(firing: Firing) -> Row | None:
    new = firing.new
    if new is None or not _met(new, 4):
        return new
    name = f"{new['name']!s}?"
    if said := too_long(firing.held.exact.get("name", ""), name):
        raise RowRefusedError(said, f"trigger {BENDS}")
    return {**new, "name": name}


def _touches(firing: Firing) -> Row | None:
    held, new = firing.held, firing.new
    if new is not None and _met(new, 3) and new["id"] != TOUCHED:
        firing.transaction.update(held, (TOUCHED,), {"name": "TOUCHED"})
    return new


def _drops(firing: Firing) -> Row | None:
    return None if firing.new is not None and _met(firing.new, 4) else firing.new


def _met(row: Row, number: int) -> bool:
    return row["amount"] is not None and str(row["amount"]).isdecimal() and int(str(row["amount"])) % number == 0


FAULTS = ("are not as they were written", "planned rows of persons were refused")
"""What a proof says that found rows otherwise than planned, or missing, because of the target's trigger."""
TRIGGERS = {
    "alters": Does(name=BENDS, events=("INSERT", "UPDATE"), act=_alters),
    "touches": Does(name=BENDS, events=("INSERT", "UPDATE"), act=_touches, before=False),
    "drops": Does(name=BENDS, events=("INSERT",), act=_drops),
}
"""What a trigger of the target does, to rows of certain amounts."""


def by_trigger(setup: Setup, planned: tuple[object, ...] | None, got: tuple[object, ...] | None) -> bool:
    """Whether it is the trigger that made this of what was to be written."""
    if setup.trigger == "touches":
        return got is not None and got[:2] == (TOUCHED, "TOUCHED")
    return setup.trigger == "alters" and planned is not None and got == (planned[0], f"{planned[1]}?", *planned[2:])


def dress(database: Database, setup: Setup) -> None:
    """Give the tables that were made in a twin what `create.sql` says beside their columns."""
    held = database.find(PERSONS)
    if held is not None and setup.unique and not any(index.name == "persons_name" for index in held.indexes):
        held.indexes.append(StoredIndex(name="persons_name", primary=False, unique=True, complete=True, key=("name",)))
    if held is not None and setup.unfit:
        held.exact, held.not_null = NARROW, held.not_null | {"amount"}
    if held is not None and setup.numbered and not held.counters:
        held.exact, held.not_null = {"amount": "bigint"}, held.not_null | {"amount"}
        held.counters.append(Counter(column="amount"))
    if held is not None and setup.trigger and not held.triggers:
        held.triggers.append(TRIGGERS[setup.trigger])
    if held is not None and setup.referred and not database.foreign_keys:
        database.find(ORDERS) or database.make(ORDERS)
        database.foreign_keys.append(
            ForeignKey(
                name="orders_person", table="public.orders", columns=("person",), to="public.persons", refers_to=("id",),
                on_delete=setup.referred.replace("NO ACTION", ""),
            )
        )  # fmt: skip


DAYS = (1, 2, 3)


def name(setup: Setup, n: int) -> str:
    """The name of that number: where rows lie in windows an instant, the first of a day among them."""
    return f"2025-01-0{n % 3 + 1}T00:00:{n // 3 % 60:02}Z" if setup.windows else f"name {n}"


def day(row: tuple[object, ...] | None) -> int | None:
    """The day in whose window a row of the source lies; None: in none."""
    return None if row is None or row[1] is None else int(str(row[1])[8:10])


def window(day: int) -> Window:
    """The window of a day."""
    return Window(start=datetime(2025, 1, day, tzinfo=UTC), end=datetime(2025, 1, day + 1, tzinfo=UTC))


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
