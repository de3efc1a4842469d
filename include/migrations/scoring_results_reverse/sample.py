"""The sample: nothing of its own. The rows are those that `scoring_results` makes of its sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from include.trueup.errors import SourceError

from .migration import CONNECTION, RESULTS

if TYPE_CHECKING:
    from include.trueup.stores.postgres import PostgresStore

AFTER = ("scoring_results",)
"""Migrations that come first: this one goes their way back."""


def ready(resolve: Callable[[str], PostgresStore]) -> bool:
    """Whether there is what this one reads."""
    return resolve(CONNECTION).describe(RESULTS) is not None


def fill(resolve: Callable[[str], PostgresStore]) -> dict[str, int]:
    """Put nothing: the sample of scoring_results has all five tables. Raises `SourceError` where they are not there."""
    if not ready(resolve):
        raise SourceError("there is no table scoring_results: fill the sample of scoring_results first")
    return {RESULTS.name: 0}
