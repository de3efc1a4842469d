"""Where things are in a history that is played against real servers, as the parent sees them: past the proxies, and no look of it
is an effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from include.trueup.ledger import Ledger
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace

from ..databases import Behind, Row
from ..declared import PEOPLE, PERSONS
from ..history import Setup
from ..places import Places
from ..scheduling import Process, Schedule
from ..tries import Job, Said
from ..twins import Effect, Hook
from .databases import RealDocuments, RealRelational
from .processes import Child
from .servers import Servers
from .trying import Task, given_of


class ClockedLedger(Ledger):
    """The ledger as the parent looks at it: it is told the time first."""

    places: RealPlaces

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        self.places.tell_time()
        with super()._begin() as connection:
            yield connection


class RealPlaces(Places):
    """The databases by connection, the ledger and the workspace of one history. `children` are the processes that do something
    now."""

    def __init__(self, servers: Servers, setup: Setup, schedule: Schedule, hook: Hook, folder: Path) -> None:
        self.setup, self.schedule, self.servers, self._hook = setup, schedule, servers, hook
        servers.empty()
        self._effects = schedule.effects()
        self._told: datetime | None = None
        self.children: dict[Process, Child] = {}
        self.ledger = ClockedLedger(servers.direct_uri("ledger"), self._effects)
        self.ledger.places = self
        self._folder = str(folder / "workspace")
        self.workspace = Workspace(self._folder, effects=self._effects)
        target: Behind = RealDocuments(servers.client)
        if setup.kind == "postgres":
            target = RealRelational(servers.database["target"], servers.direct_uri("target"), setup)
        source = RealRelational(servers.database["source"], servers.direct_uri("source"), Setup())
        self.behind = {PEOPLE.connection: source, PERSONS.connection: target}

    def store(self, connection: str) -> Any:
        """The parent reaches no store: what processes do is done in theirs."""
        return self.behind[connection].store()

    def lead_elsewhere(self) -> bool:
        """Nobody does here: there is one server of sources."""
        return False

    def source_of(self, process: str) -> tuple[str, dict[str, Row]]:
        """Where it always is."""
        return "", self.rows(PEOPLE.name)

    def numbers(self) -> dict[int, int]:
        """As its process has told."""
        child = self.children.get(self.schedule.present.process)
        return {} if child is None else child.numbers.get(self.schedule.present_number, {})

    def tell_time(self) -> None:
        """Have PostgreSQL's clock in the ledger say what time it is."""
        if (now := self._effects.now()) != self._told:
            self.servers.database["ledger"].execute("UPDATE simulated.clock SET at = %s", [now])
            self._told = now

    def carry(self, job: Job, given: Run) -> Said:
        """Have a process do it, driven by the fibre that asks for it."""
        process = self.schedule.present.process
        child = Child(self.servers, self.schedule, process, self._effects, self._hooked)
        stores = {"s": ("postgres", self.servers.uri("source", child.known), "source")}
        stores["t"] = ("dynamodb", self.servers.documents.endpoint, "store")
        if self.setup.kind == "postgres":
            stores["t"] = ("postgres", self.servers.uri("target", child.known), "store")
        self.children[process] = child
        try:
            return child.carry(
                Task(
                    name=process.name, job=job, given=given_of(given), ledger=self.servers.uri("ledger", child.known),
                    workspace=self._folder, stores=stores, batch_rows=self.setup.batch_rows,
                )
            )  # fmt: skip
        finally:
            del self.children[process]

    def _hooked(self, effect: Effect) -> None:
        """Between two effects; then it is told what time it is, and who was idle for too long is ended."""
        self._hook(effect)
        self.end_idle()
        if effect.place == "ledger":
            self.tell_time()

    def end_idle(self) -> None:
        """The server ends whoever has kept a transaction open and idle for too long, by the time of the schedule."""
        for child in self.children.values():
            child.end_idle()

    def put(self, name: str, key: str, row: Row | None) -> bool:
        """An application writes a row, or deletes it. False where somebody holds it just now."""
        self.end_idle()
        return super().put(name, key, row)

    def close(self) -> None:
        """Let go of everything."""
        for child in self.children.values():
            child.end()
        for each in self.behind.values():
            each.close()
        self.ledger.close()
