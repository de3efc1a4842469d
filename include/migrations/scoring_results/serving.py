"""Writing and reading results while both shapes exist, for the services that score and that show results.

A connection is one of psycopg 3. Each call is one transaction, or a savepoint where the caller has one open already.
A payload is what the contract says, as Python values; numbers with a fraction are `Decimal` when read, and may be given
so, so that no digit is lost (`include.trueup.rows.values.json_text` writes such a payload as JSON).

Logs are one JSON object a line, each with `session_id` and `event`; `COUNTERS` counts under the same names.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import UUID

from include.trueup.errors import OptionsError, TerminalError
from include.trueup.rows.values import json_text, json_value

from .payload import in_order, require

if TYPE_CHECKING:
    from include.trueup.stores.postgres import PostgresStore

log = logging.getLogger(__name__)

ReadFrom = Literal["unified_first", "legacy_first", "unified_only"]
WRITE_EXPLODED, READ_FROM = "scoring_results.write_exploded", "scoring_results.read_from"
"""The settings: see `Migration.settings`; `include.trueup.cutover.switch.settings` says what they are now."""
_NO_TABLE = "42P01"
FEW = 5
"""Sessions that are named."""
UNIFIED_SUCCESS, UNIFIED_FAILED = "persist_results.unified_success", "persist_results.unified_failed"
LEGACY_FAILED = "persist_results.legacy_failed_non_fatal"
UNIFIED_HIT, LEGACY_FALLBACK, NOT_FOUND = "results.unified_hit", "results.legacy_fallback", "results.not_found"

_LEGACY_PAYLOAD = (Path(__file__).parent / "legacy_payload.sql").read_text(encoding="utf-8")
_UPSERT = """
INSERT INTO scoring_results (session_id, type_code, confidence, scoring_version, payload, computed_at)
SELECT (p #>> '{session,id}')::uuid, p #>> '{profile,type_code}', (p #>> '{profile,confidence}')::numeric,
    p ->> 'version', p, %s
FROM (SELECT %s::jsonb) given(p)
ON CONFLICT (session_id) DO UPDATE SET type_code = EXCLUDED.type_code, confidence = EXCLUDED.confidence,
    scoring_version = EXCLUDED.scoring_version, payload = EXCLUDED.payload, computed_at = EXCLUDED.computed_at
RETURNING xmax = 0
"""
_COLUMNS = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum),
    string_agg(format('%%1$I = EXCLUDED.%%1$I', attname), ', ' ORDER BY attnum)
        FILTER (WHERE attname NOT IN ('session_id', 'created_at'))
FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""


COUNTER_NAMES = (UNIFIED_SUCCESS, UNIFIED_FAILED, LEGACY_FAILED, UNIFIED_HIT, LEGACY_FALLBACK, NOT_FOUND)
"""All that is counted."""


class Connection(Protocol):
    """What is asked of a psycopg connection."""

    @property
    def Error(self) -> type[Exception]:  # noqa: N802 - DB-API's name
        """The base of all that the database complains of."""

    def transaction(self) -> AbstractContextManager[Any]:
        """A transaction, or a savepoint in the one that is open."""

    def execute(self, query: bytes, params: Any = None) -> Any:
        """Run a statement; gives its cursor."""


class ResultsNotFound(TerminalError):  # noqa: N818 - the contract's name
    """Neither the unified table nor the legacy tables have results of the session."""


class Counters:
    """How often what happened, by name, since this process began. Safe to use from several threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def increment(self, name: str) -> None:
        """One more of this name."""
        with self._lock:
            self._counts[name] += 1

    def __getitem__(self, name: str) -> int:
        """How often; 0 for what never happened."""
        return self._counts[name]

    def as_dict(self) -> dict[str, int]:
        """All that happened."""
        with self._lock:
            return dict(self._counts)

    def clear(self) -> None:
        """Begin again."""
        with self._lock:
            self._counts.clear()


COUNTERS = Counters()
"""The counters of this process."""


def write_exploded(settings: Mapping[str, str | bool]) -> bool:
    """Whether the legacy tables are still written, by the switch's settings. Raises `OptionsError` if they do not say."""
    match settings.get(WRITE_EXPLODED):
        case bool() as value:
            return value
        case value:
            raise OptionsError(f"setting {WRITE_EXPLODED} is {value!r}; it must be true or false")


def read_from(settings: Mapping[str, str | bool]) -> ReadFrom:
    """Which way to read first, by the switch's settings. Raises `OptionsError` if they do not say."""
    match settings.get(READ_FROM):
        case "unified_first" | "legacy_first" | "unified_only" as value:
            return value
        case value:
            raise OptionsError(
                f"setting {READ_FROM} is {value!r}; it must be unified_first, legacy_first or unified_only"
            )


def persist_results(connection: Connection, payload: Mapping[str, Any], write_exploded: bool) -> bool:
    """Write the results of a session: the unified row first, then, with `write_exploded`, the legacy tables; whether the
    unified row is a new one. Types and functions are put in their order.

    A legacy write that fails is undone, logged, counted, and does not fail the call. A unified write that fails is
    logged and counted, nothing is written, and its error is raised (a `psycopg.Error`; `PayloadError` for what is not as
    `payload.schema.json` describes it). Both get the same time of computing, so that they agree.
    """
    session_id = _id_in(payload)
    computed_at = datetime.now(UTC)
    try:
        require(payload)
        payload = in_order(payload)
        text = json_text(payload)
        with connection.transaction():
            (created,) = connection.execute(_UPSERT.encode(), [computed_at, text]).fetchone()
    except Exception as error:
        _say(UNIFIED_FAILED, session_id, error=_words(error))
        raise
    _say(UNIFIED_SUCCESS, session_id)
    if not write_exploded:
        return bool(created)
    try:
        with connection.transaction():
            _write_legacy(connection, session_id, payload, computed_at)
    except (connection.Error, KeyError, TypeError, ValueError) as error:
        _say(LEGACY_FAILED, session_id, error=_words(error))
    return bool(created)


def get_results(
    connection: Connection, session_id: str | UUID, read_from: ReadFrom = "unified_first"
) -> dict[str, Any]:
    """The payload of a session: the unified row's, else rebuilt from the legacy tables; with `legacy_first` (the way
    back) the other way round. With `unified_only` the legacy tables are not touched, and may be gone. Raises
    `ResultsNotFound` when neither has it."""
    for event, read in _WAYS[read_from]:
        results = read(connection, session_id)
        if results is not None:
            _say(event, str(session_id))
            return results
    _say(NOT_FOUND, str(session_id))
    raise ResultsNotFound(f"session {session_id} has no row in scoring_results{_NOR[read_from]}; score it first")


def unified_payload(connection: Connection, session_id: str | UUID) -> dict[str, Any] | None:
    """The payload of the unified row, if there is one; and none where the migration has not made the table yet."""
    try:
        return _payload(connection, "SELECT payload::text FROM scoring_results WHERE session_id = %s", session_id)
    except connection.Error as error:
        if getattr(error, "sqlstate", None) != _NO_TABLE:
            raise
        return None


def legacy_payload(connection: Connection, session_id: str | UUID) -> dict[str, Any] | None:
    """The payload that the legacy tables give, if they have a profile and types."""
    return _payload(connection, _LEGACY_PAYLOAD, session_id)


_WAYS = {
    "unified_first": ((UNIFIED_HIT, unified_payload), (LEGACY_FALLBACK, legacy_payload)),
    "legacy_first": ((LEGACY_FALLBACK, legacy_payload), (UNIFIED_HIT, unified_payload)),
    "unified_only": ((UNIFIED_HIT, unified_payload),),
}
_NOR = dict.fromkeys(("unified_first", "legacy_first"), ", and no profile with types in the legacy tables")
_NOR["unified_only"] = ""


def _id_in(payload: object) -> str:
    """The session that a payload says it is of, for the log; empty where it says none."""
    session = payload.get("session") if isinstance(payload, Mapping) else None
    return str(session.get("id", "")) if isinstance(session, Mapping) else ""


def unreadable(store: PostgresStore) -> tuple[int, tuple[str, ...]]:
    """How many sessions have results that only the legacy tables give, so that nobody could read them without these; and the
    first of them, at most `FEW`. All of them are counted in one state of the database; where the unified table is not there yet, they all
    are. Raises `StoreUnavailableError`, `StoreRejectedError`."""
    with store.connect() as connection:
        tables = {
            name
            for (name,) in connection.execute(
                "SELECT t FROM unnest(%s::text[]) t WHERE to_regclass(t) IS NOT NULL",
                [["scoring_results", "profiles", "scoring_results_types"]],
            )
        }
        if {"profiles", "scoring_results_types"} - tables:
            return 0, ()  # the legacy tables are gone: what they had is read by nobody
        unified = (
            "SELECT session_id FROM scoring_results" if "scoring_results" in tables else "SELECT NULL::uuid WHERE false"
        )
        lost = (
            "SELECT p.session_id::text AS id FROM profiles p"
            " WHERE EXISTS (SELECT FROM scoring_results_types t WHERE t.session_id = p.session_id)"
            f" AND NOT EXISTS (SELECT FROM ({unified}) u WHERE u.session_id = p.session_id)"
        )
        query = f"WITH lost AS MATERIALIZED ({lost}) SELECT (SELECT count(*) FROM lost), array(SELECT id FROM lost ORDER BY id LIMIT %s)"
        count, few = connection.execute(query.encode(), [FEW]).fetchone() or (0, [])
        return count, tuple(few)


def _payload(connection: Connection, query: str, session_id: str | UUID) -> dict[str, Any] | None:
    with connection.transaction():
        row = connection.execute(query.encode(), [str(session_id)]).fetchone()
    return None if row is None else json_value(row[0])


def _write_legacy(connection: Connection, session_id: str, payload: Mapping[str, Any], computed_at: datetime) -> None:
    """Make the four legacy tables say what the payload says. `profiles.created_at` stays where there is a row."""
    times = {"created_at": computed_at.isoformat(), "updated_at": computed_at.isoformat()}
    profile = {**payload["profile"], "session_id": session_id, "results_version": payload["results_version"], **times}
    names, updates = connection.execute(_COLUMNS.encode(), ["profiles"]).fetchone() or ("", "")
    connection.execute(
        f"INSERT INTO profiles ({names}) SELECT {names} FROM jsonb_populate_record(NULL::profiles, $1::jsonb)"
        f" ON CONFLICT (session_id) DO UPDATE SET {updates}".replace("%", "%%")
        .replace("$1", "%s")
        .encode(),
        [json_text(profile)],
    )
    state = [payload["state"]] if payload["state"] else []
    for table, rows in (
        ("scoring_results_types", payload["types"]),
        ("scoring_results_functions", payload["functions"]),
        ("scoring_results_state", state),
    ):
        connection.execute(f"DELETE FROM {table} WHERE session_id = %s".encode(), [session_id])
        connection.execute(
            f"INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)".encode(),
            [json_text([{**row, "session_id": session_id} for row in rows])],
        )


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _say(event: str, session_id: str, **more: str) -> None:
    COUNTERS.increment(event)
    level = logging.INFO if not more else logging.WARNING if event == LEGACY_FAILED else logging.ERROR
    log.log(level, "%s", json_text({"session_id": session_id, "event": event, **more}))
