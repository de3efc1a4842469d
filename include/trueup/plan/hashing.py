"""The name of a plan: a hash of what it would write, where, and by which scripts.

Covered are: each row to add, change or remove, with its verb and its before-image; the targets, as their servers name
them; the scripts that run; the options that decide what is written. Not the run's id, its time, mode, approval, budgets,
rate or partitions, nor rows that stay: a plan made again, with nothing changed, has the same name.

The rows are hashed where they are planned, each by SHA-256, and a partition's hashes are added up (modulo 2^256). The sum
of all partitions does not depend on how the rows are split, nor on their order; with their number and with keys that are
unique, it stands for the rows in the order of their keys.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from pydantic import JsonValue

from ..declare.migration import Target
from ..declare.names import BEFORE, PLANNED, VERB
from ..errors import ArtifactError
from ..rows import duck
from ..run import Mode, Run, StepName, to_values
from ..run.facts import Digest, PartPlan, planned
from ..run.workspace import Manifest
from ..stores import arrow_schema
from .files import ADD, REMOVE, WRITTEN

FORMAT = 2
"""Of what is hashed. Plans of the first release have none: their hash is that of their files (`files_hash`)."""
_MODULUS = 1 << 256
_LIMBS = tuple(1 << (32 * (7 - n)) for n in range(8))


def digest(connection: duckdb.DuckDBPyConnection, target: Target, plan: str) -> Digest:
    """The digest of the planned rows in the relation `plan`, of one partition."""
    names = [field.name for field in arrow_schema(target.table)]
    new, before = _texts(PLANNED, names), _texts(f"{PLANNED}.{BEFORE}", names)
    # rows to add have no before-image; of a row to be removed, the row and its before-image are one
    text = (
        f"CASE {VERB} WHEN '{ADD}' THEN concat({VERB}, {new}) WHEN '{REMOVE}' THEN concat({VERB}, {before}) "
        f"ELSE concat({VERB}, {new}, '|', {before}) END"
    )
    written = f"FROM {plan} {PLANNED} WHERE {VERB} IN {WRITTEN}"
    reader = connection.sql(f"SELECT unhex(sha256({text})) AS hash {written}").to_arrow_reader(20_480)
    total = 0
    for batch in reader:
        hashes = np.frombuffer(b"".join(batch.column(0).to_pylist()), dtype=">u4").reshape(-1, 8)
        limbs = hashes.sum(axis=0, dtype=np.uint64).tolist()
        total += sum(limb * weight for limb, weight in zip(limbs, _LIMBS, strict=True))
    counts = dict(connection.execute(f"SELECT {VERB}, count(*) {written} GROUP BY 1").fetchall())
    return Digest(sum=f"{total % _MODULUS:064x}", **{verb: counts.get(verb, 0) for verb in WRITTEN})


def _texts(row: str, names: Sequence[str]) -> str:
    """SQL: of each value its length, `:`, and the value; of null, `:` alone, since `concat` leaves nulls out."""
    texts = (f"CAST({row}.{duck.identifier(name)} AS VARCHAR)" for name in names)
    return ", ".join(f"strlen({text}), ':', {text}" for text in texts)


def plan_hash(run: Run) -> str:
    """SHA-256 of what the run's plan would do: what a person approves. Raises `ArtifactError` if the plan is not whole."""
    manifests = run.manifests(StepName.PLAN)
    parts = [PartPlan.from_json(manifest.facts) for manifest in manifests]
    if not all(any(output.digest for output in part.outputs.values()) for part in parts):
        return _former_hash(run, manifests)
    return hash_of(covered(run, parts))


def hash_of(covers: Mapping[str, JsonValue]) -> str:
    """The hash of what a plan covers (`covered`)."""
    return hashlib.sha256(json.dumps(covers, sort_keys=True, default=str).encode()).hexdigest()


