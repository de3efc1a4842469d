"""1.0.0 ↔ 1.1.0: the threshold of Thriving, 80 or 75. No score changes, bands do."""

from __future__ import annotations

from .base import ScoringMigration

STEPS = (
    ScoringMigration(from_version="1.0.0", to_version="1.1.0"),
    ScoringMigration(from_version="1.1.0", to_version="1.0.0"),
)
