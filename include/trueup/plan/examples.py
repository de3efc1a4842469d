"""Example rows of a plan, for the person who reviews it: a few of each verb, of what is rejected and of what is extra."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ..declare.migration import Output, Phase, Target
from ..declare.names import BEFORE, KEY, PLANNED, VERB
from ..rows import duck
from ..run import Run, Session, StepName
from ..run.files import EXAMPLES, PLAN_FILES, REJECT_FILES, REST_FILES
from ..run.partitions import source_schema
from ..run.workspace import Artifact, Manifest
from ..stores import arrow_schema
from .files import REJECTS, differ, plan_schema

ROWS = 5
"""Rows of each verb and output."""
LENGTH = 1_000
"""Characters of a value; the rest is cut off, and `…` stands for it."""
VERBS = ("add", "change", "drift", "remove", "keep")


def write(run: Run) -> None:
    """Publish `plan_examples.json`: one entry an output, with its phase, its target table, and by verb (and `extra`,
    `rejected`) at most `ROWS` rows: `key`, `row` {column: text, no nulls}; where there is a row before, `before` and
    the `changed` columns; of what is rejected, `code` and `message`. Raises `ArtifactError` if the plan is not whole."""
    plans = run.manifests(StepName.PLAN)
    made = [*run.folder.manifests(StepName.TRANSFORM), *plans]
    entries: list[dict[str, Any]] = []
    with run.session() as session:
        told: set[str] = set()
        for phase in run.migration.phases:
            for output in phase.outputs:
                target = run.migration.target(output.target)
                verbs: dict[str, Any] = {
                    verb: found
                    for verb in VERBS
                    if (found := _rows(session, target, _planned(plans, output, verb), verb))
                }
                if target.owned is None and target.id not in told:
                    told.add(target.id)
                    rest = [
                        f
                        for m in plans
                        if m.facts[REST_FILES.of(target.id)]["extra"]
                        for f in REST_FILES.among([m], target.id)
                    ]
                    if found := _rows(session, target, rest, None):
                        verbs["extra"] = found
                about = {"phase": phase.id, "output": output.name, "target_table": target.table.name}
                entries.append({**about, "verbs": verbs})
            if rejected := _rejected(session, _rejects(made, phase)):
                next(e for e in entries if e["phase"] == phase.id)["verbs"]["rejected"] = rejected
    run.folder.write(EXAMPLES, json.dumps({"rows_each": ROWS, "outputs": entries}, indent=1))


def _planned(plans: list[Manifest], output: Output, verb: str) -> Iterator[Artifact]:
    """The plan's files that hold a row of that verb."""
    for manifest in plans:
        if manifest.facts.get(output.name, {}).get(verb):
            yield from PLAN_FILES.among([manifest], output.name)


def _rejects(made: list[Manifest], phase: Phase) -> Iterator[Artifact]:
    return (f for f in REJECT_FILES.among(made, phase.id) if f.rows)


def _rows(session: Session, target: Target, files: Iterable[Artifact], verb: str | None) -> list[dict[str, Any]]:
    """The first rows of that verb; of files without verbs (None), the first rows."""
    columns = [field.name for field in arrow_schema(target.table)]
    names = [duck.identifier(c) for c in columns]
    now = ", ".join(_text(name) for name in names)
    more, where = ", false, NULL, NULL", ""
    if verb is not None:
        before = ", ".join(_text(f"{BEFORE}.{name}") for name in names)
        differs = ", ".join(differ(target, [column], PLANNED, BEFORE) for column in columns)
        more, where = f", {BEFORE} IS NOT NULL, [{before}], [{differs}]", f"WHERE {VERB} = {duck.literal(verb)}"
    schema = source_schema(target.table) if verb is None else plan_schema(target)
    found: list[dict[str, Any]] = []
    for file in files:
        plan = duck.parquet(session.fetch([file]), schema)
        rows = session.connection.execute(
            f"SELECT {_text(KEY)}, [{now}]{more} FROM ({plan}) {PLANNED} {where} LIMIT {ROWS - len(found)}"
        ).fetchall()
        found += [_example(columns, *row) for row in rows]
        if len(found) >= ROWS:
            break
    return found


def _example(
    columns: list[str],
    key: str,
    row: list[str | None],
    has_before: bool,
    before: list[str | None],
    differs: list[bool],
) -> dict[str, Any]:
    example: dict[str, Any] = {"key": key, "row": _there(columns, row)}
    if has_before:
        example["before"] = _there(columns, before)
        example["changed"] = [column for column, other in zip(columns, differs, strict=True) if other]
    return example


def _there(columns: list[str], values: list[str | None]) -> dict[str, str]:
    return {column: value for column, value in zip(columns, values, strict=True) if value is not None}


def _rejected(session: Session, files: Iterable[Artifact]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for file in files:
        rows = session.connection.execute(
            f"SELECT {_text('key')}, code, {_text('message')}, {_text('row')} FROM ({duck.parquet(session.fetch([file]), REJECTS)}) "
            f"LIMIT {ROWS - len(found)}"
        ).fetchall()
        found += [
            {"key": key, "code": code, "message": message, "row": {"row": row}} for key, code, message, row in rows
        ]
        if len(found) >= ROWS:
            break
    return found


def _text(value: str) -> str:
    """SQL: the value as text, no longer than `LENGTH`."""
    text = f"CAST({value} AS VARCHAR)"
    return f"CASE WHEN length({text}) > {LENGTH} THEN left({text}, {LENGTH}) || '…' ELSE {text} END"
