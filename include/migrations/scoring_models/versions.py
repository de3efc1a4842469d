"""The registry of scoring models. A published version never changes: a change is a new version (docs/model-updates.md).

`PUBLISHED` pins the checksum of each, so that an edit of a published definition is an error before it does anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

from include.trueup.errors import DeclarationError
from include.trueup.rows.values import json_text

INDEX_DIGITS = 16
"""Fractional digits that an index keeps where the mean has more, as one over three has; an exact mean stays exact."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """A band: its name, and the smallest index that is in it."""

    name: str
    minimum: Decimal


@dataclass(frozen=True, kw_only=True)
class CalculationRules:
    """How an index comes about: `index`, the mean of the dimensions by their weights; `absent_dimensions`, what happens
    where a response lacks some (their weight is shared among the others); `rounding` of a mean without end."""

    index: str = "weighted_mean"
    absent_dimensions: str = "renormalise"
    rounding: str = f"half_even_{INDEX_DIGITS}"


@dataclass(frozen=True, kw_only=True)
class ScoringModelVersion:
    """A model version: in force from `effective_from` on; with `opt_in`, for surveys only whose `scoring_config.model`
    names it. `bands` from the highest to the lowest; `weights` by dimension."""

    version: str
    effective_from: datetime
    bands: tuple[Band, ...]
    weights: Mapping[str, Decimal]
    rules: CalculationRules = CalculationRules()
    opt_in: bool = False

    @property
    def definition(self) -> str:
        """All of it, as canonical JSON."""
        rules = {name: getattr(self.rules, name) for name in ("index", "absent_dimensions", "rounding")}
        return json_text(
            {
                "version": self.version,
                "effective_from": self.effective_from.isoformat(),
                "opt_in": self.opt_in,
                "bands": [{"name": band.name, "minimum": band.minimum} for band in self.bands],
                "weights": dict(self.weights),
                "rules": rules,
            }
        )

    @property
    def checksum(self) -> str:
        """SHA-256 of the definition, in hex."""
        return hashlib.sha256(self.definition.encode()).hexdigest()

    def band(self, index: Decimal | None) -> str | None:
        """The band of an index; None for no index, and for one below every band."""
        return next((band.name for band in self.bands if index is not None and index >= band.minimum), None)

    def index(self, dimension_scores: Mapping[str, Any]) -> Decimal | None:
        """The mean of the model's dimensions that are there (not null), by their weights; None where none is."""
        there = [(weight, dimension_scores.get(name)) for name, weight in self.weights.items()]
        present = [(weight, Decimal(score)) for weight, score in there if score is not None]
        if not present:
            return None
        with localcontext() as exactly:
            exactly.prec = 100
            mean = sum((w * s for w, s in present), Decimal(0)) / sum((w for w, _ in present), Decimal(0))
            exponent = mean.as_tuple().exponent
            if isinstance(exponent, int) and exponent < -INDEX_DIGITS:
                mean = mean.quantize(Decimal(1).scaleb(-INDEX_DIGITS), ROUND_HALF_EVEN)
            return mean


def _bands(thriving: int) -> tuple[Band, ...]:
    minimums = {"Thriving": thriving, "Performing": 60, "Developing": 40, "Struggling": 0}
    return tuple(Band(name=name, minimum=Decimal(minimum)) for name, minimum in minimums.items())


_FIVE = dict.fromkeys(("clarity", "connection", "contribution", "confidence", "balance"), Decimal(1))

VERSIONS: tuple[ScoringModelVersion, ...] = (
    ScoringModelVersion(
        version="1.0.0", effective_from=datetime(2024, 1, 1, tzinfo=UTC), bands=_bands(80), weights=_FIVE
    ),
    ScoringModelVersion(
        version="1.1.0", effective_from=datetime(2024, 6, 1, tzinfo=UTC), bands=_bands(75), weights=_FIVE
    ),
    ScoringModelVersion(
        version="2.0.0",
        effective_from=datetime(2025, 1, 1, tzinfo=UTC),
        bands=_bands(75),
        weights={**_FIVE, "growth": Decimal(1)},
        opt_in=True,
    ),
)
"""Every published version, in the order of their dates. Weights are relative to each other."""

PUBLISHED: Mapping[str, str] = {
    "1.0.0": "20f620e8e84e3d2828492470020cd1a10d3a4a2d3e3cedf1a39d77c6d73103d5",
    "1.1.0": "ee46afbbba99a4c312f91f248fa14163bebd8345830d61a16068c431ae855e71",
    "2.0.0": "a3b3e63038eceabaae7c6bcd22acffd45c724c3583422db38af3702b9ebfe88a",
}
"""The checksum of every published version, written here when it is published."""


def version(name: str) -> ScoringModelVersion:
    """The version of that name. Raises `DeclarationError` if there is none."""
    for found in VERSIONS:
        if found.version == name:
            return found
    raise DeclarationError(f"there is no scoring model {name!r}; there are {', '.join(v.version for v in VERSIONS)}")


def check() -> None:
    """Raise `DeclarationError` where a version is not the one that was published."""
    for each in VERSIONS:
        if PUBLISHED.get(each.version) != each.checksum:
            raise DeclarationError(
                f"scoring model {each.version} is not what PUBLISHED in versions.py pins (its checksum is {each.checksum}): "
                "a published version never changes. Undo the change and publish a new version (docs/model-updates.md)"
            )
    if gone := sorted(PUBLISHED.keys() - {v.version for v in VERSIONS}):
        raise DeclarationError(f"scoring models {gone} are published but not in VERSIONS any more; put them back")


def in_force(submitted_at: datetime, asked: str | None) -> ScoringModelVersion | None:
    """The version in force at an instant, for a survey whose `scoring_config.model` is `asked`; None before the first."""
    there = [v for v in VERSIONS if v.effective_from <= submitted_at and (not v.opt_in or v.version == asked)]
    return there[-1] if there else None
