"""Scoring results: the exploded legacy tables into one row of JSON per session."""

from __future__ import annotations

from pathlib import Path

from include.trueup.declare.migration import (
    Derived,
    Guard,
    Index,
    Migration,
    Param,
    Phase,
    Precondition,
    Shadow,
    Source,
    Table,
    Target,
    Type,
    WayBack,
)

from . import suites
from .security import ROW_SECURITY, breaches
from .serving import READ_FROM, WRITE_EXPLODED, unreadable

HERE = Path(__file__).parent
TEXT, NUMBER, INTEGER, TIMESTAMP, JSON = Type.TEXT, Type.NUMBER, Type.INTEGER, Type.TIMESTAMP, Type.JSON


def _legacy(id: str, name: str, key: tuple[str, ...], columns: dict[str, Type], window: str | None = None) -> Source:
    """A legacy table, its rows partitioned by their session: the first column of the key."""
    table = Table(name=name, connection="scoring_postgres", key=key, columns=columns)
    return Source(id=id, table=table, partition_by=key[:1], window=window)


SESSIONS = _legacy(
    "sessions",
    "assessment_sessions",
    ("id",),
    {"id": TEXT, "status": TEXT, "started_at": TIMESTAMP, "completed_at": TIMESTAMP, "user_id": TEXT},
)
PROFILES = _legacy(
    "profiles",
    "profiles",
    ("session_id",),
    {
        **dict.fromkeys(("session_id", "type_code", "base_func", "creative_func", "overlay", "results_version"), TEXT),
        "confidence": NUMBER,
        "created_at": TIMESTAMP,
        "updated_at": TIMESTAMP,
    },
    window="created_at",
)
TYPES = _legacy(
    "types",
    "scoring_results_types",
    ("session_id", "type_code"),
    {"session_id": TEXT, "type_code": TEXT, "fit": NUMBER, "share": NUMBER, "rank": INTEGER},
)
FUNCTIONS = _legacy(
    "functions",
    "scoring_results_functions",
    ("session_id", "func_code"),
    {"session_id": TEXT, "func_code": TEXT, "strength": NUMBER, "dimension": INTEGER},
)
STATE = _legacy(
    "state",
    "scoring_results_state",
    ("session_id",),
    {"session_id": TEXT, "overlay_band": TEXT, "effective_confidence": NUMBER, "blocks": JSON},
)
RESULTS = Table(
    name="scoring_results",
    connection="scoring_postgres",
    key=("session_id",),
    columns={
        "session_id": TEXT,
        "type_code": TEXT,
        "confidence": NUMBER,
        "scoring_version": TEXT,
        "payload": JSON,
        "computed_at": TIMESTAMP,
    },
    indexes=tuple(
        Index(name=f"scoring_results_{column}_idx", key=(column,)) for column in ("type_code", "scoring_version")
    ),
    required=("scoring_version", "payload"),
)

migration = Migration(
    id="scoring_results",
    title="Scoring results",
    owner="prism",
    doc=(HERE / "README.md").read_text(encoding="utf-8"),
    sources=(SESSIONS, PROFILES, TYPES, FUNCTIONS, STATE),
    derived=(
        Derived(
            id="known_sessions",
            name="assessment sessions with scoring rows",
            columns={
                **dict.fromkeys(("session_id", "code"), TEXT),
                "created_at": TIMESTAMP,
                **dict.fromkeys(("session", "profile", "types", "functions", "state"), JSON),
            },
            key=("session_id",),
            query=HERE / "derived_sessions.sql",
            window="created_at",
        ),
    ),
    targets=(Target(id="results", table=RESULTS, create=HERE / "create.sql", prepare=HERE / "security.sql"),),
    params=(
        Param(
            id=ROW_SECURITY,
            title="Row security",
            description="Who may see rows of scoring_results. as_legacy: owner, grants and policies of profiles. owner: the"
            " user of the session.",
            type="string",
            default="as_legacy",
            choices=("as_legacy", "owner"),
        ),
    ),
    preconditions=(Precondition(connection="scoring_postgres", check=breaches),),
    phases=(
        Phase(
            id="unified",
            title="Unified results",
            source="known_sessions",
            target="results",
            transform=HERE / "results.sql",
            suite=suites.unified,
            keeps_existing="differs_from_legacy",
        ),
    ),
    suite=suites.whole,
    settings={
        "legacy": {WRITE_EXPLODED: True, READ_FROM: "legacy_first"},
        "dual": {WRITE_EXPLODED: True, READ_FROM: "unified_first"},
        "new": {WRITE_EXPLODED: False, READ_FROM: "unified_only"},
    },
    guards=(
        Guard(
            to="new",
            param="max_unreadable",
            title="Sessions that could not be read",
            description="Sessions with results that only the legacy tables give, which nobody reads any more: counted in the"
            " database when the switch is turned to new. More refuse the turn.",
            connection="scoring_postgres",
            count=unreadable,
        ),
    ),
    way_back=WayBack(migration="scoring_results_reverse"),
    shadow=Shadow(comparison="scoring_results_shadow", known="differs_from_legacy"),
)
