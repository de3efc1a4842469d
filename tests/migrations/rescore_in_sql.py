"""The phase rescore of scoring models as a script, to be held against the function that ships."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from include.migrations.scoring_models.migration import migration
from include.migrations.scoring_models.rescoring import Texts, rescored
from include.trueup.declare.migration import Migration


def _texts(dimensions: str | None, index: str | None, band: str | None) -> Texts:
    return Texts(index=index, band=band, dimensions=dimensions)


def rescored_index(stamped: str, wanted: str, dims: str | None, index: str | None, band: str | None) -> str | None:
    return rescored(stamped, wanted, _texts(dims, index, band)).index


def rescored_band(stamped: str, wanted: str, dims: str | None, index: str | None, band: str | None) -> str | None:
    return rescored(stamped, wanted, _texts(dims, index, band)).band


def rescored_dimensions(stamped: str, wanted: str, dims: str | None, index: str | None, band: str | None) -> str | None:
    return rescored(stamped, wanted, _texts(dims, index, band)).dimensions


def in_sql() -> Migration:
    """The migration with that phase in SQL."""
    phases = tuple(
        replace(phase, transform=Path(__file__).with_name("rescore.sql")) if phase.id == "rescore" else phase
        for phase in migration.phases
    )
    functions = {f.__name__: f for f in (rescored_index, rescored_band, rescored_dimensions)}
    return replace(migration, phases=phases, functions=functions)
