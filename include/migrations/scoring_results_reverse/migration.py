"""The way back of scoring results: one row of JSON per session into the exploded legacy tables."""

from __future__ import annotations

from pathlib import Path

from include.trueup.declare.migration import Migration, Output, Phase, Source, Table, Target, Type

from . import suites
from .payload import exploded

HERE = Path(__file__).parent
CONNECTION = "scoring_postgres"
SESSION = ("session_id",)
TEXT, NUMBER, INTEGER, TIMESTAMP, JSON = Type.TEXT, Type.NUMBER, Type.INTEGER, Type.TIMESTAMP, Type.JSON


def _table(name: str, key: tuple[str, ...], **columns: Type) -> Table:
    return Table(name=name, connection=CONNECTION, key=key, columns={"session_id": TEXT, **columns})


RESULTS = _table("scoring_results", SESSION, payload=JSON, computed_at=TIMESTAMP)
PROFILES = _table(
    "profiles",
    SESSION,
    **dict.fromkeys(("type_code", "base_func", "creative_func", "overlay", "results_version"), TEXT),
    confidence=NUMBER,
    created_at=TIMESTAMP,
    updated_at=TIMESTAMP,
)
TYPES = _table("scoring_results_types", (*SESSION, "type_code"), type_code=TEXT, fit=NUMBER, share=NUMBER, rank=INTEGER)
FUNCTIONS = _table(
    "scoring_results_functions", (*SESSION, "func_code"), func_code=TEXT, strength=NUMBER, dimension=INTEGER
)
STATE = _table("scoring_results_state", SESSION, overlay_band=TEXT, effective_confidence=NUMBER, blocks=JSON)
LEGACY = {"profiles": PROFILES, "types": TYPES, "functions": FUNCTIONS, "state": STATE}

migration = Migration(
    id="scoring_results_reverse",
    title="Scoring results, the way back",
    owner="prism",
    doc=(HERE / "README.md").read_text(encoding="utf-8"),
    sources=(
        Source(
            id="results",
            table=RESULTS,
            partition_by=SESSION,
            window="computed_at",
            ignores=("type_code", "confidence", "scoring_version"),  # the payload says the same
        ),
        # read as they are, so that one that is gone is refused by name and not made
        *(
            Source(id=f"legacy_{id}", table=table, partition_by=SESSION, carries_extra=True)
            for id, table in LEGACY.items()
        ),
    ),
    targets=tuple(Target(id=id, table=table, partition_by=SESSION) for id, table in LEGACY.items()),
    phases=(
        Phase(
            id="legacy",
            title="Legacy tables",
            source="results",
            transform=HERE / "reverse.sql",
            outputs=(
                Output(target="profiles", suite=suites.profiles),
                Output(target="types", suite=suites.types, parent=SESSION),
                Output(target="functions", suite=suites.functions, parent=SESSION),
                Output(target="state", parent=SESSION),
            ),
        ),
    ),
    functions={"exploded": exploded},
    suite=suites.whole,
)
