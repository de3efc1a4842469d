"""A migration that copies one PostgreSQL table into another, column by column, for tests of what is carried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.trueup.declare.migration import Migration, Phase, Source, Table, Target, Type
from include.trueup.ledger import Ledger
from include.trueup.run import Run
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import run_of, run_sql

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation


_NO_FINDINGS = "SELECT NULL AS _source, NULL AS key, '' AS severity, '' AS code, '' AS message WHERE false"


def _suite() -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToNotBeNull(column="_key")]


def _whole() -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToBeInSet(column="unaccounted", value_set=[0])]


def declare_copy(
    folder: Path,
    columns: Mapping[str, Type],
    *,
    key: Sequence[str] = ("id",),
    source: str = "old",
    target: str = "new",
    into: Mapping[str, Type] | None = None,
    into_key: Sequence[str] | None = None,
    create: str | None = None,
    select: str | None = None,
    findings: str | None = None,
) -> Migration:
    """The migration, its scripts in the folder. `into`: the target's columns where they are not the source's; `create`:
    the SQL that makes it, else it is made from the declaration; `select`: the target's columns and `_source` in SQL;
    `findings`: the query for them, none unless given."""
    names = ", ".join(f'"{name}"' for name in (into or columns))
    (folder / "copy.sql").write_text(
        f"CREATE OR REPLACE VIEW rows AS SELECT {select or f'{names}, _key AS _source'} FROM source; "
        f"CREATE OR REPLACE VIEW findings AS {findings or _NO_FINDINGS}"
    )
    script = None
    if create is not None:
        (script := folder / "create.sql").write_text(create)
    read = Table(name=source, connection="c", key=tuple(key), columns=columns)
    written = Table(name=target, connection="c", key=tuple(into_key or key), columns=into or columns)
    phase = Phase(
        id="copy", title="Copy", source="source", target="target", transform=folder / "copy.sql", suite=_suite,
        allow_empty=True,
    )  # fmt: skip
    return Migration(
        id="copying", title="Copy", owner="tests", doc="",
        sources=(Source(id="source", table=read, partition_by=tuple(key)),),
        targets=(Target(id="target", table=written, create=script),), phases=(phase,), suite=_whole,
    )  # fmt: skip


class Here:
    """A database, and runs over it."""

    def __init__(self, uri: str, ledger: Ledger, workspace: Workspace) -> None:
        self.uri, self.ledger, self.workspace, self.count = uri, ledger, workspace, 0

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        return run_sql(self.uri, *statements)

    def run(self, migration: Migration, uri: str | None = None, **options: Any) -> dict[str, Any]:
        """The whole run; its report."""
        self.count += 1
        store = PostgresStore(uri or self.uri, patience=2)
        run: Run = run_of(migration, self.ledger, self.workspace, lambda _: store, f"run-{self.count}", **options)
        walk(run)
        return dict(run.folder.read_json("report.json"))
