"""The sample: both databases at phase 0, with users, projects and specifications. A database that has them already is
left at the phase it is at; rows that are there already are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

from include.trueup.declare.migration import Table, Type

from .migration import migration

if TYPE_CHECKING:
    from include.trueup.stores.postgres import PostgresStore

SEED = 20251120
USERS, PROJECTS, SPECIFICATIONS = 200, 500, 3_000
_FIRST = ("users", "projects")
_CATEGORIES = ("goals", "requirements", "tech_stack", "team", "constraints")
_WORDS = ("the", "page", "must", "answer", "within", "50 %", "of users'", "“quotes”", "\\backslashes\\", "or", "日本語")


def fill(resolve: Callable[[str], PostgresStore]) -> dict[str, int]:
    """Bring both databases to phase 0 and fill in the rows; rows by table."""
    from include.trueup.schema.history import History

    for declared, first in zip(migration.histories, _FIRST, strict=True):
        store = resolve(declared.connection)
        looked_for = Table(name=first, connection=declared.connection, key=("id",), columns={"id": Type.TEXT})
        if store.describe(looked_for) is None:
            history = History(declared)
            store.script("\n".join(_alone(history.sql(step, ())) for step in history.steps((), 0)))
    counts: dict[str, int] = {}
    for connection, table, columns, rows in _tables():
        values = list(rows)
        for start in range(0, len(values), 500):
            listed = ", ".join(f"({', '.join(map(_literal, row))})" for row in values[start : start + 500])
            resolve(connection).script(f"INSERT INTO {table} ({columns}) VALUES {listed} ON CONFLICT DO NOTHING")
        counts[table] = len(values)
    return counts


def _alone(sql: str) -> str:
    """The script without its own BEGIN and COMMIT: the store runs it in one transaction."""
    return "\n".join(line for line in sql.splitlines() if line not in ("BEGIN;", "COMMIT;"))


def _tables() -> Iterator[tuple[str, str, str, Iterator[tuple[str | None, ...]]]]:
    auth, specs = (history.connection for history in migration.histories)
    random = Random(SEED)
    yield auth, "users", "id, email, full_name, created_at", _users()
    yield specs, "projects", "id, user_id, name, description, created_at", _projects(random)
    yield specs, "specifications", "id, project_id, category, content, confidence, created_at", _specifications(random)


def _users() -> Iterator[tuple[str | None, ...]]:
    for n in range(USERS):
        name = None if n % 17 == 0 else f"Søren O'Brien {n}"
        yield str(_id("users", n)), f"user{n}@example.com", name, _day(n)


def _projects(random: Random) -> Iterator[tuple[str | None, ...]]:
    for n in range(PROJECTS):
        owner = _id("users", random.randrange(USERS))
        yield str(_id("projects", n)), str(owner), f"Project {n}", None if n % 5 else _text(random), _day(n)


def _specifications(random: Random) -> Iterator[tuple[str | None, ...]]:
    for n in range(SPECIFICATIONS):
        project = _id("projects", random.randrange(PROJECTS))
        confidence = None if n % 7 == 0 else f"0.{random.randrange(10**20):020}"
        yield (
            str(_id("specifications", n)),
            str(project),
            random.choice(_CATEGORIES),
            _text(random),
            confidence,
            _day(n),
        )


def _id(table: str, n: int) -> UUID:
    return uuid5(NAMESPACE_URL, f"platform_schema/{table}/{n}")


def _day(n: int) -> str:
    return f"2025-{n % 12 + 1:02}-{n % 28 + 1:02}T08:{n % 60:02}:00.{n % 1_000_000:06}+00:00"


def _text(random: Random) -> str:
    return " ".join(random.choices(_WORDS, k=random.randint(3, 30)))


def _literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
