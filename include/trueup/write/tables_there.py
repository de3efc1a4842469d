"""Which tables a plan is about, as their servers name them, and whether they still are those."""

from __future__ import annotations

import json

from ..declare.migration import Target
from ..errors import SourceError
from ..run import Run, TargetFacts, where
from ..run.files import CREATED
from ..run.where import ABSENT
from ..stores import Description


def name_of(run: Run, target: Target, description: Description | None) -> str:
    """The target's table as its server names it (`where.name_of`)."""
    return where.name_of(run.store_of(target.table), target.table, description)


def tables(run: Run) -> dict[str, str]:
    """The name of each target's table now, by target."""
    return {t.id: name_of(run, t, run.store_of(t.table).describe(t.table)) for t in run.migration.targets}


def check(run: Run, *, may_be_made: bool = False) -> None:
    """Raise `SourceError` if a target is not the table that the run's plan was made for, nor made by this run since;
    `may_be_made`: it may be there though it was not, since an earlier try of making it was broken off."""
    planned = begun.tables if (begun := run.files.begun) else None
    if planned is None:
        return  # a run of the first release: it has no plan that may still be applied
    created = run.folder.read_json(CREATED) or {}
    for id, now in tables(run).items():
        planned_as = planned[id]
        created_since = planned_as.endswith(f"#{ABSENT}") and (
            created.get(id) == now or (may_be_made and _place(now) == _place(planned_as))
        )
        if now != planned_as and not created_since:
            table = run.migration.target(id).table.name
            raise SourceError(
                f"the plan of run {run.id} is for table {table!r} as {planned_as}, and what is there is {now}: it was "
                "renamed, dropped or recreated since the plan was made, or the connection points to another "
                "database. Nothing is written to it: bring it back, or trigger a new run, which makes a new "
                "plan"
            )


def enter_created(run: Run, target: Target) -> None:
    """Note that this run has made the target's table."""
    created = run.folder.read_json(CREATED) or {}
    description = run.store_of(target.table).describe(target.table)
    run.folder.write(CREATED, json.dumps({**created, target.id: name_of(run, target, description)}, indent=1))


def left(run: Run, undone: Run) -> list[str]:
    """What the undone run made in addition to rows and is still there, in words: tables and indexes."""
    leftovers = []
    start = undone.files.begun
    created = undone.folder.read_json(CREATED) or {}
    for target in run.migration.targets:
        description = run.store_of(target.table).describe(target.table)
        planned_as = ((start and start.tables) or {}).get(target.id, "")
        if description is None or created.get(target.id) != name_of(run, target, description):
            continue
        if planned_as.endswith(f"#{ABSENT}"):
            leftovers.append(f"table {target.table.name}")
            continue
        before = start.targets.get(target.id, TargetFacts()).indexes if start else None
        declared = {index.name for index in target.table.indexes}
        indexes = [
            name for name in description.indexes if name in declared and before is not None and name not in before
        ]
        leftovers += [f"index {name} of {target.table.name}" for name in indexes]
    return leftovers


def _place(name: str) -> str:
    return name.rpartition("#")[0]
