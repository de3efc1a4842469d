"""For the tests of a migration: what its rules make of a few rows, in memory, without a store, a ledger or Airflow.

    from include.trueup.testing import check
    from include.migrations.people.migration import migration

    def test_names() -> None:
        check(
            migration,
            rows={"customers": [{"id": "a", "name": "Ada"}, {"id": "b", "name": None}]},
            gives={"people": [{"id": "a", "full_name": "Ada"}]},
            rejects={"b": "no_name"},
        )

Nothing of the engine imports it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import pyarrow as pa

from .declare import Migration, Phase, Source, Table
from .declare.names import EXTRA, KEY, MISTYPED, ROW_ID, SOURCE_KEY, WITHOUT_NULLS, own
from .errors import DeclarationError, UnreadableValueError
from .gate import evaluation
from .plan import inputs
from .plan.casting import in_suites
from .plan.fates import FOUND_BESIDE
from .plan.transform import run_phase
from .rows import duck, literals
from .run import Options, Run
from .stores import Limits, arrow_schema, key_text
from .stores.dynamodb.limits import unwritable as dynamodb_unwritable
from .stores.postgres.limits import unwritable as postgres_unwritable

Row = Mapping[str, Any]
"""A row by its columns: text, whole numbers, `Decimal`, floats, booleans, dates and times (or their ISO 8601 text), bytes,
and whatever JSON can hold. A column that is left out is null."""


@dataclass(frozen=True)
class Made:
    """What a migration makes of rows. `rows`: those planned, by target, and `sources`: for each the key of the source row that
    it is made of; `findings`: `(source key, severity, code, message)`;
    `counts`: of each phase source_rows, rejected, kept, unaccounted."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sources: dict[str, list[str]] = field(default_factory=dict)
    findings: list[tuple[str, str, str, str]] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    """Expectations of suites that rows broke, and what else a gate would have stopped the run for, in words."""

    @property
    def rejects(self) -> dict[str, str]:
        """The code of each source row that is rejected, by its key."""
        return {source: code for source, severity, code, _ in self.findings if severity == "reject"}


def check(
    migration: Migration,
    *,
    rows: Mapping[str, Sequence[Row]],
    gives: Mapping[str, Sequence[Row]] | None = None,
    rejects: Mapping[str, str] | None = None,
    warns: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    dynamodb: Sequence[str] | None = None,
) -> Made:
    """Run the transform of every phase on these rows, and the gates' suites on what it makes.

    `rows` are by source (a source that is not named is empty), `gives` by target: all rows of it, in any order; where a row
    leaves a column out, it must be null. `rejects` and `warns` are codes by the key of the source row. What is not given is
    not compared. `dynamodb` are the connections that lead to DynamoDB; unless given, those with dynamodb in their name.

    Raises `AssertionError` for what differs, rows that no rule accounts for, and expectations that rows break;
    `DeclarationError` for a script that does not run.
    """
    made = make(migration, rows, params=params, dynamodb=dynamodb)
    wrong = list(made.broken)
    for target, expected in (gives or {}).items():
        wrong += _differences(migration.target(target).table, made.rows.get(target, []), expected)
    wrong += _codes("rejected", made.rejects, rejects)
    warned = {source or "": code for source, severity, code, _ in made.findings if severity == "warning"}
    wrong += _codes("warned about", warned, warns)
    if wrong:
        raise AssertionError(f"migration {migration.id!r}:\n" + "\n".join(f"- {each}" for each in wrong))
    return made


def make(
    migration: Migration,
    rows: Mapping[str, Sequence[Row]],
    *,
    params: Mapping[str, Any] | None = None,
    dynamodb: Sequence[str] | None = None,
) -> Made:
    """What the migration makes of rows, judged by its suites; see `check`."""
    return make_of(
        migration,
        {id: _table(migration.source(id), given) for id, given in _known(migration, rows)},
        params=params,
        dynamodb=dynamodb,
    )


def _known(migration: Migration, rows: Mapping[str, Sequence[Row]]) -> Iterable[tuple[str, Sequence[Row]]]:
    """The rows by source. Raises `DeclarationError` for a source that there is not."""
    if strangers := sorted({*rows} - {source.id for source in migration.sources}):
        raise DeclarationError(
            f"migration {migration.id!r} has no source {strangers[0]!r}; it has: "
            f"{', '.join(source.id for source in migration.sources)}"
        )
    return rows.items()


def make_of(
    migration: Migration,
    tables: Mapping[str, pa.Table],
    *,
    params: Mapping[str, Any] | None = None,
    dynamodb: Sequence[str] | None = None,
) -> Made:
    """The same of rows as stores read them (`stores.arrow_schema`), by source."""
    made = Made()
    run = _run(migration, dict(params or {}), dynamodb)
    with _related(run, tables) as connection:
        for phase in migration.phases:
            _make_phase(connection, run, phase, made)
    return made


