"""Section 2 of the contract, in Python over what psycopg reads, and nothing of the migration's own code."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from psycopg.types.string import TextLoader

Row = dict[str, Any]
TABLES = {
    "assessment_sessions": ("id",),
    "profiles": ("session_id",),
    "scoring_results_types": ("session_id", "type_code"),
    "scoring_results_functions": ("session_id", "func_code"),
    "scoring_results_state": ("session_id",),
    "scoring_results": ("session_id",),
}


@dataclass
class Expected:
    """`rows`: what scoring_results must hold of the sessions that it does not hold yet, by session; `sessions`: every
    session that the four tables know of; `findings`: (session, code)."""

    sessions: set[str] = field(default_factory=set)
    rows: dict[str, Row] = field(default_factory=dict)
    findings: set[tuple[str, str]] = field(default_factory=set)
    rejected: dict[str, str] = field(default_factory=dict)


def exact(text: str | bytes) -> Any:
    """JSON with every number as a `Decimal`: notation does not matter, every digit does."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def tables(uri: str) -> dict[str, list[Row]]:
    """Every row of every table; uuids as text, JSON exact."""
    found = {}
    with psycopg.connect(uri, row_factory=dict_row) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.adapters.register_loader("uuid", TextLoader)
        set_json_loads(exact, connection)
        for table, key in TABLES.items():
            if connection.execute("SELECT to_regclass(%s) AS t", [table]).fetchone() != {"t": None}:
                found[table] = connection.execute(
                    f"SELECT * FROM {table} ORDER BY {', '.join(key)}".encode()
                ).fetchall()
    return found


def expected(legacy: dict[str, list[Row]], unified: dict[str, Row]) -> Expected:
    """What the contract makes of the legacy tables where `unified` rows are there before."""
    result = Expected()
    by_session: dict[str, dict[str, list[Row]]] = {}
    for table in list(TABLES)[1:5]:
        for row in legacy[table]:
            by_session.setdefault(row["session_id"], {}).setdefault(table, []).append(row)
    sessions = {row["id"]: row for row in legacy["assessment_sessions"]}
    result.sessions = set(by_session)
    for id, parts in by_session.items():
        code = _reject(parts)
        if code:
            result.rejected[id] = code
            result.findings.add((id, code))
            continue
        (profile,) = parts["profiles"]
        row = {
            "session_id": id,
            "type_code": profile["type_code"],
            "confidence": profile["confidence"],
            "scoring_version": profile["results_version"],
            "payload": _payload(parts, sessions[id]),
            "computed_at": profile["updated_at"],
        }
        if "scoring_results_state" not in parts:
            result.findings.add((id, "no_state"))
        if id not in unified:
            result.rows[id] = row
        elif unified[id] != row:
            result.findings.add((id, "differs_from_legacy"))
    return result


def _reject(parts: dict[str, list[Row]]) -> str | None:
    if "profiles" not in parts:
        return "no_profile"
    return None if "scoring_results_types" in parts else "incomplete_session"


def _payload(parts: dict[str, list[Row]], session: Row) -> Row:
    (profile,) = parts["profiles"]
    (state,) = parts.get("scoring_results_state", [{}])
    types = sorted(parts["scoring_results_types"], key=lambda t: (t["rank"] is None, t["rank"] or 0, t["type_code"]))
    functions = sorted(parts.get("scoring_results_functions", []), key=lambda f: f["func_code"])
    return {
        "version": profile["results_version"],
        "results_version": profile["results_version"],
        "profile": {k: v for k, v in profile.items() if k not in ("created_at", "updated_at")},
        "types": [_of(t, "type_code fit share rank") for t in types],
        "functions": [_of(f, "func_code strength dimension") for f in functions],
        "state": _of(state, "overlay_band effective_confidence blocks") if state else {},
        "session": {**_of(session, "id status"), **{n: _instant(session[n]) for n in ("started_at", "completed_at")}},
    }


def _of(row: Row, names: str) -> Row:
    return {name: row[name] for name in names.split()}


def _instant(value: datetime | None) -> str | None:
    """As to_jsonb writes it: only the fractional digits that say something."""
    if value is None:
        return None
    plain = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{value.microsecond:06}".rstrip("0")
    return f"{plain}{'.' + fraction if fraction else ''}+00:00"