def covered(run: Run, parts: Sequence[PartPlan] | None = None) -> dict[str, JsonValue]:
    """All that the hash is over, as JSON values. Raises `ArtifactError` if the plan is not whole, or has no digests."""
    parts = planned(run) if parts is None else parts
    options, migration = run.options.to_json(), run.migration
    decide = ("window", "extra", "overwrite_drift", "params")
    outputs = [output for phase in run.phases for output in phase.outputs]
    return to_values(
        _Covered(
            migration=migration.id,
            tables=begun.tables if (begun := run.files.begun) else None,
            columns={
                o.name: [f"{field.name} {field.type}" for field in arrow_schema(migration.target(o.target).table)]
                for o in outputs
            },
            made={t.id: [*t.table.key, *map(repr, t.table.indexes)] for t in migration.targets},
            scripts=_scripts(run),
            options={name: options[name] for name in decide} if run.undoes is None else {},
            rows={o.name: _added_up(run, o.name, parts) for o in outputs},
        )
    )


@dataclass(frozen=True, kw_only=True)
class _Covered:
    """What the hash of a plan is over; of targets and outputs by their ids and names."""

    format: int = FORMAT
    migration: str
    tables: Mapping[str, str] | None
    columns: Mapping[str, list[str]]
    made: Mapping[str, list[str]]
    scripts: Mapping[str, str]
    options: Mapping[str, JsonValue]
    rows: Mapping[str, Digest]


def files_hash(run: Run) -> str:
    """SHA-256 over the names and hashes of the plan's files: whether they are still those that were judged."""
    return _former_hash(run, run.manifests(StepName.PLAN))


def check_files(
    undone: Run, plan_sha256: str, files_sha256: str | None, covers: Mapping[str, JsonValue] | None
) -> None:
    """Raise `ArtifactError` unless the plan in the run's folder is the one with these hashes; `covers` is what was hashed,
    as it was published. A script or a declaration that was changed since makes no difference."""
    manifests = undone.manifests(StepName.PLAN)
    files_hash_now = _former_hash(undone, manifests)
    same = files_hash_now == (plan_sha256 if files_sha256 is None else files_sha256)
    if files_sha256 is not None:
        same = same and covers is not None and hash_of(covers) == plan_sha256
    if not same:
        raise ArtifactError(f"the plan of run {undone.id} in the workspace is not the one that was applied")


def _former_hash(run: Run, manifests: list[Manifest]) -> str:
    files = sorted(f"{f.path} {f.sha256}" for m in manifests for f in m.files)
    kind = f"{run.migration.id} {run.options.mode is Mode.VERIFY}"
    return hashlib.sha256("\n".join([kind, *files]).encode()).hexdigest()


def _added_up(run: Run, output: str, parts: Sequence[PartPlan]) -> Digest:
    digests = [digest for part in parts if (digest := part.outputs[output].digest) is not None]
    if len(digests) != len(parts):
        raise ArtifactError(f"the plan of run {run.id} says nothing of what it would write to {output!r}; plan again")
    total = sum(int(each.sum, 16) for each in digests) % _MODULUS
    return Digest(sum=f"{total:064x}", **{verb: sum(getattr(each, verb) for each in digests) for verb in WRITTEN})


def _scripts(run: Run) -> dict[str, str]:
    """The SHA-256 of each script that the run would run, by what it is: by names that stay, since they are in the hash."""
    scripts: dict[str, Path | str | None] = {}
    for target in run.migration.targets:
        if run.undoes is None:
            scripts[f"{target.id}.create"] = target.create
            scripts[f"{target.id}.before"] = target.prepare
        else:
            scripts[f"{target.id}.undo"] = target.undo
    if run.undoes is None:
        scripts |= {f"{p.id}.after.{n}": script for p in run.migration.phases for n, script in enumerate(p.finish)}
        for phase in run.migration.phases:
            if phase.function is not None:  # the rows are in the hash; code may do other things of other rows
                scripts |= {f"{phase.id}.transform.{path.name}": path for path in phase.code}
    return {
        name: hashlib.sha256(Path(path).read_bytes()).hexdigest() for name, path in scripts.items() if path is not None
    }
