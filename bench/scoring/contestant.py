"""One contestant in a process of its own: `python -m bench.scoring.contestant '<json>'`; prints its result as JSON.

The JSON has `name`, `uri` of the database, `sessions`; for Trueup also `ledger` (a URI) and `workspace` (a folder).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import psycopg

from bench.contestant import peak_bytes

SQL = Path(__file__).parent / "sql"
LOOP_SESSIONS = 5_000
"""How many sessions the loop gets: it takes a millisecond for each."""


def statement(uri: str, work_mem: str | None = None, schema: str = "public") -> int:
    """(a), (b): the one statement, with that much memory to sort in (None: PostgreSQL's default); rows written."""
    with psycopg.connect(uri) as connection:
        if work_mem:
            connection.execute("SELECT set_config('work_mem', %s, false)", [work_mem])
        text = (SQL / "insert_select.sql").read_text(encoding="utf-8")
        return connection.execute(text.replace("{schema}", schema).encode()).rowcount


def loop(uri: str) -> int:
    """(c): the original's loop, a session at a time: its rows are read table by table, and one is written."""
    parts = {
        "session": "SELECT id, status, started_at, completed_at FROM assessment_sessions WHERE id = %s",
        "profile": "SELECT to_jsonb(p) - 'created_at' - 'updated_at' FROM profiles p WHERE session_id = %s",
        "types": "SELECT type_code, fit, share, rank FROM scoring_results_types WHERE session_id = %s ORDER BY rank, type_code",
        "functions": "SELECT func_code, strength, dimension FROM scoring_results_functions WHERE session_id = %s ORDER BY func_code",
        "state": "SELECT overlay_band, effective_confidence, blocks FROM scoring_results_state WHERE session_id = %s",
    }
    insert = (
        b"INSERT INTO scoring_results SELECT %s, %s, %s, %s, %s::jsonb, updated_at FROM profiles WHERE session_id = %s"
    )
    with psycopg.connect(uri, autocommit=True) as connection:
        query = b"SELECT id FROM assessment_sessions ORDER BY started_at LIMIT %s"
        ids = [row[0] for row in connection.execute(query, [LOOP_SESSIONS]).fetchall()]
        for id in ids:
            found = {}
            for name, text in parts.items():
                cursor = connection.execute(text.encode(), [id])
                names = [column.name for column in cursor.description or ()]
                found[name] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            profile = found["profile"][0]["?column?"]
            version = profile["results_version"]
            payload = {
                "version": version,
                "results_version": version,
                "profile": profile,
                "session": found["session"][0],
            }
            payload |= {"types": found["types"], "functions": found["functions"], "state": found["state"][0]}
            given = [id, profile["type_code"], profile["confidence"], version, json.dumps(payload, default=str), id]
            connection.execute(insert, given)
    return len(ids)


def contest(name: str, uri: str, **more: Any) -> dict[str, Any]:
    """Migrate; at least `rows`, the target rows written, and `peak_bytes`, the most memory that a process of it had."""
    found: dict[str, Any]
    if name == "c":
        found = {"rows": loop(uri)}
    elif name.startswith("e"):
        from .workers import trueup

        found = trueup(uri, **more)
    else:
        found = {"rows": statement(uri, "256MB" if name == "b" else None, more.get("schema", "public"))}
    return {"peak_bytes": peak_bytes(), **found}


if __name__ == "__main__":
    print(json.dumps(contest(**json.loads(sys.argv[1]))))
