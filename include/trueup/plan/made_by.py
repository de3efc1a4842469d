"""By which code rows were made, so that those of all partitions are by one: a migration may be deployed anew while a run of it
goes on, and a single task cleared after that."""

from __future__ import annotations

import hashlib
import json

from ..declare.migration import Migration, Phase
from ..errors import ArtifactError
from ..run import Run
from ..run.facts import transformed
from ..stores import arrow_schema


def code_of(migration: Migration, phase: Phase) -> str:
    """SHA-256 over what makes the phase's rows, but for params, sources and what is shared, which have their own: its scripts or
    those of its function, derived relations, constants, and the columns of its targets."""
    targets = [migration.target(output.target) for output in phase.outputs]
    made = {
        "scripts": [path.read_bytes().hex() for path in phase.code],
        "derived": {
            each.id: [each.query.read_bytes().hex(), *map(str, each.columns.items())] for each in migration.derived
        },
        "constants": {name: [*map(dict, rows)] for name, rows in migration.constants.items()},
        "targets": {
            t.id: [*(f"{field.name} {field.type}" for field in arrow_schema(t.table)), *t.table.key] for t in targets
        },
    }
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()


def refuse_several(run: Run) -> None:
    """Raise `ArtifactError` where the rows of a phase were made by one code in some partitions, and by another in others."""
    parts = transformed(run)
    for phase in run.migration.phases:
        # a former release noted none
        codes = [(number, part.code[phase.id]) for number, part in enumerate(parts) if phase.id in part.code]
        if others := [number for number, code in codes if code != codes[0][1]]:
            raise ArtifactError(
                f"phase {phase.id!r}: the rows of partition {others[0]} were made by other code than those of partition {codes[0][0]}: "
                "the migration was deployed anew while the run went on, or one part was cleared since. Clear the task transform, in "
                "all its parts and with all that follow it, or trigger the DAG again"
            )
