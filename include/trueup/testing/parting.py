"""How rows are parted for a second look, as a run parts them, and what becomes of them otherwise than where all lie together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from ..declare import Migration
from ..plan.inputs import cast
from ..rows import duck

if TYPE_CHECKING:
    from .checking import Made

MOST = 64
"""Into how many partitions rows are parted at most, to have the first of them in different ones."""
_FEW, _MANY_PHASES = 4, 3
"""Partitions with rows in them, and of a migration of so many phases half of that: each runs all of its scripts again."""
_SHOWN = 3
_REMEDY = (
    "A run has several partitions: give each Source whose rows must be seen together partition_by, the same columns that they "
    "have in common (of a look-up None), or compute what is of all rows in Migration(shared=…)"
)


@dataclass(frozen=True)
class Parting:
    """How many partitions there are, and those that need be looked at: with rows in them, and one without."""

    partitions: int
    looked_at: tuple[int, ...]


def parting(migration: Migration, tables: Mapping[str, pa.Table]) -> Parting | None:
    """How to part the rows so that as many as may be lie apart; None where every partition sees all."""
    sources = [source for source in migration.sources if source.partition_by is not None]
    if not sources:
        return None
    places: set[int] = set()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")  # as `duck.connect`: values are compared by their text
        for source in sources:
            if source.id in tables:
                columns = source.partition_by or ()
                values = ", ".join(cast(name, source.columns[name]) for name in columns)
                connection.register("given", tables[source.id])
                numbers = connection.execute(f"SELECT DISTINCT {duck.place(columns)} FROM (SELECT {values} FROM given)")
                places.update(n for (n,) in numbers.fetchall())
    most = _FEW if len(migration.phases) < _MANY_PHASES else _FEW // 2
    partitions = max(range(2, MOST + 1), key=lambda n: (min(_held(places, n), most), -n))
    looked_at = {place % partitions for place in places}
    if any(derived.partition_by is not None for derived in migration.derived):
        looked_at = {*range(partitions)}  # its rows lie in partitions of their own
    empty = next((n for n in range(partitions) if n not in looked_at), None)
    if len(looked_at) == 1 and empty is not None:  # all that is made of rows is made as before
        return Parting(partitions, (min(looked_at), empty))
    return Parting(partitions, tuple(sorted(looked_at)))


def _held(places: Iterable[int], partitions: int) -> int:
    return len({place % partitions for place in places})


def apart(partitions: int, whole: Made, parted: Made) -> Iterator[str]:
    """What is made of the rows, and said of them, in so many partitions and not in one, or the other way round; in words, with
    the remedy at the end."""
    differ = False
    for target in dict.fromkeys(whole.targets):
        words = [*_differing(f"target {target}: the row", *(Counter(_rows(made, target)) for made in (whole, parted)))]
        differ = differ or bool(words)
        yield from words
    words = [*_differing("the finding", *(Counter(set(_findings(made))) for made in (whole, parted)))]
    yield from words
    if differ or words:
        yield f"Rows become others in {partitions} partitions than in one. {_REMEDY}"


def _rows(made: Made, target: str) -> Iterator[str]:
    for each in made.planned:
        if each.target == target:
            values: dict[str, Any] = {name: value for name, value in each.row.items() if value is not None}
            yield f"{values} of source row {each.key}"


def _findings(made: Made) -> Iterator[str]:
    for each in made.findings:
        subject = "" if each.key is None else f" of source row {each.key}"
        yield f"{each.severity} {each.code}{subject} (phase {each.phase}): {each.message}".removesuffix(": ")


def _differing(what: str, one: Counter[str], several: Counter[str]) -> Iterator[str]:
    for only, here, others in (("together", one, several), ("apart", several, one)):
        only_here = sorted((here - others).elements())
        yield from (f"{what} {each} is made only where rows lie {only}" for each in only_here[:_SHOWN])
        if len(only_here) > _SHOWN:
            yield f"… and {len(only_here) - _SHOWN:,} more of these only where rows lie {only}"
