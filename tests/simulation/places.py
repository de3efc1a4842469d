"""Where things are in a history: a store in memory for each connection, and the twins of the ledger and the workspace, which are
the engine's own. Each tells the hook before and after its effects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from include.trueup.ledger import Ledger
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace

from .history import Setup
from .memory import Held, MemoryStore, Row
from .scheduling import Schedule
from .tries import Job, Said, carry
from .twins import Hook, LedgerTwin, WorkspaceTwin


class Places:
    """The stores, the ledger and the workspace of one history."""

    def __init__(self, setup: Setup, schedule: Schedule, hook: Hook, folder: Path) -> None:
        self.hook, effects = hook, schedule.effects()
        self.ledger: Ledger = LedgerTwin(effects, hook)
        self.workspace: Workspace = WorkspaceTwin(folder / "workspace", effects, hook)
        self.source = MemoryStore("postgres", setup.batch_rows, hook)
        self.target = MemoryStore(setup.kind, setup.batch_rows, hook, "name" if setup.unique else None)

    def store(self, connection: str) -> Any:
        """The store behind a connection."""
        return self.source if connection == "s" else self.target

    def carry(self, job: Job, given: Run) -> Said:
        """Have a try's job done, in the fibre that asks for it."""
        return carry(job, given)

    def put(self, name: str, key: str, row: Row | None) -> None:
        """An application writes a row into a table, or deletes it."""
        rows = self.held_in(name).held[name].rows
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row

    def there(self, name: str) -> bool:
        """Whether the table is there."""
        return name in self.held_in(name).held

    def make(self, name: str) -> None:
        """Make a table that is there before any run."""
        self.held_in(name).held[name] = Held()

    def held_in(self, name: str) -> MemoryStore:
        """The store of a table."""
        return self.source if name == "people" else self.target

    def rows(self, name: str) -> dict[str, Row]:
        """The rows of a table as they are now, by key."""
        held = self.held_in(name).held.get(name)
        return {} if held is None else dict(held.rows)

    def close(self) -> None:
        """Let go of everything."""
        self.ledger.close()
