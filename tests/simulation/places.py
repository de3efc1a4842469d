"""Where things are in a history: a database for each connection, the ledger and the workspace, which are the engine's own. All tell
the hook before and after their effects: the target's as `store`, the source's as `source`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from include.trueup.ledger import Ledger
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace
from include.trueup.stores.effects import Effects

from .databases import Behind, Documents, Relational, Row
from .declared import LABELS, ORDERS, PEOPLE, PERSONS, dress
from .history import Setup
from .scheduling import Schedule
from .tries import Job, Said, carry
from .twins import Hook, LedgerTwin, WorkspaceTwin
from .twins.hook import present_numbers

TABLES = {table.name: table for table in (PEOPLE, PERSONS, LABELS, ORDERS)}


class Places:
    """The databases by connection, the ledger and the workspace of one history."""

    def __init__(self, setup: Setup, schedule: Schedule, hook: Hook, folder: Path) -> None:
        self.hook, self._effects, self.setup = hook, schedule.effects(), setup
        effects = self._effects
        self._stores: dict[tuple[str, str], Any] = {}
        self._sources: dict[str, Behind] = {}
        self.ledger: Ledger = LedgerTwin(effects, hook)
        self.workspace: Workspace = WorkspaceTwin(folder / "workspace", effects, hook)
        self.behind: dict[str, Behind] = {
            PEOPLE.connection: _behind("postgres", "source", setup, effects, hook),
            PERSONS.connection: _behind(setup.kind, "store", setup, effects, hook),
        }
        self._other: Behind = Relational("source", setup.batch_rows, effects, hook, lambda _: None, "elsewhere")

    def lead_elsewhere(self) -> bool:
        """Somebody has the source's connection lead to another database, or back: stores that are opened from now on are there.
        In the other one applications have written something else by then. Whether anybody does, here."""
        here = self.behind[PEOPLE.connection]
        if not self._other.there(PEOPLE):
            self._other.make(PEOPLE)
            for key, row in here.rows(PEOPLE).items():
                self._other.put(PEOPLE, key, (key, row[1], "901", *row[3:-1], None))
        self.behind[PEOPLE.connection], self._other = self._other, here
        return True

    def source_of(self, process: str) -> tuple[str, dict[str, Row]]:
        """The name of the database that a process reads the source in, and what lies there."""
        behind = self._sources.get(process, self.behind[PEOPLE.connection])
        return getattr(behind, "at", ""), behind.rows(PEOPLE)

    def store(self, connection: str) -> Any:
        """The store behind a connection: each process has its own."""
        asked = self._effects.process(), connection
        if asked not in self._stores:
            self._stores[asked] = self.behind[connection].store()
            if connection == PEOPLE.connection:
                self._sources[asked[0]] = self.behind[connection]
        return self._stores[asked]

    def carry(self, job: Job, given: Run) -> Said:
        """Have a try's job done, in the fibre that asks for it."""
        return carry(job, given)

    def numbers(self) -> dict[int, int]:
        """By which numbers whoever goes on now writes, by what they are on."""
        return present_numbers()

    def there(self, name: str) -> bool:
        """Whether the table is there."""
        return self._of(name).there(TABLES[name])

    def make(self, name: str) -> None:
        """Make a table that is there before any run."""
        self._of(name).make(TABLES[name])

    def rows(self, name: str) -> dict[str, Row]:
        """The rows of a table as they are now, by key."""
        return self._of(name).rows(TABLES[name])

    @property
    def targets(self) -> tuple[str, ...]:
        """What the migration writes."""
        return (PERSONS.name, LABELS.name) if self.setup.second else (PERSONS.name,)

    def held(self) -> dict[str, Row]:
        """The rows of all targets as they are now, by key."""
        held = self.rows(PERSONS.name)
        return {**held, **self.rows(LABELS.name)} if self.setup.second else held

    def put(self, name: str, key: str, row: Row | None) -> bool:
        """An application writes a row, or deletes it. False where somebody holds it just now."""
        return self._of(name).put(TABLES[name], key, row)

    def keep_open(self, name: str, key: str, row: Row | None) -> Callable[[bool], None] | None:
        """An application writes a row in a transaction that stays open; what ends it. None where it cannot."""
        return self._of(name).keep_open(TABLES[name], key, row)

    def insert(self, name: str, key: str, of: str) -> bool:
        """An application adds a row whose number the table gives. False where somebody holds it just now."""
        return self._of(name).insert(TABLES[name], key, of)

    def next_number(self, name: str) -> int | None:
        """The next number that the table gives; None where it gives none."""
        return self._of(name).next_number(TABLES[name])

    def drop_triggers(self, name: str) -> None:
        """Somebody drops the triggers of a table, for good."""
        self._of(name).drop_triggers(TABLES[name])

    def restore(self, name: str) -> bool:
        """The table is made anew with its rows; whether it was."""
        return self._of(name).restore(TABLES[name])

    def _of(self, name: str) -> Behind:
        return self.behind[TABLES[name].connection]

    def close(self) -> None:
        """Let go of everything."""
        self.ledger.close()
        for each in (*self.behind.values(), self._other):
            each.close()


def _behind(kind: str, name: str, setup: Setup, effects: Effects, hook: Hook) -> Behind:
    if kind == "dynamodb":
        return Documents(name, setup.batch_rows, effects, hook)
    return Relational(name, setup.batch_rows, effects, hook, partial(dress, setup=setup))
