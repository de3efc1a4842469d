"""What a table does by itself when rows are written to it, and what stands in the way of writing them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from .. import Reference
from .session import Session
from .stamps import stamped

QUERY = (Path(__file__).parent / "effects.sql").read_text()
"""Gives what `Effects` is made of; $1 is the table's oid."""
INSERT, UPDATE, DELETE = "INSERT", "UPDATE", "DELETE"
_TAKES_ALONG = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_EMPTIES = {"n": "SET NULL", "d": "SET DEFAULT"}
_FUNCTION = "function "
_RULES = {"2": UPDATE, "3": INSERT, "4": DELETE}


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """A trigger that is enabled: when it fires, and the function that it calls. `rows`: once for each row; `always`: whatever
    a row has, whichever columns are written, and in every partition; `language` and `source` are the function's."""

    name: str
    function: str
    before: bool
    rows: bool
    on_insert: bool
    on_update: bool
    on_delete: bool
    always: bool = False
    language: str = ""
    source: str = ""

    @property
    def events(self) -> tuple[str, ...]:
        """What it fires on."""
        fires = ((self.on_insert, INSERT), (self.on_update, UPDATE), (self.on_delete, DELETE))
        return tuple(event for on, event in fires if on)

    def __str__(self) -> str:
        return f"trigger {self.name} ({'BEFORE' if self.before else 'AFTER'} {' OR '.join(self.events)})"


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """A sequence that gives a column its values, by its name as SQL. `may`: whether our role may set it."""

    column: str
    name: str
    may: bool


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What a table does by itself."""

    triggers: tuple[Trigger, ...]
    rules: tuple[tuple[str, str], ...]
    """Name and event of each."""
    references: tuple[Reference, ...] = ()
    deferrable_key: str | None = None
    temporal_key: str | None = None
    """The primary key that is WITHOUT OVERLAPS."""
    unlogged: bool = False
    """Whether a crash of the server empties it, or a partition of it."""
    sequences: tuple[Sequence, ...] = ()
    may: Mapping[str, bool] = field(default_factory=dict)
    """Which rights our role has: SELECT, INSERT, UPDATE, DELETE on the table, TEMP on the database."""
    database: str = ""
    read_only: str | None = None
    """By what `default_transaction_read_only` is on (`pg_settings.source`); None where it is off."""
    replica: bool = False
    """Whether our session's `session_replication_role` is replica, so that ordinary triggers do not fire."""

    @property
    def stamps(self) -> dict[str, Trigger]:
        """The columns that a trigger is sure to change in each row that is updated: the last before it is written, of which no other
        can take anything back."""
        changing = [each for each in self.triggers if each.before and each.rows and each.on_update]
        last = max(changing, key=lambda each: each.name, default=None)
        if last is None or not last.always or self.replica:
            return {}
        return dict.fromkeys(stamped(last.language, last.source), last)

    def droppers(self, event: str) -> str | None:
        """What may have made a row of the event disappear without an error, by name; None if there is nothing."""
        return ", ".join(self._droppers(event)) or None

    def _droppers(self, event: str) -> Iterator[str]:
        for trigger in self.triggers:
            if trigger.before and trigger.rows and event in trigger.events:
                yield f"trigger {trigger.name}"
        for name, fires in self.rules:
            if fires == event:
                yield f"rule {name}"

    def named(self, name: str | None) -> str | None:
        """The name of what refused a row; of a trigger's function, the trigger's name."""
        if name is None or not name.startswith(_FUNCTION):
            return name
        function = name.removeprefix(_FUNCTION).rpartition(".")[2]
        return next((f"trigger {trigger.name}" for trigger in self.triggers if trigger.function == function), name)


def effects_of(session: Session, oid: int) -> Effects:
    """What the table of this oid does by itself."""
    entry = json.loads(session.fetch(QUERY, pa.record_batch({"oid": [oid]}))["effects"][0].as_py())
    return Effects(
        triggers=tuple(Trigger(**one) for one in entry["triggers"]),
        rules=tuple((one["name"], _RULES[one["event"]]) for one in entry["rules"]),
        references=tuple(
            Reference(
                constraint=one["name"],
                table=f"{one['schema']}.{one['table']}",
                columns=tuple(one["columns"]),
                refers_to=tuple(one["refers_to"]),
                takes_along=_TAKES_ALONG.get(one["on_delete"], ""),
                own=one["own"],
                empties=_EMPTIES.get(one["on_update"], ""),
            )
            for one in entry["references"]
        ),
        deferrable_key=entry["deferrable_key"],
        temporal_key=entry["temporal_key"],
        unlogged=entry["unlogged"],
        sequences=tuple(Sequence(**one) for one in entry["sequences"]),
        may=entry["may"],
        database=entry["database"],
        read_only=entry["read_only"],
        replica=entry["replica"],
    )
