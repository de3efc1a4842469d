"""Migrations as `make new` writes them, from one database into another, and runs of them there and back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from psycopg import sql

from include.console.check import problems
from include.console.new import Place, files
from include.console.pairing import parts
from include.trueup.declare import Migration
from include.trueup.ledger import Ledger
from include.trueup.run import LAST
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.testing import check
from include.trueup.walk import walk
from tests.harness import run_of, run_sql
from tests.migrations.test_new import loaded

OLD, NEW = "old_postgres", "new_postgres"
TABLES = """
    SELECT CASE WHEN n.nspname = 'public' THEN '' ELSE quote_ident(n.nspname) || '.' END || quote_ident(c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname !~ '^(pg_|information_schema)' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.oid
"""
"""The tables of a database in the order in which they were made, as a declaration names them."""


class Databases:
    """Two databases, and runs from the old into the new."""

    def __init__(self, old: str, new: str, ledger: Ledger, workspace: Workspace, folder: Path) -> None:
        self.uris = {OLD: old, NEW: new}
        self.ledger, self.workspace, self.folder, self.count = ledger, workspace, folder, 0
        self.stores = {name: PostgresStore(uri, patience=2) for name, uri in self.uris.items()}

    def generated(
        self,
        source: str,
        target: str | None = None,
        *,
        came_from: str = OLD,
        goes_to: str = NEW,
        tested: bool = False,
        there_and_back: Any = None,
        left: tuple[str, ...] = (),
        key: tuple[str, ...] = (),
    ) -> Migration:
        """What `make new` writes, in which `make check` finds nothing wrong; `tested`, it passes its own test, too. `left` is
        said of these columns, and of nothing else."""
        self.count += 1
        folder, id = self.folder / str(self.count), "made"
        legacy = self.stores[came_from].catalogue(source)
        assert legacy is not None, source
        target = target or source
        there = self.stores[goes_to].catalogue(target)
        made = files(
            id,
            (Place(connection=came_from, table=source), legacy),
            (Place(connection=goes_to, table=target), there),
            key=key,
        )
        assert [said.split()[1] for said in made.left] == list(left), made.left
        migration = loaded(folder, made, id)
        wrong = problems(migration, folder / "include/migrations" / id)
        assert wrong == [], f"{source}: {wrong}"
        if tested:
            passes_its_own_test(folder, migration, there_and_back)
        return migration

    def run(self, migration: Migration, **options: Any) -> dict[str, Any]:
        """The whole run; its report."""
        self.count += 1
        run = run_of(migration, self.ledger, self.workspace, self.stores.__getitem__, f"run-{self.count}", **options)
        walk(run)
        return dict(run.folder.read_json("report.json"))

    def back(self, migration: Migration) -> None:
        """The rollback of the last run."""
        self.count += 1
        run = run_of(migration, self.ledger, self.workspace, self.stores.__getitem__, f"run-{self.count}")
        walk(
            replace(run, dag_id=f"{migration.id}_rollback", undoes=LAST, options=replace(run.options, partitions=None))
        )

    def rows(self, connection: str, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """The rows, sorted, each value as the server prints it; of a numeric without a scale, its value."""
        found = self.stores[connection].catalogue(table)
        assert found is not None
        by_value = {c.name for c in found.columns if c.exact == "numeric"}
        texts = sql.SQL(", ").join(
            sql.SQL("CASE WHEN {0} IS NOT NULL THEN format('%s', {1}) END").format(
                sql.Identifier(c), sql.SQL("trim_scale({})" if c in by_value else "{}").format(sql.Identifier(c))
            )
            for c in columns
        )
        query = sql.SQL("SELECT {} FROM {}").format(texts, sql.Identifier(*parts(table)))
        return sorted(run_sql(self.uris[connection], query.as_string(None)), key=repr)


def passes_its_own_test(folder: Path, migration: Migration, there_and_back: Any = None) -> None:
    """Run the first test that was written for the migration; with `there_and_back` the second, too, which makes three runs."""
    module = ModuleType("include.migrations.made.migration")
    vars(module)["migration"] = migration
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        patch.setitem(sys.modules, "include.migrations.made", ModuleType("include.migrations.made"))
        test: dict[str, Any] = {}
        exec((folder / "tests/migrations/test_made.py").read_text(), test)  # noqa: S102 - what was written here
        test["test_three_rows"](check)
        if there_and_back is not None:
            test["test_there_and_back"](there_and_back)


def merged(id: str, *migrations: Migration) -> Migration:
    """One migration of the phases of several: it takes one run, and not one for each. Sources are parted alike, by a column."""
    return Migration(
        id=id,
        owner="tests",
        sources=tuple(replace(source, partition_by=source.key[:1]) for one in migrations for source in one.sources),
        targets=tuple(target for one in migrations for target in one.targets),
        phases=tuple(phase for one in migrations for phase in one.phases),
    )


def verbs(report: dict[str, Any]) -> dict[str, int]:
    """What a plan has for the rows of all its phases."""
    counts: dict[str, int] = {}
    for phase in report["plan"]["phases"]:
        for verb, rows in phase["rows"].items():
            if rows:
                counts[verb] = counts.get(verb, 0) + rows
    return counts
