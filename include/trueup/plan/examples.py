"""Example rows of a plan, for the person who reviews it: a few of each verb, of what is rejected and of what is extra."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from ..declare.migration import Output, Phase, Target
from ..declare.names import BEFORE, KEY, PLANNED, VERB
from ..rows import duck
from ..run import Run, Session, StepName, to_values
from ..run.facts import PartPlan
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


@dataclass(frozen=True, kw_only=True)
class ExampleRow:
    """A row: its `key`, and its columns as text, no nulls; the row `before`, where there is one, and the columns that are
    `changed`; of what is rejected, the `code` and the `message`."""

    key: str
    row: Mapping[str, str | None]
    before: Mapping[str, str] | None = None
    changed: tuple[str, ...] | None = None
    code: str | None = None
    message: str | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """As JSON values, without what there is not."""
        values = to_values(self)
        return {name: value for name, value in values.items() if value is not None or name in ("key", "row")}


def write(run: Run) -> None:
    """Publish `plan_examples.json`: one entry an output, with its phase, its target table, and by verb (and `extra`,
    `rejected`) at most `ROWS` rows (`ExampleRow`). Raises `ArtifactError` if the plan is not whole."""
    plans = run.manifests(StepName.PLAN)
    manifests = [*run.folder.manifests(StepName.TRANSFORM), *plans]
    entries: list[JsonValue] = []
    with run.session() as session:
        shown: set[str] = set()
        for phase in run.migration.phases:
            rejected = _rejected(session, _rejects(manifests, phase))
            for output in phase.outputs:
                target = run.migration.target(output.target)
                verbs = {verb: _rows(session, target, _planned(plans, output, verb), verb) for verb in VERBS}
                if target.owned is None and target.id not in shown:
                    shown.add(target.id)
                    verbs["extra"] = _rows(session, target, _extra(plans, target), None)
                if output == phase.outputs[0]:
                    verbs["rejected"] = rejected
                entries.append(
                    {
                        "phase": phase.id,
                        "output": output.name,
                        "target_table": target.table.name,
                        "verbs": {verb: [row.to_json() for row in rows] for verb, rows in verbs.items() if rows},
                    }
                )
    run.folder.write(EXAMPLES, json.dumps({"rows_each": ROWS, "outputs": entries}, indent=1))


def _planned(plans: list[Manifest], output: Output, verb: str) -> Iterator[Artifact]:
    """The plan's files that hold a row of that verb."""
    for manifest in plans:
        if PartPlan.from_json(manifest.facts).outputs[output.name].verbs.get(verb):
            yield from PLAN_FILES.among([manifest], output.name)


def _extra(plans: list[Manifest], target: Target) -> Iterator[Artifact]:
    """The files that hold an extra row of the target."""
    for manifest in plans:
        if PartPlan.from_json(manifest.facts).targets[target.id].extra:
            yield from REST_FILES.among([manifest], target.id)


def _rejects(made: list[Manifest], phase: Phase) -> Iterator[Artifact]:
    return (f for f in REJECT_FILES.among(made, phase.id) if f.rows)


def _rows(session: Session, target: Target, files: Iterable[Artifact], verb: str | None) -> list[ExampleRow]:
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
    examples: list[ExampleRow] = []
    for file in files:
        plan = duck.parquet(session.fetch([file]), schema)
        rows = session.connection.execute(
            f"SELECT {_text(KEY)}, [{now}]{more} FROM ({plan}) {PLANNED} {where} LIMIT {ROWS - len(examples)}"
        ).fetchall()
        examples += [_example(columns, *row) for row in rows]
        if len(examples) >= ROWS:
            break
    return examples


def _example(
    columns: list[str],
    key: str,
    row: list[str | None],
    has_before: bool,
    before: list[str | None],
    differs: list[bool],
) -> ExampleRow:
    if not has_before:
        return ExampleRow(key=key, row=_present(columns, row))
    changed = tuple(column for column, other in zip(columns, differs, strict=True) if other)
    return ExampleRow(key=key, row=_present(columns, row), before=_present(columns, before), changed=changed)


def _present(columns: list[str], values: list[str | None]) -> dict[str, str]:
    return {column: value for column, value in zip(columns, values, strict=True) if value is not None}


def _rejected(session: Session, files: Iterable[Artifact]) -> list[ExampleRow]:
    examples: list[ExampleRow] = []
    for file in files:
        rows = session.connection.execute(
            f"SELECT {_text('key')}, code, {_text('message')}, {_text('row')} FROM ({duck.parquet(session.fetch([file]), REJECTS)}) "
            f"LIMIT {ROWS - len(examples)}"
        ).fetchall()
        examples += [
            ExampleRow(key=key, code=code, message=message, row={"row": row}) for key, code, message, row in rows
        ]
        if len(examples) >= ROWS:
            break
    return examples


def _text(value: str) -> str:
    """SQL: the value as text, no longer than `LENGTH`."""
    text = f"CAST({value} AS VARCHAR)"
    return f"CASE WHEN length({text}) > {LENGTH} THEN left({text}, {LENGTH}) || '…' ELSE {text} END"