def _make_phase(connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, made: Made) -> None:
    fates = run_phase(connection, run, phase)
    found = f"SELECT {SOURCE_KEY}, severity, code, message FROM {FOUND_BESIDE} WHERE severity IN ('reject', 'warning')"
    made.findings.extend(connection.execute(f"{found} ORDER BY ALL").fetchall())
    made.counts[phase.id] = {
        "source_rows": fates.source_rows,
        "rejected": fates.rejected,
        "kept": fates.kept,
        "unaccounted": fates.unaccounted,
    }
    made.broken.extend(f"phase {phase.id}: {each}" for each in fates.astray)
    for output in phase.outputs:
        table = run.migration.target(output.target).table
        planned = f"FROM {own(output.view)} ORDER BY {ROW_ID}"
        made.rows.setdefault(output.target, []).extend(
            connection.sql(f"SELECT {_listed(table)} {planned}").to_arrow_table().to_pylist()
        )
        keys = connection.execute(f"SELECT {SOURCE_KEY} {planned}").fetchall()
        made.sources.setdefault(output.target, []).extend(key for (key,) in keys)
        suite = evaluation.row_suite(table, output.suite)
        wanted = evaluation.columns(suite)
        columns = [in_suites(name, type_) for name, type_ in table.columns.items() if name in wanted]
        frame = connection.sql(
            f"SELECT {', '.join([*columns, SOURCE_KEY, 'key_of AS ' + KEY])}, 'add' AS _verb FROM "
            f"(SELECT *, {key_text(table.key)} AS key_of FROM {own(output.view)})"
        ).df()
        verdict = evaluation.evaluate(suite, [frame], gate="rows", output=output.name, allow_empty=True)
        made.broken.extend(
            f"target {output.target}: {each.description}: {each.unexpected} rows break it ({list(each.examples[:3])})"
            for each in verdict.expectations
            if not each.passed and each.severity == "critical" and not each.error
        )
        made.broken.extend(f"target {output.target}: {error}" for error in verdict.errors)


@dataclass(frozen=True)
class _Store:
    """What a transform asks of a store that is not there."""

    kind: str

    def unwritable(self, table: Table, rows: str, limits: Limits) -> str:
        if self.kind == "dynamodb":
            return dynamodb_unwritable(table, rows)
        return postgres_unwritable(table, rows, limits)


def _run(migration: Migration, params: dict[str, Any], dynamodb: Sequence[str] | None) -> Run:
    """As much of a run as a transform looks at."""

    def store_of(table: Table) -> _Store:
        there = "dynamodb" in table.connection if dynamodb is None else table.connection in dynamodb
        return _Store("dynamodb" if there else "postgres")

    start = SimpleNamespace(targets={}, undeclared={})
    return cast(
        "Run",
        SimpleNamespace(
            migration=migration,
            options=Options(params=params),
            partitions=1,
            store_of=store_of,
            files=SimpleNamespace(start=start),
        ),
    )


@contextmanager
def _related(run: Run, tables: Mapping[str, pa.Table]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with all that a transform sees."""
    with tempfile.TemporaryDirectory() as scratch, duck.connect(Path(scratch)) as connection:
        for source in run.migration.sources:
            rows = tables.get(source.id, arrow_schema(source.table).empty_table())
            connection.register(own("literal"), rows)
            columns = ", ".join(inputs.cast(name, type_) for name, type_ in source.columns.items())
            connection.execute(
                f"CREATE TEMP TABLE {inputs.as_read(source)} AS SELECT {columns}, {EXTRA}, {WITHOUT_NULLS}({MISTYPED}) AS {MISTYPED}, "
                f"{key_text(source.key)} AS {KEY} FROM {own('literal')}"
            )
            connection.unregister(own("literal"))
            inputs.show(connection, source)
        for name, path in run.migration.shared.items():
            query = path.read_text(encoding="utf-8").rstrip().rstrip(";")
            connection.execute(f"CREATE TEMP TABLE {duck.identifier(name)} AS {query}")
        inputs.relate_given(connection, run)
        connection.execute("CREATE TEMP TABLE undeclared (source VARCHAR, name VARCHAR)")
        inputs.define_window(connection, None)
        inputs.relate_made(connection, run, 0)
        yield connection


def _table(source: Source, rows: Sequence[Row]) -> pa.Table:
    """The rows as a store gives them: values in canonical form, what does not fit its type in `_mistyped`, and what is not
    declared in `_extra`."""
    made: list[dict[str, Any]] = []
    for row in rows:
        values: dict[str, Any] = {}
        mistyped = {}
        for name, type_ in source.columns.items():
            try:
                values[name] = None if row.get(name) is None else literals.canonical(row[name], type_)
            except (TypeError, ValueError, UnreadableValueError):
                mistyped[name] = row[name]
        extra = {name: value for name, value in row.items() if name not in source.columns and value is not None}
        values[EXTRA] = literals.json_of(extra) if extra else None
        values[MISTYPED] = literals.json_of(mistyped) if mistyped else None
        made.append(values)
    return pa.Table.from_pylist(made, schema=arrow_schema(source.table))


def _listed(table: Table) -> str:
    return ", ".join(map(duck.identifier, table.columns))


def _differences(table: Table, made: list[dict[str, Any]], expected: Sequence[Row]) -> list[str]:
    """What is planned and not expected, and the other way round, each in words."""

    def canonical(row: Row) -> dict[str, Any]:
        if strangers := sorted({*row} - {*table.columns}):
            raise DeclarationError(f"{table.name!r} has no column {strangers[0]!r}; it has: {', '.join(table.columns)}")
        return {
            name: None if row.get(name) is None else literals.canonical(row[name], type_)
            for name, type_ in table.columns.items()
        }

    left, missing = list(made), []
    for row in map(canonical, expected):
        if row in left:
            left.remove(row)
        else:
            missing.append(row)
    return [
        *(f"{table.name}: expected and not made: {row}" for row in missing),
        *(f"{table.name}: made and not expected: {row}" for row in left),
    ]


def _codes(what: str, found: Mapping[str, str], expected: Mapping[str, str] | None) -> list[str]:
    if expected is None or dict(found) == dict(expected):
        return []
    return [f"source rows that are {what}: {dict(sorted(found.items()))}, expected {dict(sorted(expected.items()))}"]
