"""One snapshot for all runs of a backfill: a window's run may use the sources as an earlier run of it read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from ..run import Files, Options, Run, StepName
from ..run.files import SNAPSHOT_FILES
from ..run.partitions import read_otherwise
from ..run.where import Where
from ..run.workspace import Artifact


def earlier(run: Run, where: Callable[[], Where]) -> tuple[str, Options] | None:
    """The run whose snapshot of the sources this one may use, and that run's options; None if it must read them itself.

    Sound only if that snapshot was begun after this run's window closed, and if the migration reads no table that it
    writes: there, the run before has changed what is read. It must be one that was taken to be used so, no older than
    the options allow, and whole; read from where this run (`where`) would read, and as its sources are declared now."""
    window, limit = run.options.window, timedelta(hours=run.options.snapshot_max_age)
    if window is None or not limit or any(run.migration.read_with(target) for target in run.migration.targets):
        return None
    for other in run.ledger.runs(run.migration.id):
        begun = other.started_at
        if run.effects.now() - begun > limit:
            return None
        start = Files(run.workspace.run(other.run_id)).begun
        if other.run_id == run.id or other.undoes or start is None or start.snapshot_of:
            continue
        options = start.row_options
        manifests = run.workspace.run(other.run_id).manifests(StepName.SNAPSHOT)
        counts = (run.options.partitions, options.partitions), (run.options.segments, options.segments)
        if (
            begun >= window.end
            and options.snapshot_max_age
            and all(mine in (None, its) for mine, its in counts)
            and len(manifests) == options.segments
            and not any(read_otherwise(manifests, source) for source in run.migration.sources)
            and _same_places(run, start.where, where())
        ):
            return other.run_id, options
    return None


def _same_places(run: Run, then: Where | None, now: Where) -> bool:
    """Whether the connections of all sources are known to lead where they did, by the servers' own word."""
    connections = {source.table.connection for source in run.migration.sources}
    places, before = ({p.connection: p.place for p in each.places} if each else {} for each in (now, then))
    return all(places.get(c) is not None and places[c] == before.get(c) for c in connections)


def sources(run: Run, segment: int) -> tuple[tuple[Artifact, ...], dict[str, int]]:
    """The files of every source in one segment of the snapshot that the run uses, as files of the run that has them,
    and their rows, by source."""
    id = run.files.start.snapshot_of or run.id
    ids = [source.id for source in run.migration.sources]
    manifest = run.workspace.run(id).manifests(StepName.SNAPSHOT, run.segments)[segment]
    files = (replace(f, run=id) for name in ids for f in SNAPSHOT_FILES.among([manifest], name))
    return tuple(files), {name: rows for name, rows in manifest.facts.items() if name in ids}
