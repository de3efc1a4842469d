"""Preflight: where every database stands, that they stand at one phase, and the way from there to the target."""

from __future__ import annotations

from ..errors import OptionsError, SourceError
from ..run import Start, Where
from ..run.begin import begin
from ..run.where import code_of_folder, database_of
from ..run.where import where as installation
from ..stores.postgres import PostgresStore
from . import describe
from .history import NOWHERE
from .run import SchemaRun


def preflight(run: SchemaRun, triggered_by: str | None = None) -> Start:
    """Enter the run in the ledger, take the hold on its databases (mode apply), and find the way.

    Raises `SourceError` when a database stands between phases or not where the others do, saying which is where;
    `OptionsError` for a target that is not a phase; `TargetHeldError`, `StatusError`."""
    return begin(run, triggered_by, _choose, allowed=_allowed)


def _allowed(run: SchemaRun) -> SchemaRun:
    if (target := run.options.target_phase) > run.migration.last_phase:
        raise OptionsError(
            f"target_phase is {target}; the phases of {run.migration.id} are 0 to {run.migration.last_phase}"
        )
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
    return Start(
        options=run.options,
        heads=heads,
        phase=phase,
        hops=_hops(phase, run.options.target_phase),
        where=_installed(run),
    )


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


def phase_of(run: SchemaRun, heads: dict[str, tuple[str, ...]]) -> int | None:
    """The phase that all databases are at (the lowest, where later ones hold nothing), or None where there is none."""
    stand = [history.standing(heads[database]) for database, history in run.histories.items()]
    at = set(stand[0]).intersection(*stand[1:])
    return min(at) if at else None


def where(run: SchemaRun, heads: dict[str, tuple[str, ...]]) -> str:
    """Which database is where, in words."""
    said = []
    for database, history in run.histories.items():
        stand = history.standing(heads[database])
        phases = "no phase yet" if stand.start == NOWHERE else f"phase {stand.start}"
        said.append(f"{database} is at {phases} (revision {', '.join(heads[database]) or 'none'})")
    return ", ".join(said)


def _hops(phase: int | None, target: int) -> tuple[int, ...]:
    """The phases that all databases reach, one after the other."""
    if phase is None:
        return (target,)
    return tuple(range(phase + 1, target + 1) if target > phase else range(phase - 1, target - 1, -1))
