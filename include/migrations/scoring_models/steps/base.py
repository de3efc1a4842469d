"""What a step between two versions is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from ..versions import version


@dataclass(frozen=True, kw_only=True)
class Score:
    """What a response scored: the scores of its dimensions by name (numbers, or None), the index, and the band."""

    dimension_scores: Mapping[str, Any]
    index_score: Decimal | None
    band: str | None


@dataclass(frozen=True, kw_only=True)
class ScoringMigration:
    """How scores of one version become scores of the next one. Both methods are pure."""

    from_version: str
    to_version: str

    def migrate_scores(self, score: Score) -> Score:
        """Dimensions and index under the new version; here as they were."""
        return score

    def migrate_bands(self, score: Score) -> Score:
        """The band that the new version gives the index."""
        return replace(score, band=version(self.to_version).band(score.index_score))


@dataclass(frozen=True, kw_only=True)
class NewWeights(ScoringMigration):
    """A step to a version with other dimensions or weights: dimensions that only the old version has are dropped, and
    the index is computed again from those that are there. None is made up: what was never asked is absent."""

    def migrate_scores(self, score: Score) -> Score:
        """Dimensions and index as the new version has them; the index is None where the response has none of them."""
        new = version(self.to_version)
        dropped = version(self.from_version).weights.keys() - new.weights.keys()
        kept = {name: value for name, value in score.dimension_scores.items() if name not in dropped}
        return replace(score, dimension_scores=kept, index_score=new.index(kept))
