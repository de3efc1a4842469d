"""The sample: the exploded legacy tables of some hundred assessments, made from a seed, every dirty case among them.

A block is 500 sessions, about 13,000 rows over the five tables; the scale is the number of blocks. Some sessions have a
unified row already, as in a time when both shapes were written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.trueup.stores.postgres import PostgresStore

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
SEED = 20251120
SESSIONS, PROFILES, TYPES = "assessment_sessions", "profiles", "scoring_results_types"
FUNCTIONS, STATE, RESULTS = "scoring_results_functions", "scoring_results_state", "scoring_results"
TABLES = (SESSIONS, PROFILES, TYPES, FUNCTIONS, STATE)
SESSIONS_PER_BLOCK = 500
TYPE_CODES = (
    "ILE",
    "SEI",
    "ESE",
    "LII",
    "EIE",
    "LSI",
    "SLE",
    "IEI",
    "SEE",
    "ILI",
    "LIE",
    "ESI",
    "LSE",
    "EII",
    "IEE",
    "SLI",
)
FUNCTION_CODES = ("Ne", "Ni", "Se", "Si", "Te", "Ti", "Fe", "Fi")

Row = dict[str, Any]
Tables = dict[str, list[Row]]

# Where in a block which dirty case is: the session's number, and what becomes of its rows.
NO_PROFILE_TYPES, NO_PROFILE_FUNCTIONS, NO_PROFILE_STATE, NO_PROFILE_ANY = 3, 13, 23, 33
NO_TYPES, NOTHING_BUT_PROFILE = (43, 53), 63
NO_STATE, NO_FUNCTIONS, NEVER_SCORED, NULLS = (73, 74, 75), 83, 93, 103
TIED_RANKS, NO_RANKS, LONG_NUMBERS, ODD_TEXT, DEEP_BLOCKS, ODD_TIMES = 113, 123, 133, 143, 153, 163
EXISTS_EQUAL, EXISTS_DIFFERENT = 173, (183, 184, 185)


def rows(seed: int = SEED, scale: int = 1) -> Tables:
    """The whole sample, in memory: the rows of each legacy table as JSON values, by table name. Numbers are text, so
    that each has the digits it has. Always the same for one seed and scale; under 5 % of the sessions are rejected."""
    tables: Tables = {table: [] for table in TABLES}
    for block in range(scale):
        random = Random(f"{seed}/{block}")
        for number in range(SESSIONS_PER_BLOCK):
            for table, made in _dirty(number, _session(random)).items():
                tables[table] += made
    return tables


def existing(tables: Tables) -> list[Row]:
    """Unified rows that are there before: one that is what the legacy tables give, in another notation, and three that
    are not (another payload, another version, another time)."""
    numbered = [row["id"] for row in tables[SESSIONS]]
    results = []
    for number in (EXISTS_EQUAL, *EXISTS_DIFFERENT):
        id = numbered[number]
        (profile,) = (row for row in tables[PROFILES] if row["session_id"] == id)
        results.append(
            {"session_id": id, "computed_at": profile["updated_at"], "scoring_version": profile["results_version"]}
        )
        results[-1] |= {name: profile[name] for name in ("type_code", "confidence")}
    results[2]["scoring_version"] = "v2.9"
    results[3]["computed_at"] = "2020-01-01T00:00:00+00:00"
    return results


def fill(resolve: Callable[[str], PostgresStore]) -> dict[str, int]:
    """Create the tables where they are missing and put the sample's rows that are missing; the sample's rows, by table.
    A row that is there is left as it is, so that filling again changes nothing. `resolve` gives the store behind a
    connection id."""
    from .serving import legacy_payload

    store, tables = resolve("scoring_postgres"), rows()
    put = 0
    with store.connect() as connection:
        connection.execute((HERE / "sample.sql").read_bytes())
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('trueup create public.scoring_results', 0))")
        if connection.execute("SELECT to_regclass('public.scoring_results')").fetchone() == (None,):
            connection.execute((HERE / "create.sql").read_bytes())
        for table, made in tables.items():
            put += _put(connection, table, made)
        for number, row in enumerate(existing(tables)):
            payload = legacy_payload(connection, row["session_id"])
            if payload is not None:
                row["payload"] = payload if number != 1 else {**payload, "state": {"overlay_band": "by hand"}}
                put += _put(connection, RESULTS, [row])
    log.info("sample: %s rows put", f"{put:,}")
    return {table: len(made) for table, made in tables.items()}


def _put(connection: Any, table: str, made: list[Row]) -> int:
    from include.trueup.rows.values import json_text

    query = (
        f"INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb) ON CONFLICT DO NOTHING"
    )
    return int(connection.execute(query, [json_text(made)]).rowcount)


def _session(random: Random) -> Tables:
    digits = f"{random.getrandbits(128):032x}"
    id = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
    order = random.sample(TYPE_CODES, len(TYPE_CODES))
    started, ended, updated = _instant(random, 1), _instant(random, 2), _instant(random, 3)
    session: Row = {"id": id, "status": "completed", "started_at": started, "completed_at": ended, "user_id": None}
    profile: Row = {
        "session_id": id,
        "type_code": order[0],
        "confidence": _number(random),
        "base_func": random.choice(FUNCTION_CODES),
        "creative_func": random.choice(FUNCTION_CODES),
        "overlay": random.choice(("+", "–", None)),
        "results_version": random.choice(("v1.1", "v1.2", "v1.2", "v2.0")),
        "created_at": ended,
        "updated_at": updated,
        "trace": {"engine": "prism", "seconds": 1.25} if random.random() < 0.1 else None,
    }
    state: Row = {
        "session_id": id,
        "overlay_band": random.choice(("calm", "stress", "mixed")),
        "effective_confidence": random.choice((_number(random), None)),
        "blocks": {"core": 4, "critic": random.randint(0, 9), "hidden": [1, 0.5, None]},
    }
    types = [
        {"session_id": id, "type_code": code, "fit": _number(random), "share": _number(random), "rank": rank}
        for rank, code in enumerate(order, 1)
    ]
    functions = [
        {
            "session_id": id,
            "func_code": code,
            "strength": _number(random),
            "dimension": random.choice((1, 2, 3, 4, None)),
        }
        for code in FUNCTION_CODES
    ]
    return {SESSIONS: [session], PROFILES: [profile], TYPES: types, FUNCTIONS: functions, STATE: [state]}


def _dirty(number: int, session: Tables) -> Tables:
    """The session's rows with the dirty case that its number has."""
    dropped = {
        NO_PROFILE_TYPES: (PROFILES, FUNCTIONS, STATE),
        NO_PROFILE_FUNCTIONS: (PROFILES, TYPES, STATE),
        NO_PROFILE_STATE: (PROFILES, TYPES, FUNCTIONS),
        NO_PROFILE_ANY: (PROFILES,),
        NOTHING_BUT_PROFILE: (TYPES, FUNCTIONS, STATE),
        NO_FUNCTIONS: (FUNCTIONS,),
        NEVER_SCORED: (PROFILES, TYPES, FUNCTIONS, STATE),
        **dict.fromkeys(NO_TYPES, (TYPES,)),
        **dict.fromkeys(NO_STATE, (STATE,)),
    }.get(number, ())
    session |= {table: [] for table in dropped}
    if number in _CHANGES:
        _CHANGES[number](session)
    return session


