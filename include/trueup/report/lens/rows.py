"""What rows a run has in its folder: planned ones of every verb, rejected and skipped ones, and extra ones of its targets.

Files are read by the columns that they have, not by those that are declared now: a declaration may have changed since.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa

from ...declare.migration import Derived, Migration, Phase, Source
from ...declare.names import BEFORE, FILE, KEY, MISTYPED, NUMBER, SOURCE_KEY, VERB, WITHOUT_NULLS
from ...plan.files import VERBS
from ...rows import duck
from ...run import Files, PlanRecord, Start
from ...run.files import FATE_FILES, PLAN_FILES, REJECT_FILES, REST_FILES
from ...run.workspace import Artifact, Manifest, RunFolder
from .shelf import Shelf

EXTRA, REJECTED, SKIPPED = "extra", "rejected", "skipped"
KINDS = (*VERBS, EXTRA, REJECTED, SKIPPED)
"""What a row can be: one of the verbs, or a row of the target that nothing accounts for, or a source row that is not
written."""
_ALSO = "-also"
"""What the name of a second output ends with, unless it is declared otherwise."""


class Shape(StrEnum):
    """What the rows of a file are."""

    PLAN = "plan"
    REST = "rest"
    REJECTS = "rejects"
    FATES = "fates"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A file with rows: planned ones of an output (`name`), those of a target that no plan accounts for, or a phase's source
    rows that are rejected, or for which nothing is done. `table` is the target's, where it is known."""

    shape: Shape
    name: str
    phase: str
    table: str
    artifact: Artifact

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.artifact.rows or 0

    def at(self, number: int) -> str:
        """The place of a row: a name for it in this run."""
        return f"{self.artifact.path}:{number}"


def place(at: str) -> tuple[str, int]:
    """The path and the number of a place (`Stack.at`). Raises `ValueError` for what is none."""
    path, _, number = at.rpartition(":")
    return path, int(number)


