"""`GET /trueup/metrics`: what the services' routes count, as Prometheus reads it, summed over all processes.

A migration's `routes.py` may name `COUNTERS`: how often what happened in this process (`as_dict`), and the names of all of them
(`NAMES`). A process adds what it counted to the ledger some seconds later, and before it answers here; what one that is
killed has counted since is lost.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Protocol

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import FastAPI
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException

from include import project
from include.trueup.ledger import Ledger

from .. import connections
from ..pages.rights import may
from .entering import enter
from .problems import handle_problems

SECONDS = 5.0
"""How long a process may keep to itself what it counted."""


class Counted(Protocol):
    """What a migration counts in this process."""

    def as_dict(self) -> dict[str, int]:
        """How often what happened, by name."""


@cache
def counted() -> dict[str, tuple[Counted, tuple[str, ...]]]:
    """The counters of each migration that has some, with the names of all that it counts."""
    counters = {}
    for id in project.with_routes():
        module = project.load_routes(id)
        if hasattr(module, "COUNTERS"):
            counters[id] = (module.COUNTERS, tuple(module.COUNTER_NAMES))
    return counters


class Sums:
    """Adds what this process counted to what the ledger has. Safe to use from several threads."""

    def __init__(self) -> None:
        self._entered: dict[str, int] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Have it added from now on, some seconds after something was counted. Each process that answers requests says so."""
        if (
            self._thread is not None and self._thread.is_alive()
        ):  # not that of the process that this one was forked from
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                if self._thread is None:
                    atexit.register(self.leave)
                self._thread = threading.Thread(target=self._go_on, name="counters", daemon=True)
                self._thread.start()

    def _go_on(self) -> None:
        pause = threading.Event()
        while not pause.wait(SECONDS):
            if self._now() != self._entered:
                self.enter()

    def _now(self) -> dict[str, int]:
        return {name: n for counters, _ in counted().values() for name, n in counters.as_dict().items()}

    def enter(self, *, leaving: bool = False) -> dict[str, int]:
        """Add what was counted since; what all processes have counted, by name. Where the ledger does not take it, what it
        has is not known: what this process counted. `leaving`: the process ends."""
        with self._lock:
            now = self._now()
            # counters that began again have counted from zero
            since = {name: n - (was if (was := self._entered.get(name, 0)) <= n else 0) for name, n in now.items()}

            def add(ledger: Ledger) -> dict[str, int]:
                ledger.usage.count({name: n for name, n in since.items() if n})
                self._entered = now
                return ledger.usage.counts()

            sums = enter("counters of the services' routes", connections.ledger, add, leaving=leaving)
            return now if sums is None else sums

    def leave(self) -> None:
        """Add what is left, as the process ends."""
        if self._now() != self._entered:
            self.enter(leaving=True)


SUMS = Sums()
"""Those of this process."""


class _Values(Collector):
    def __init__(self, values: Mapping[str, int], names: list[str]) -> None:
        self._values, self._names = values, names

    def collect(self) -> Iterator[CounterMetricFamily]:
        for name in self._names:
            words = f"How often {name} happened, in all processes."
            yield CounterMetricFamily(f"trueup_{name.replace('.', '_')}", words, value=self._values.get(name, 0))


def build() -> FastAPI:
    """The application, for the same callers as the API."""
    app = FastAPI(title="Trueup's metrics", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    handle_problems(app)

    @app.get("/metrics")
    def get_metrics(user: GetUserDep) -> Response:
        """The counters of those migrations whose runs the caller may read."""
        names = [name for id, (_, names) in counted().items() if may(user, "GET", id) for name in names]
        if not names:
            raise HTTPException(403, "You may read the runs of no migration that counts anything.")
        registry = CollectorRegistry()
        registry.register(_Values(SUMS.enter(), names))
        return Response(
            generate_latest(registry), media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"}
        )

    return app


app = build()
