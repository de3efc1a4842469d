"""Section 3 of the contract, in Python over what psycopg reads, and nothing of the migration's own code."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from psycopg.types.string import TextLoader

Row = dict[str, Any]
SINCE = {
    "1.0.0": datetime(2024, 1, 1, tzinfo=UTC),
    "1.1.0": datetime(2024, 6, 1, tzinfo=UTC),
    "2.0.0": datetime(2025, 1, 1, tzinfo=UTC),
}
FIVE = ("clarity", "connection", "contribution", "confidence", "balance")


def exact(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def read(uri: str, query: str) -> list[Row]:
    """Rows; uuids as text, JSON exact, times in UTC."""
    with psycopg.connect(uri, row_factory=dict_row) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.adapters.register_loader("uuid", TextLoader)
        set_json_loads(exact, connection)
        return connection.execute(query.encode()).fetchall()


def stamp(response: Row, surveys: dict[str, Row]) -> str | None:
    """The version in force; None before the first."""
    at = response["submitted_at"]
    if at is None or at < SINCE["1.0.0"]:
        return None
    if at < SINCE["1.1.0"]:
        return "1.0.0"
    config = surveys.get(response["survey_id"], {}).get("scoring_config")
    opted = isinstance(config, dict) and config.get("model") == "2.0.0"
    return "2.0.0" if opted and at >= SINCE["2.0.0"] else "1.1.0"


def band(version: str, index: Decimal | None) -> str | None:
    if index is None or index < 0:
        return None
    if index >= (80 if version == "1.0.0" else 75):
        return "Thriving"
    return "Performing" if index >= 60 else "Developing" if index >= 40 else "Struggling"


def mismatch(response: Row, version: str) -> bool:
    return response["band"] is not None and response["band"] != band(version, response["index_score"])


def rescored(response: Row, stamped: str, wanted: str) -> tuple[Fraction | None, Any]:
    """The index under the other version, exactly, and the dimensions."""
    index, scores = response["index_score"], response["dimension_scores"]
    if (stamped == "2.0.0") == (wanted == "2.0.0"):
        return (None if index is None else Fraction(index)), scores
    names = FIVE if wanted != "2.0.0" else (*FIVE, "growth")
    there = [Fraction(scores[n]) for n in names if isinstance(scores, dict) and scores.get(n) is not None]
    kept = {n: s for n, s in scores.items() if n in names} if isinstance(scores, dict) and wanted != "2.0.0" else scores
    return (sum(there, Fraction()) / len(there) if there else None), kept
