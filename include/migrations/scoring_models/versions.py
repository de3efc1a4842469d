"""The registry of scoring models. A published version never changes: a change is a new version (docs/model-updates.md).

`PUBLISHED` pins the checksum of each, so that an edit of a published definition is an error before it does anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType

from include.trueup.errors import DeclarationError
from include.trueup.rows.values import json_text

from .rounding import Rounding


@dataclass(frozen=True, kw_only=True)
class Band:
    """A band: its name, and the smallest index that is in it."""

    name: str
    minimum: Decimal


Scores = Sequence[tuple[Fraction, Fraction]]
"""The weight and the score of each dimension that counts; at least one."""


def _weighted_mean(scores: Scores) -> Fraction:
    return sum((weight * score for weight, score in scores), Fraction()) / sum(
        (weight for weight, _ in scores), Fraction()
    )


def _median(scores: Scores) -> Fraction:
    ordered = sorted(score for _, score in scores)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _minimum(scores: Scores) -> Fraction:
    return min(score for _, score in scores)


_INDEXES: Mapping[str, Callable[[Scores], Fraction]] = MappingProxyType(
    {"weighted_mean": _weighted_mean, "median": _median, "minimum": _minimum}
)
_ABSENT = ("renormalise", "zero", "refuse")


@dataclass(frozen=True, kw_only=True)
class CalculationRules:
    """How an index comes about. `score_under` in the database (prepare_scores.sql) computes the same.

    `index`: `weighted_mean` of the dimensions, their `median` or their `minimum` (these two know no weights).
    `absent_dimensions`, where a response lacks some, but not all, of the model's: `renormalise` leaves them out, so that
    the others share their weight; `zero` counts them as 0; `refuse` gives no index. A response that has none of them has no
    index, whatever the rule. `rounding`: `none`, or `half_even:<places>` (`rounding.Rounding`).
    """

    index: str = "weighted_mean"
    absent_dimensions: str = "renormalise"
    rounding: str = "none"

    def check(self, version: str) -> None:
        """Raise `DeclarationError` for a rule that is not known."""
        known = {"index": tuple(_INDEXES), "absent_dimensions": _ABSENT}
        for name, values in known.items():
            if (value := getattr(self, name)) not in values:
                raise DeclarationError(
                    f"scoring model {version}: calculation rule {name} is {value!r}; it can be {', '.join(values)}"
                )
        try:
            Rounding.parse(self.rounding)
        except ValueError as error:
            raise DeclarationError(f"scoring model {version}: calculation rule {error}") from None


@dataclass(frozen=True, kw_only=True)
class ScoringModelVersion:
    """A model version: in force from `effective_from` on; with `opt_in`, for surveys only whose `scoring_config.model`
    names it. `bands` from the highest to the lowest; `weights` by dimension, each above 0."""

    version: str
    effective_from: datetime
    bands: tuple[Band, ...]
    weights: Mapping[str, Decimal]
    calculation_rules: CalculationRules = CalculationRules()
    opt_in: bool = False

    @property
    def definition(self) -> str:
        """All of it, as canonical JSON."""
        rules = self.calculation_rules
        return json_text(
            self._declaration
            | {
                "calculation_rules": {
                    "index": rules.index,
                    "absent_dimensions": rules.absent_dimensions,
                    "rounding": rules.rounding,
                }
            }
        )

    @property
    def superseded(self) -> str:
        """The definition as the first release stored it (for a version of that release)."""
        cut = {"index": "weighted_mean", "absent_dimensions": "renormalise", "rounding": "half_even_16"}
        return json_text(self._declaration | {"rules": cut})

    @property
    def _declaration(self) -> dict[str, object]:
        return {
            "version": self.version,
            "effective_from": self.effective_from.isoformat(),
            "opt_in": self.opt_in,
            "bands": [{"name": band.name, "minimum": band.minimum} for band in self.bands],
            "weights": dict(self.weights),
        }

    @property
    def checksum(self) -> str:
        """SHA-256 of the definition, in hex."""
        return checksum(self.definition)

    def band(self, index: Decimal | None) -> str | None:
        """The band of an index; None for no index, and for one below every band."""
        return next((band.name for band in self.bands if index is not None and index >= band.minimum), None)

    def index(self, dimension_scores: Mapping[str, object]) -> Decimal | None:
        """The index of a response by its scores: JSON values by dimension, of which those that are no number count as
        absent. None where the response has none of the model's dimensions, or the rules refuse it."""
        rules = self.calculation_rules
        given = {name: _number(dimension_scores.get(name)) for name in self.weights}
        present = [(Fraction(self.weights[name]), score) for name, score in given.items() if score is not None]
        if not present or (rules.absent_dimensions == "refuse" and len(present) < len(given)):
            return None
        if rules.absent_dimensions == "zero":
            present += [(Fraction(self.weights[name]), Fraction()) for name, score in given.items() if score is None]
        return Rounding.parse(rules.rounding).of(_INDEXES[rules.index](present))