class Looked:
    """A run that is looked at: its folder, and how it is read. `version` says whether what is known of its files still
    holds (`Shelf.manifests`); `undoes` is the run that a rollback undoes."""

    def __init__(
        self,
        migration: Migration,
        folder: RunFolder,
        shelf: Shelf,
        *,
        version: Hashable = None,
        undoes: str | None = None,
    ) -> None:
        self.migration, self.folder, self.shelf, self.version, self.undoes = migration, folder, shelf, version, undoes

    @cached_property
    def start(self) -> Start | None:
        """What its preflight found; None where that does not exist."""
        return Files(self.folder).begun

    @cached_property
    def plan(self) -> PlanRecord | None:
        """Its plan as its gate saw it; None where that does not exist."""
        return Files(self.folder).plan

    def manifests(self, step: str) -> list[Manifest]:
        """The manifests of a step."""
        return self.shelf.manifests(self.folder, step, self.version)

    def path(self, artifact: Artifact) -> Path:
        """A file, checked."""
        return self.shelf.path(self.folder, artifact)

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """The declared phases, in the run's order."""
        return self.migration.phases[::-1] if self.undoes else self.migration.phases

    @cached_property
    def stacks(self) -> tuple[Stack, ...]:
        """Its files with rows, in the run's order of phases; in a file planned rows are in the order of their keys."""
        return tuple(sorted(self._stacks(), key=self._order))

    def _stacks(self) -> Iterator[Stack]:
        transformed, planned = self.manifests("transform"), self.manifests("plan")
        for manifest in planned:
            for file in manifest.files:
                folder, name = file.path.split("/")[:2]
                if folder == PLAN_FILES.folder:
                    phase = self.phase_of(name)
                    yield Stack(shape=Shape.PLAN, name=name, phase=phase, table=self.table(name), artifact=file)
                elif folder == REST_FILES.folder and not self.undoes and file.rows and self._whole(name):
                    table = self.migration.target(name).table.name
                    yield Stack(shape=Shape.REST, name=name, phase="", table=table, artifact=file)
        for manifest in [*transformed, *planned]:
            for file in manifest.files:
                folder, name = file.path.split("/")[:2]
                shape = {REJECT_FILES.folder: Shape.REJECTS, FATE_FILES.folder: Shape.FATES}.get(folder)
                if shape is not None and file.rows:
                    yield Stack(shape=shape, name=name, phase=name, table="", artifact=file)

    def _whole(self, target: str) -> bool:
        """Whether the target is the migration's, so that what no plan accounts for is extra."""
        return any(t.id == target and t.owned is None for t in self.migration.targets)

    def _order(self, stack: Stack) -> tuple[int, int, str]:
        names = [output.name for phase in self.phases for output in phase.outputs]
        of_phase = next((i for i, name in enumerate(names) if name == stack.name), len(names))
        return [*Shape].index(stack.shape), of_phase, stack.artifact.path

    def phase_of(self, output: str) -> str:
        """The phase that an output is of."""
        declared = (p.id for p in self.migration.phases for each in p.outputs if each.name == output)
        return next(declared, output.removesuffix(_ALSO))

    def table(self, output: str) -> str:
        """The table that an output is for, as declared, or as the plan says."""
        for phase in self.migration.phases:
            for each in phase.outputs:
                if each.name == output:
                    return self.migration.target(each.target).table.name
        counted = self.plan.phases if self.plan else ()
        return next((c.target_table for c in counted if c.phase == output), "")

    def driver(self, phase: str) -> Source | Derived | None:
        """What a phase accounts for; None for a rollback, whose rows are another run's, and for a phase that is no longer
        declared."""
        if self.undoes:
            return None
        return next((self.migration.driver(p) for p in self.migration.phases if p.id == phase), None)

    def source_table(self, phase: str) -> str:
        """What the phase's source rows are called."""
        if self.undoes:
            return f"what {self.undoes} wrote"
        driver = self.driver(phase)
        if driver is not None:
            return driver.name
        counted = self.plan.phases if self.plan else ()
        return next((c.source_table for c in counted if c.phase == phase), "")

    def stack(self, at: str) -> tuple[Stack, int] | None:
        """The file and the number that a place names; None if the run has none such."""
        try:
            path, number = place(at)
        except ValueError:
            return None
        stack = next((s for s in self.stacks if s.artifact.path == path), None)
        return None if stack is None or not 0 <= number < stack.rows else (stack, number)


def keys_of(text: str) -> tuple[str, ...]:
    """The keys that a text may mean: itself, and, of a JSON array, the form that composite keys have (`key_text`)."""
    composite = composite_key(text)
    return (text,) if composite is None or composite == text else (text, composite)


def composite_key(text: str) -> str | None:
    """A JSON array of texts, numbers, booleans and nulls as `key_text` writes it; None for anything else."""
    try:
        parts = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parts, list) or not parts or not all(isinstance(p, str | bool | None) for p in parts):
        return None
    texts = [str(p).lower() if isinstance(p, bool) else p for p in parts]
    with duckdb.connect() as connection:  # as DuckDB writes JSON, to the byte
        ((key,),) = connection.execute("SELECT CAST(to_json(CAST(? AS VARCHAR[])) AS VARCHAR)", [texts]).fetchall()
    return str(key)


def own_columns(schema: pa.Schema) -> list[str]:
    """The columns of a file of rows that are the store's: not those by which the engine knows a row."""
    return [name for name in schema.names if name not in (VERB, KEY, SOURCE_KEY, BEFORE, FILE, NUMBER)]


def text(column: str, length: int, row: str = "") -> str:
    """SQL: the value of a column (of the struct `row`) as text, no longer than `length`; `…` stands for the rest. An attribute
    that is DynamoDB's NULL is shown as what it is to everybody: nothing."""
    value = f"{row}.{duck.identifier(column)}" if row else duck.identifier(column)
    whole = f"CAST({f'{WITHOUT_NULLS}({value})' if column == MISTYPED else value} AS VARCHAR)"
    return f"CASE WHEN length({whole}) > {length} THEN left({whole}, {length}) || '…' ELSE {whole} END"
