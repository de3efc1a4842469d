"""The sample: two years of survey responses, made from a seed, every dirty case and every boundary among them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from include.trueup.rows.values import json_text

from .versions import VERSIONS, in_force, version

if TYPE_CHECKING:
    from include.trueup.stores.postgres import PostgresStore

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
SEED = 20251120
SURVEYS, RESPONSES = "surveys", "survey_responses"
RESPONSES_PER_BLOCK = 2_000
FIVE = tuple(VERSIONS[0].weights)
SIX = tuple(VERSIONS[-1].weights)

Row = dict[str, Any]

_CONFIGS: tuple[Any, ...] = (
    {"model": "2.0.0"},
    {"model": "1.1.0"},
    {"model": "1.0.0", "bands": [80, 60]},
    {},
    None,
    [1, 2],
    {"model": None},
    {"model": "9.9.9"},
)
# One response each: what it has instead of what its number would give it.
_DIRTY: tuple[Row, ...] = (
    {"submitted_at": "2023-12-31T23:59:59.999999+00:00"},
    {"submitted_at": "2024-01-01T00:30:00+02:00"},  # another year where it was written
    {"submitted_at": "2019-05-05T05:05:05+00:00", "band": None},
    {"submitted_at": "2024-01-01T00:00:00+00:00"},
    {"submitted_at": "2024-05-31T23:59:59.999999+00:00", "index_score": "78.00", "band": "Performing"},
    {"submitted_at": "2024-06-01T00:00:00+00:00", "index_score": "78.00", "band": "Thriving"},
    {"submitted_at": "2024-12-31T23:59:59.999999+00:00", "survey": 0},
    {"submitted_at": "2025-01-01T00:00:00+00:00", "survey": 0},
    {"submitted_at": "2025-01-01T00:00:00+00:00", "survey": 1},
    {"submitted_at": "2024-12-31T19:00:00-05:00", "survey": 0},
    {"submitted_at": "2024-07-01T12:00:00+00:00", "index_score": "78", "band": "Performing"},  # the band of 1.0.0
    {"submitted_at": "2024-03-01T12:00:00+00:00", "index_score": "78", "band": "Thriving"},  # the band of 1.1.0
    {"index_score": "-1", "band": "Struggling"},
    {"index_score": "120.5", "band": "Thriving"},
    {"index_score": None, "band": "Developing"},
    {"index_score": None, "band": None, "dimension_scores": None},
    {"index_score": "59.99999999999999999999999999999999", "band": "Developing"},
    {"index_score": "60.000", "band": "Performing", "survey": None},
    {"band": "thriving"},
    {"dimension_scores": {"clarity": 70, "balance": 71, "confidence": 71.5}},
    {"dimension_scores": {"clarity": 70, "balance": None}, "answers": None},
    {"dimension_scores": {}},
    {"dimension_scores": [1, 2]},
    {"answers": {"q": ["é\n", 1.50, {"deep": [True, None]}]}},
)


def rows(seed: int = SEED, scale: int = 1) -> dict[str, list[Row]]:
    """The whole sample, in memory: the rows of both tables as JSON values. Always the same for one seed and scale; under
    5 % of the responses are rejected."""
    random = Random(seed)
    surveys = [
        {"id": _uuid(random), "name": f"Survey {n}", "scoring_config": config} for n, config in enumerate(_CONFIGS)
    ]
    responses = []
    for number in range(RESPONSES_PER_BLOCK * scale):
        response = _response(random, surveys)
        dirt = dict(_DIRTY[number % RESPONSES_PER_BLOCK]) if number % RESPONSES_PER_BLOCK < len(_DIRTY) else {}
        if "survey" in dirt:
            survey = dirt.pop("survey")
            response["survey_id"] = None if survey is None else surveys[survey]["id"]
        responses.append(response | dirt)
    return {SURVEYS: surveys, RESPONSES: responses}


def fill(resolve: Callable[[str], PostgresStore]) -> dict[str, int]:
    """Create both tables where they are missing and put the sample's rows that are missing; the sample's rows, by table.
    A row that is there is left as it is. `resolve` gives the store behind a connection id."""
    sample = rows()
    with resolve("survey_postgres").connect() as connection:
        connection.execute((HERE / "sample.sql").read_bytes())
        for table, made in sample.items():
            names = ", ".join(made[0])
            query = (
                f"INSERT INTO {table} ({names}) SELECT {names} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb) s"
                f" WHERE NOT EXISTS (SELECT FROM {table} t WHERE t.id = s.id)"
            )
            put = connection.execute(query.encode(), [json_text(made)]).rowcount
            log.info("sample: %s rows put into %s", f"{put:,}", table)
    return {table: len(made) for table, made in sample.items()}


def _response(random: Random, surveys: list[Row]) -> Row:
    survey = random.choice(surveys)
    submitted = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(microseconds=random.randrange(700 * 86_400_000_000))
    config = survey["scoring_config"]
    model = in_force(submitted, config.get("model") if isinstance(config, dict) else None) or version("1.0.0")
    dimensions = {name: random.randrange(1_500, 10_000) / 100 for name in model.weights}
    index = model.index({name: Decimal(str(score)) for name, score in dimensions.items()})
    return {
        "id": _uuid(random),
        "survey_id": survey["id"],
        "submitted_at": submitted.isoformat(),
        "answers": {f"q{n}": random.randint(1, 5) for n in range(1, 13)},
        "dimension_scores": dimensions,
        "index_score": index,
        "band": model.band(index),
    }


def _uuid(random: Random) -> str:
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
