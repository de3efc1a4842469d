"""How fast a step goes on that reads, plans or verifies: in rows of its parts that are done, over its last minute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from include.trueup.errors import ArtifactError
from include.trueup.ledger import StepRow
from include.trueup.run.facts import handled

from .files import folder
from .progress import MINUTE, Step, rounded

MAPPED = ("snapshot", "transform", "plan", "read_back", "verify")
"""Steps whose parts deal with rows that a page can count, beside `apply`, which enters its batches."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """A part that is done: when, and the rows that it dealt with."""

    at: datetime
    rows: int


def counted(id: str, steps: Sequence[Step], entered: Iterable[StepRow]) -> list[Step]:
    """The steps, with rows for those that are under way. `entered`: the parts as the ledger has them."""
    by_name: dict[str, list[StepRow]] = {}
    for row in entered:
        if row.ended_at is not None and row.error is None:
            by_name.setdefault(row.step, []).append(row)
    return [_of(id, step, by_name) for step in steps]


def _of(id: str, step: Step, by_name: dict[str, list[StepRow]]) -> Step:
    if step.name not in MAPPED or step.state not in ("running", "queued", "retrying"):
        return step
    name = f"{step.name}/{step.group}" if step.group else step.name
    done = []
    for row in by_name.get(name, ()):
        assert row.ended_at is not None
        rows = _rows(id, name, row.part, row.ended_at)
        if rows is not None:
            done.append(Done(at=row.ended_at, rows=rows))
    return timed(step, done)


@lru_cache(maxsize=4096)
def _rows(id: str, name: str, part: str, _: datetime) -> int | None:
    """What a part says that ended then; None where it says nothing that can be read."""
    try:
        manifest = folder(id).manifest(name, f"{int(part):03}" if part.isdecimal() else part)
        return None if manifest is None else handled(manifest)
    except ArtifactError:
        return None


def timed(step: Step, done: Sequence[Done]) -> Step:
    """With the rows so far, and rows a second over the last minute in which parts ended; what is left takes as long as so many
    parts of their mean size take at that rate."""
    if not done or step.started_at is None:
        return step
    rows, last = sum(each.rows for each in done), max(each.at for each in done)
    since = max(step.started_at, last - timedelta(seconds=MINUTE))
    seconds = (last - since).total_seconds()
    rate = sum(each.rows for each in done if each.at > since) / seconds if seconds > 0 else None
    if not rate:
        return replace(step, rows=rows)
    rest = (step.total - step.done - step.skipped) * rows / len(done)
    return replace(step, rows=rows, rate=rounded(rate), left=rounded(rest / rate))