def _nulls(session: Tables) -> None:
    session[SESSIONS][0] |= {"status": None, "started_at": None, "completed_at": None}
    session[PROFILES][0] |= dict.fromkeys(("type_code", "confidence", "base_func", "creative_func", "overlay"))
    session[TYPES][0] |= {"fit": None, "share": None}
    session[FUNCTIONS][0] |= {"strength": None, "dimension": None}
    session[STATE][0] |= {"overlay_band": None, "effective_confidence": None, "blocks": None}


def _tied_ranks(session: Tables) -> None:
    for row in session[TYPES]:
        row["rank"] = 1


def _no_ranks(session: Tables) -> None:
    for row in session[TYPES][::2]:
        row["rank"] = None


def _long_numbers(session: Tables) -> None:
    session[PROFILES][0]["confidence"] = "0.12345678901234567890123456789012345678"
    session[TYPES][0] |= {"fit": "98765432109876543210.50", "share": "-0.000000000000000000000000000000000001"}
    session[TYPES][1] |= {"fit": "1E+3", "share": "0.10"}
    session[FUNCTIONS][0]["strength"] = "100.00"
    session[STATE][0]["effective_confidence"] = "9007199254740993"


def _odd_text(session: Tables) -> None:
    session[SESSIONS][0]["status"] = 'said "done",\n\tthen \\ left: ünïcode 🙂 \x01 1.0}'
    session[PROFILES][0]["overlay"] = "null"
    session[STATE][0]["overlay_band"] = "a.0]"


def _deep_blocks(session: Tables) -> None:
    session[STATE][0]["blocks"] = {"z": [{"b": [[], {}, ""]}, "1.50", True], "a": {"é": {"k.0,": -0.5, "": None}}}


def _odd_times(session: Tables) -> None:
    session[SESSIONS][0] |= {
        "started_at": "2025-01-02T03:04:05.120000+02:00",
        "completed_at": "2025-01-02T23:59:59.000001-08:00",
    }


_CHANGES: dict[int, Callable[[Tables], None]] = {
    NULLS: _nulls,
    TIED_RANKS: _tied_ranks,
    NO_RANKS: _no_ranks,
    LONG_NUMBERS: _long_numbers,
    ODD_TEXT: _odd_text,
    DEEP_BLOCKS: _deep_blocks,
    ODD_TIMES: _odd_times,
}


def _number(random: Random) -> str:
    return f"{random.randint(0, 99)}.{random.randint(0, 9999):04}"


def _instant(random: Random, later: int) -> str:
    day = f"{2024 + random.getrandbits(1)}-{later + 3 * random.randint(0, 3):02}-{random.randint(1, 28):02}"
    second = random.randint(0, 86_399)
    return f"{day}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{random.randint(0, 999_999):06}+00:00"