def _number(value: object) -> Fraction | None:
    return Fraction(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def checksum(definition: str) -> str:
    """SHA-256 of a definition, in hex."""
    return hashlib.sha256(definition.encode()).hexdigest()


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
    "1.0.0": "5459ed31d918858bbfa7ff56f0636a56e8ca1c58908d707cfc393ed8d280219a",
    "1.1.0": "0dfdeb9243d6dc9db5a59fbd121bdf7135dddee0641a3b30aa22c5495596ef64",
    "2.0.0": "02cf79e27ea0615790fa8c4e4fa4773cad5e4c8e984003b0a4e070555fddbd4d",
}
"""The checksum of every published version, written here when it is published."""

SUPERSEDED: Mapping[str, str] = {
    "1.0.0": "20f620e8e84e3d2828492470020cd1a10d3a4a2d3e3cedf1a39d77c6d73103d5",
    "1.1.0": "ee46afbbba99a4c312f91f248fa14163bebd8345830d61a16068c431ae855e71",
    "2.0.0": "a3b3e63038eceabaae7c6bcd22acffd45c724c3583422db38af3702b9ebfe88a",
}
"""Checksums of the first release, whose rules cut an index to 16 digits: a defect. A stored definition with one of these is
changed, as any planned row; every other one that differs is an error."""


def version(name: str) -> ScoringModelVersion:
    """The version of that name. Raises `DeclarationError` if there is none."""
    for each in VERSIONS:
        if each.version == name:
            return each
    raise DeclarationError(f"there is no scoring model {name!r}; there are {', '.join(v.version for v in VERSIONS)}")


def check() -> None:
    """Raise `DeclarationError` where a version is not the one that was published, has rules or weights that mean
    nothing, or is not later than the one before it."""
    for one, other in pairwise(VERSIONS):
        if other.effective_from <= one.effective_from:
            raise DeclarationError(
                f"scoring model {other.version} is not later than {one.version}, which stands before it"
            )
    for each in VERSIONS:
        each.calculation_rules.check(each.version)
        if not each.weights or any(weight <= 0 for weight in each.weights.values()):
            raise DeclarationError(f"scoring model {each.version}: every dimension needs a weight above 0")
        if PUBLISHED.get(each.version) != each.checksum:
            raise DeclarationError(
                f"scoring model {each.version} is not what PUBLISHED in versions.py pins (its checksum is {each.checksum}): "
                "a published version never changes. Undo the change and publish a new version (docs/model-updates.md)"
            )
    if gone := sorted(PUBLISHED.keys() - {v.version for v in VERSIONS}):
        raise DeclarationError(f"scoring models {gone} are published but no longer in VERSIONS; put them back")


def in_force(submitted_at: datetime, asked: str | None) -> ScoringModelVersion | None:
    """The version in force at an instant, for a survey whose `scoring_config.model` is `asked`; None before the first."""
    candidates = [v for v in VERSIONS if v.effective_from <= submitted_at and (not v.opt_in or v.version == asked)]
    return candidates[-1] if candidates else None
