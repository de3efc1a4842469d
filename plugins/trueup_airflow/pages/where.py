"""Where a migration's runs are now: asked of its stores beside the request, and kept for some minutes."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillAskedError
from threading import Lock

from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

from include.trueup.errors import TrueupError
from include.trueup.run import Where
from include.trueup.run.where import code_of, code_of_folder, database_of, of_migration, where
from include.trueup.schema import SchemaMigration
from include.trueup.stores import Store

from .. import connections
from . import about

log = logging.getLogger(__name__)
KEPT_SECONDS = 300.0
"""How long an answer is taken for true."""
WAITED_SECONDS = 0.5
"""How long a page waits for one; after that it shows what is known, and the rest when it asks again."""
_asking = ThreadPoolExecutor(max_workers=4, thread_name_prefix="where")
_answers: dict[str, tuple[float, Future[Where]]] = {}
_known: dict[str, Where] = {}
"""The last answers, which are shown while they are asked for again."""
_lock = Lock()


def now(migration_id: str) -> Where:
    """Where its runs are. Without places while the stores have not answered."""
    return of_all([migration_id])[migration_id]


def of_all(migration_ids: Iterable[str]) -> dict[str, Where]:
    """The same of several migrations, which are asked together."""
    asked = {id: _asked(id) for id in migration_ids}
    until = time.monotonic() + WAITED_SECONDS
    places = {}
    for id, answer in asked.items():
        try:
            places[id] = _known[id] = answer.result(timeout=max(until - time.monotonic(), 0))
        except StillAskedError:
            places[id] = _known.get(id) or where((), None)
    return places


def _asked(migration_id: str) -> Future[Where]:
    with _lock:
        asked = _answers.get(migration_id)
        if asked is None or time.monotonic() - asked[0] > KEPT_SECONDS:
            asked = _answers[migration_id] = time.monotonic(), _asking.submit(_ask, migration_id)
        return asked[1]


def forget() -> None:
    """Ask again from now on."""
    with _lock:
        _answers.clear()
        _known.clear()


def _ask(migration_id: str) -> Where:
    declared = about.declared(migration_id)
    if declared is None:
        return where((), None)
    if isinstance(declared, SchemaMigration):
        places = [database_of(history.connection, _store) for history in declared.histories]
        return where(places, code_of_folder(declared.histories[0].script_location.parent))
    try:
        return of_migration(declared, _store)
    except Exception:  # whatever it is, the page is shown without it, and the log says why
        log.exception("where %s is cannot be said", migration_id)
        return where((), code_of(declared))


def _store(connection: str) -> Store:
    try:
        return connections.open_store(connection)
    except (AirflowNotFoundException, AirflowRuntimeError) as error:
        raise _NoConnectionError(f"Airflow has no connection {connection!r}: {error}") from error


class _NoConnectionError(TrueupError):
    """Airflow gives no such connection."""
