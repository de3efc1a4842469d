"""What the transform calls to score a response again: the chain of steps, on texts, digit for digit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from include.trueup.rows.values import canonical_number, json_text, json_value

from .steps import Score, rescore


@dataclass(frozen=True, slots=True)
class _Texts:
    index: str | None
    band: str | None
    dimensions: str | None


@lru_cache(maxsize=4096)  # asked for index, band and dimensions of a row, a few thousand rows at a time
def _rescored(stamped: str, wanted: str, dimensions: str | None, index: str | None, band: str | None) -> _Texts:
    scores = json_value(dimensions) if dimensions is not None else {}
    given = Score(
        dimension_scores=scores if isinstance(scores, Mapping) else {},
        index_score=None if index is None else Decimal(index),
        band=band,
    )
    found = rescore(given, stamped, wanted)
    same = found.dimension_scores == given.dimension_scores
    return _Texts(
        index=None if found.index_score is None else canonical_number(str(found.index_score)),
        band=found.band,
        dimensions=dimensions if same else json_text(found.dimension_scores),
    )


def rescored_index(
    stamped: str, wanted: str, dimensions: str | None, index: str | None, band: str | None
) -> str | None:
    """The index of a response under another version; None where it has none. `dimensions` is JSON text, `index` a
    decimal number. Raises `DeclarationError` where no chain of steps leads there."""
    return _rescored(stamped, wanted, dimensions, index, band).index


def rescored_band(stamped: str, wanted: str, dimensions: str | None, index: str | None, band: str | None) -> str | None:
    """The band of the same."""
    return _rescored(stamped, wanted, dimensions, index, band).band


def rescored_dimensions(
    stamped: str, wanted: str, dimensions: str | None, index: str | None, band: str | None
) -> str | None:
    """The dimension scores of the same, as JSON text."""
    return _rescored(stamped, wanted, dimensions, index, band).dimensions
