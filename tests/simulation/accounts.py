"""Laws of what is told: each source row that is not written has a finding that says why, and nothing is written over that could not
be put back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from include.trueup.ledger import RunRow

from .declared import rejected

if TYPE_CHECKING:
    from .world import World


def _rejects(world: World, rows: dict[str, RunRow]) -> Iterator[str]:
    """10. What is rejected is counted, and has a finding with its code."""
    for id, seen in world.oracle.runs.items():
        row = rows.get(id)
        if seen.report is None or row is None or row.undoes is not None:
            continue
        report = json.loads(seen.report)
        told = Counter[str]()
        for finding in report["findings"]:
            told[finding["code"]] += finding["count"] if finding["severity"] == "reject" else 0
        counted = sum(phase["rejected"] for phase in report["plan"]["phases"])
        ways = [
            Counter(code for row in state.values() if (code := rejected(row, version, world.setup)))
            for state in seen.sources
            for version in world.versions_used()
        ]
        for code in sorted({code for way in ways for code in way}):
            least, most = min(way[code] for way in ways), max(way[code] for way in ways)
            if not least <= told[code] <= most:
                yield f"{id} is proven, and tells of {told[code]} rows that are {code}; there were {least} to {most}"
        if counted != sum(told.values()):
            yield f"{id} is proven, counts {counted} rows as rejected, and tells of {sum(told.values())}"


def _for_good(world: World, _: dict[str, RunRow]) -> Iterator[str]:
    """7. Nothing is written over that no rollback could put back."""
    for change in world.oracle.changes:
        if not change.run or world.setup.kind != "postgres" or change.old is None or change.old[-1] is None:
            continue
        run = next(each for each in world.runs if each.id == change.run)
        if run.given.undoes is None:
            yield f"{change.process} wrote over {change.key}, which held {change.old[-1]}: no rollback puts that back"


LAWS: tuple[tuple[int, Callable[[World, dict[str, RunRow]], Iterator[str]]], ...] = ((10, _rejects), (7, _for_good))
