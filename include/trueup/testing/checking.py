"""What the rules of a migration make of rows, in memory: `check` for tests, `make_of` for what shows it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from ..declare import Migration, Output, Phase
from ..declare.names import EXTRA, KEY, MISTYPED, ROW_ID, SOURCE_KEY, own
from ..errors import DeclarationError
from ..gate import evaluation
from ..plan import digits, inputs
from ..plan.casting import in_suites
from ..plan.fates import FOUND_BESIDE
from ..plan.transform import run_phase
from ..rows import duck
from ..rows.digits import first_long
from ..run import Run
from ..stores import key_text
from .literal import Made as Values
from .literal import Row, as_read, differences, in_python, is_dynamodb, known_sources, shown
from .parting import Parting, apart, parting
from .relating import relate_partition, related, run_of

Codes = Mapping[str | tuple[str, str], str]
"""Codes by the key of a source row; where two sources have that key, by (id of the source, key)."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a phase says of a row of its `source`, whose key is `key`, as text."""

    phase: str
    source: str
    key: str | None
    about: str | None
    severity: str
    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A row of a target that a phase makes of the row of its source with that `key`, as text. `_extra` and `_mistyped` are in
    it where they say something."""

    phase: str
    target: str
    key: str
    row: Values


@dataclass(frozen=True)
class Made:
    """What a migration makes of rows. `targets`: those that its phases write; `counts`: of each phase source_rows, rejected,
    kept, unaccounted; `broken`: expectations of suites that rows broke, and what else a gate would have stopped the run
    for, in words."""

    targets: tuple[str, ...] = ()
    planned: list[Planned] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    @property
    def rows(self) -> dict[str, list[Values]]:
        """The planned rows, by target."""
        made: dict[str, list[Values]] = {target: [] for target in self.targets}
        for each in self.planned:
            made[each.target].append(each.row)
        return made

    def codes(self, severity: str) -> dict[tuple[str, str], str]:
        """The codes of findings of that severity, by source and the key of its row."""
        return {(f.source, f.key or ""): f.code for f in self.findings if f.severity == severity}


def check(
    migration: Migration,
    *,
    rows: Mapping[str, Sequence[Row]],
    gives: Mapping[str, Sequence[Row]] | None = None,
    rejects: Codes | None = None,
    warns: Codes | None = None,
    params: Row | None = None,
    dynamodb: Sequence[str] | None = None,
) -> Made:
    """Run the transform of every phase on these rows, and the gates' suites on what it makes; then the transforms once more with
    the rows in a few partitions, as in a run, which must make the same of them.

    `rows` are by source (a source that is not named is empty), `gives` by target: all rows of it, in any order; where a row
    leaves a column out, it must be null. `rejects` and `warns` are codes by the key of the source row. What is not given is
    not compared. `dynamodb` are the connections that lead to DynamoDB; unless given, those with dynamodb in their name.

    Raises `AssertionError` for what differs, rows that no rule accounts for, and expectations that rows break;
    `DeclarationError` for a script that does not run.
    """
    tables = _tables(migration, rows, dynamodb)
    made = make_of(migration, tables, params=params, dynamodb=dynamodb)
    wrong = list(made.broken)
    for id, wanted in (gives or {}).items():
        table = migration.target(id).table
        wrong += differences(table, made.rows.get(id, []), wanted, dynamodb=is_dynamodb(table, dynamodb))
    wrong += _codes("rejected", made.codes("reject"), rejects)
    wrong += _codes("warned about", made.codes("warning"), warns)
    wrong = wrong or [*parted(migration, tables, made, params=params, dynamodb=dynamodb)]
    if wrong:
        raise AssertionError(f"migration {migration.id!r}:\n" + "\n".join(f"- {each}" for each in wrong))
    return made


def make(
    migration: Migration,
    rows: Mapping[str, Sequence[Row]],
    *,
    params: Row | None = None,
    dynamodb: Sequence[str] | None = None,
) -> Made:
    """What the migration makes of rows, judged by its suites; see `check`."""
    return make_of(migration, _tables(migration, rows, dynamodb), params=params, dynamodb=dynamodb)


def _tables(
    migration: Migration, rows: Mapping[str, Sequence[Row]], dynamodb: Sequence[str] | None
) -> dict[str, pa.Table]:
    return {
        source.id: as_read(source.table, given, dynamodb=is_dynamodb(source.table, dynamodb))
        for source, given in known_sources(migration, rows)
    }


def parted(
    migration: Migration,
    tables: Mapping[str, pa.Table],
    whole: Made,
    *,
    params: Row | None = None,
    dynamodb: Sequence[str] | None = None,
) -> Iterator[str]:
    """What becomes of the rows in several partitions, as in a run, and did not where all lay together (`whole`), in words."""
    if (several := parting(migration, tables)) is not None:
        made = make_of(migration, tables, params=params, dynamodb=dynamodb, several=several)
        yield from apart(several.partitions, whole, made)


def make_of(
    migration: Migration,
    tables: Mapping[str, pa.Table],
    *,
    params: Row | None = None,
    dynamodb: Sequence[str] | None = None,
    several: Parting | None = None,
    judged: bool = True,
) -> Made:
    """The same of rows as stores read them (`stores.arrow_schema`), by source. In several partitions, or unless they are to be
    `judged`, without the suites."""
    made = Made(targets=tuple(output.target for phase in migration.phases for output in phase.outputs))
    where = several or Parting(1, (0,))
    run = run_of(migration, dict(params or {}), dynamodb, where.partitions)
    with related(run, tables) as connection:
        for partition in where.looked_at:
            connection.begin()  # so that nothing is left of it for the next, whatever the scripts make
            try:
                _make_partition(connection, run, tables, partition, made, judged=judged and several is None)
            except DeclarationError:
                _say_more(run, tables, partition)
                raise
            connection.rollback()
    return made


def _make_partition(
    connection: duckdb.DuckDBPyConnection,
    run: Run,
    tables: Mapping[str, pa.Table],
    partition: int,
    made: Made,
    *,
    judged: bool,
) -> None:
    sources = {inputs.as_read(source): source.columns for source in run.migration.sources}
    costs = run.migration.cost is not None  # in any partition: a look-up is of all
    long = bool(tables) and first_long(connection, sources, costs=costs) is not None
    relate_partition(connection, run, partition)
    with tempfile.TemporaryDirectory() as folder:
        related_ = _related(run, tables, partition)
        shared = bool(run.migration.shared)
        neighbours = digits.neighbours_of(run, Path(folder), related_, shared=shared) if long else None
        for phase in run.migration.phases:
            _make_phase(connection, run, phase, neighbours, made)
            for output in phase.outputs if judged else ():
                _judge(connection, run, output, made)


def _related(run: Run, tables: Mapping[str, pa.Table], partition: int) -> digits.Related:
    @contextmanager
    def of_neighbour(neighbour: str) -> Iterator[duckdb.DuckDBPyConnection]:
        with related(run, tables, neighbour) as connection:
            relate_partition(connection, run, partition)
            yield connection

    return of_neighbour


def _say_more(run: Run, tables: Mapping[str, pa.Table], partition: int) -> None:
    """The same outside of a transaction, which a value that does not fit would have ended: there it is told by row and column."""
    with related(run, tables) as connection:
        relate_partition(connection, run, partition)
        for phase in run.migration.phases:
            run_phase(connection, run, phase)


def _make_phase(
    connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, neighbours: digits.Neighbours | None, made: Made
) -> None:
    fates = run_phase(connection, run, phase, neighbours)
    findings = f"SELECT {SOURCE_KEY}, key, severity, code, message FROM {FOUND_BESIDE}"
    for key, source_key, severity, code, message in connection.execute(f"{findings} ORDER BY ALL").fetchall():
        finding = Finding(
            phase=phase.id,
            source=phase.source,
            key=key,
            about=source_key,
            severity=severity,
            code=code,
            message=message,
        )
        made.findings.append(finding)
    counts = made.counts.setdefault(phase.id, {})
    for name in ("source_rows", "rejected", "kept", "unaccounted"):
        counts[name] = counts.get(name, 0) + getattr(fates, name)
    made.broken.extend(f"phase {phase.id}: {each}" for each in fates.astray)
    for output in phase.outputs:
        table = run.migration.target(output.target).table
        columns = ", ".join(map(duck.identifier, (*table.columns, EXTRA, MISTYPED, SOURCE_KEY)))
        planned = connection.sql(f"SELECT {columns} FROM {own(output.view)} ORDER BY {ROW_ID}").to_arrow_table()
        for row in in_python(planned):
            key = row.pop(SOURCE_KEY)
            made.planned.append(Planned(phase=phase.id, target=output.target, key=key, row=shown(row)))


def _judge(connection: duckdb.DuckDBPyConnection, run: Run, output: Output, made: Made) -> None:
    """The suites of an output's rows, as the gate judges them; no rows break none."""
    if not connection.execute(f"FROM {own(output.view)} LIMIT 1").fetchall():
        return
    table = run.migration.target(output.target).table
    suite = evaluation.row_suite(table, output.suite)
    wanted = evaluation.columns(suite)
    columns = [in_suites(name, type_) for name, type_ in table.columns.items() if name in wanted]
    place = (table.connection, table.name)
    same = [
        s for s in run.migration.sources if (s.table.connection, s.table.name) == place
    ]  # in place: such a row is there
    stored = f"key_of IN (SELECT {KEY} FROM {inputs.as_read(same[0])})" if same else "false"
    frame = connection.sql(
        f"SELECT {', '.join([*columns, SOURCE_KEY, 'key_of AS ' + KEY])}, CASE WHEN {stored} THEN 'change' ELSE 'add' END AS _verb "
        f"FROM (SELECT *, {key_text(table.key)} AS key_of FROM {own(output.view)})"
    ).df()
    verdict = evaluation.evaluate(suite, [frame], gate="rows", output=output.name)
    made.broken.extend(
        f"target {output.target}: {each.description}: {each.unexpected} rows break it ({list(each.examples[:3])})"
        for each in verdict.expectations
        if not each.passed and each.severity == "critical" and not each.error
    )
    made.broken.extend(f"target {output.target}: {error}" for error in verdict.errors)


def _codes(what: str, actual: Mapping[tuple[str, str], str], wanted: Codes | None) -> list[str]:
    if wanted is None:
        return []
    asked = {*wanted}
    named = {place: place if place in asked else place[1] for place in actual}
    if {named[place]: code for place, code in actual.items()} == dict(wanted):
        return []
    plain: dict[str | tuple[str, str], str] = {}
    for place, code in sorted(actual.items()):
        plain[place[1] if [key for _, key in actual].count(place[1]) == 1 else place] = code
    return [f"source rows that are {what}: {plain}, expected {dict(wanted)}"]
