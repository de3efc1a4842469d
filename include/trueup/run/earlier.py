"""What a run that begins again keeps of the plan that it had begun to write: the plan's files, to undo it, and its
baseline, to know its own rows.

They lie under `earlier/<attempt>/`, and `earlier/<attempt>/plan.json` names them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from ..errors import ArtifactError
from ..ledger import Ledger, RunRow, Standing, Status, refuse_other
from ..ledger.holding import Elapsed
from ..steps import StepName, entered
from . import AnyRun, files, newest, order
from .workspace import Artifact, RunFolder

_APPLY = entered(StepName.APPLY, "")


@dataclass(frozen=True, kw_only=True)
class EarlierPlan:
    """A plan that a run had before it began again. `files` are named as the plan's manifests named them, below `folder`.
    `applying`: the parts of apply that had begun to write it (None: of a run that is older than this, any)."""

    attempt: int
    sha256: str
    partitions: int
    at: str
    files: tuple[Artifact, ...]
    applying: frozenset[str] | None = None

    def file(self, folder: RunFolder, path: str) -> Artifact:
        """A file of the plan. Raises `ArtifactError` if there is none."""
        for file in self.files:
            if file.path == path:
                return replace(file, path=files.earlier(self.attempt, path), run=folder.run_id)
        raise ArtifactError(f"run {folder.run_id} left no {path} of its plan {self.attempt}")


def begun_to_apply(ledger: Ledger, run_id: str) -> bool:
    """Whether rows may have been written since the run last began."""
    return bool(applying(ledger, run_id))


def applying(ledger: Ledger, run_id: str) -> frozenset[str]:
    """The parts of apply that have begun since the run last began (`part_of`): what another one was to write is not written."""
    parts = (row for row in ledger.steps(run_id) if row.step.startswith(_APPLY))
    return frozenset(part_of(row.step.removeprefix(_APPLY), row.part) for row in parts)


def part_of(phase_id: str, partition: int | str) -> str:
    """What `applying` calls a part."""
    return f"{phase_id}/{partition}"


def set_aside(run: AnyRun) -> Standing:
    """Before the run begins, again if it has begun before: keep the plan that it had begun to write. Nothing is touched of a
    run that may not begin again, or that has begun again meanwhile. Where it stood then: had it gone on when it begins, what it
    wrote would be forgotten. Raises `StatusError` where it has begun to write, and does not begin again."""
    since = Elapsed(run.ledger.effects)
    row, stood = run.ledger.run_and_standing(run.id)
    if not run.direction.begins_again:
        order.refuse_begun(run, StepName.PREFLIGHT)
    if row is None or row.status in (Status.PROVEN, Status.ROLLED_BACK):
        return stood
    refuse_other(row, run.dag_id, run.airflow_run_id)
    if row.plan_sha256 is not None and run.begun_to_write:
        with newest.asking(run.ledger, run.id, since, row.attempt):
            _keep(run, row)
    return stood


def _keep(run: AnyRun, row: RunRow) -> None:
    folder, attempt = run.folder, row.attempt
    record = files.earlier(attempt)
    if folder.read_json(record) is not None:
        return  # by an earlier try of this preflight
    beginnings = tuple(place.of("") for place in (files.PLAN_FILES, files.BASELINE_FILES, files.FORMER_BASELINE_FILES))
    planned = [f for m in folder.manifests(StepName.PLAN) for f in m.files if f.path.startswith(beginnings)]
    for file in planned:
        folder.copy(file.path, files.earlier(attempt, file.path))
    named = {"sha256": row.plan_sha256, "partitions": row.partitions, "at": row.planned_at}
    parts = sorted(applying(run.ledger, run.id))
    content = {"attempt": attempt, **named, "files": [asdict(f) for f in planned], "applying": parts}
    folder.write(record, json.dumps(content, indent=1, default=datetime.isoformat))


def former(folder: RunFolder, attempt: int) -> list[str]:
    """The folders of what the run, which begins for the `attempt`th time, has kept, or set off, at that time or later: in a life
    that the ledger has forgotten."""
    kept = {
        (place, part.partition("/")[0]) for place in (files.EARLIER, files.SET_OFF) for part in folder.folders(place)
    }
    return [f"{place}/{number}" for place, number in sorted(kept) if int(number) >= attempt]


def plans(folder: RunFolder, attempts: int) -> Sequence[EarlierPlan]:
    """The plans that a run which has begun so often had before, the first one first."""
    earlier = []
    for number in range(1, attempts):
        content = folder.read_json(files.earlier(number))
        if content is not None:
            planned = tuple(Artifact(**file) for file in content.pop("files"))
            parts = content.pop("applying", None)
            earlier.append(EarlierPlan(**content, files=planned, applying=None if parts is None else frozenset(parts)))
    return earlier
