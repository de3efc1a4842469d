"""The world of a history that is played against real servers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import duckdb

from ..history import Event, History
from ..world import World
from .places import RealPlaces
from .servers import Servers


class RealWorld(World):
    """What happens to machines happens to processes: one that is paused is stopped by a signal; one that is killed, is."""

    places: RealPlaces

    def __init__(
        self, servers: Servers, history: History, folder: Path, database: duckdb.DuckDBPyConnection | None
    ) -> None:
        super().__init__(history, folder, database, partial(RealPlaces, servers))

    def _do(self, event: Event) -> bool:
        done = super()._do(event)
        if self.schedule.in_process:
            process = self.schedule.present.process
            child = self.places.children.get(process)
            if child is not None and process.paused_until > self.schedule.now:
                child.stop()
        return done
