"""Preflight: where every database stands, that they stand at one phase, and the way from there to the target."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import OptionsError, SourceError
from ..run import Start, Where
from ..run.begin import begin
from ..run.schema_records import REVISIONS, Hop
from ..run.where import code_of_folder, database_of
from ..run.where import where as installation
from ..stores.postgres import PostgresStore
from . import describe
from .history import NOWHERE
from .run import SchemaRun

Heads = Mapping[str, tuple[str, ...]]
"""By database, the revisions that it is at."""


def preflight(run: SchemaRun, triggered_by: str | None = None) -> Start:
    """Enter the run in the ledger, take the hold on its databases (mode apply), and find the way.

    Raises `SourceError` when a database stands between phases or not where the others do, saying which is where;
    `OptionsError` for a target that is not a phase; `TargetHeldError`, `StatusError`."""
    return begin(run, triggered_by, _choose, allowed=_allowed)


def _allowed(run: SchemaRun) -> SchemaRun:
    target, wanted = run.options.target_phase, run.options.target_revision
    if target is not None and target > run.migration.last_phase:
        raise OptionsError(
            f"target_phase is {target}; the phases of {run.migration.id} are 0 to {run.migration.last_phase}"
        )
    if unknown := sorted({*wanted} - {*run.histories}):
        raise OptionsError(
            f"target_revision names {', '.join(unknown)}; the databases of {run.migration.id} are {', '.join(run.histories)}"
        )
    for database, revision in wanted.items():
        run.histories[database].steps_to((), revision)  # raises where there is none
    return run


def _choose(run: SchemaRun) -> Start:
    """Where every database stands, and the phases that all come to."""
    heads = {database: heads_of(run, database) for database in run.histories}
    phase = phase_of(run, heads)
    if phase is None and not run.options.realign:
        raise SourceError(
            f"the databases of {run.migration.id} are not at one phase: {where(run, heads)}. Nothing was changed. Clear the failed "
            "task of the run that left them so, or start a run with realign set, which brings each to the target from where it is"
        )
    target = run.options.target_phase
    hops = _hops(phase, target) if target is not None else _hops_to_revisions(run, heads, phase)
    return Start(options=run.options, heads=heads, phase=phase, hops=hops, where=_installed(run))


def _hops_to_revisions(run: SchemaRun, heads: Heads, phase: int | None) -> tuple[Hop, ...]:
    """The phases on the way to the revisions that were asked for, and these.

    Raises `OptionsError` where they are no phase, unless the run may leave the databases so (`realign`)."""
    ends = {d: run.options.target_revision.get(d) for d in run.histories}
    after = {d: heads[d] if end is None else (end,) for d, end in ends.items()}
    target = phase_of(run, after)
    if target is not None:
        return _hops(phase, target)
    if not run.options.realign:
        raise OptionsError(
            f"target_revision leads between phases: {where(run, after)} then, which is not one phase. Nothing was changed. Name a "
            "revision for each database so that they are at one, or set realign, which the next run will need, too"
        )
    if phase is None:
        return (REVISIONS,)
    done = {d: run.histories[d].applied(after[d]) for d in run.histories}
    of = {d: run.histories[d].phases for d in run.histories}
    whole = (
        min(min((p for r, p in of[d].items() if r not in done[d]), default=run.migration.last_phase + 1) for d in of)
        - 1
    )
    begun = max(max((of[d][r] for r in done[d]), default=NOWHERE) for d in of)
    on_the_way = whole if whole > phase else begun if begun < phase else phase
    return (*_hops(phase, on_the_way), REVISIONS)


def _installed(run: SchemaRun) -> Where:
    """Where the run is: its databases, as their servers say themselves, and the version of its code."""

    def store(connection: str) -> PostgresStore:
        return PostgresStore(run.uri(connection))

    places = [database_of(declared.connection, store) for declared in run.migration.histories]
    return installation(places, code_of_folder(run.migration.histories[0].script_location.parent))


def heads_of(run: SchemaRun, database: str) -> tuple[str, ...]:
    """The revisions that the database is at."""
    with describe.connected(run.uri_of(database), f"look at the revision of {database}") as connection:
        return run.histories[database].heads(connection)


def phase_of(run: SchemaRun, heads: Heads) -> int | None:
    """The phase that all databases are at (the lowest, where later ones hold nothing), or None where there is none, or one
    of them is between two."""
    if any(history.between(heads[database]) for database, history in run.histories.items()):
        return None
    stand = [history.standing(heads[database]) for database, history in run.histories.items()]
    at = set(stand[0]).intersection(*stand[1:])
    return min(at) if at else None


def where(run: SchemaRun, heads: Heads) -> str:
    """Which database is where, in words."""
    places = []
    for database, history in run.histories.items():
        part = history.between(heads[database])
        if part is not None:
            at = f"stands between phases {' and '.join('none' if p == NOWHERE else str(p) for p in part)}"
        else:
            start = history.standing(heads[database]).start
            at = "is at no phase yet" if start == NOWHERE else f"is at phase {start}"
        places.append(f"{database} {at} (revision {', '.join(heads[database]) or 'none'})")
    return ", ".join(places)


def _hops(phase: int | None, target: int) -> tuple[Hop, ...]:
    """The phases that all databases reach, one after the other."""
    if phase is None:
        return (target,)
    return tuple(range(phase + 1, target + 1) if target > phase else range(phase - 1, target - 1, -1))
