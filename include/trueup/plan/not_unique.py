"""Rows that a unique index of the target would not take, found at plan, on the table as it will be.

Judged are the unique indexes over plain columns that the target had at preflight, besides the primary key (`Unique`):
the new values of rows to be written, and the values of rows that stay as they are. Where several rows have the same, each
of them that the run would write is rejected, with all that its source row makes in that phase. What is rejected stays
as it is, and may be in the way of others: so it is judged again, until nothing more is rejected. Text is compared by its
bytes. What only the server can judge (partial indexes, expressions, collations, the order in which rows are written)
it judges when it is written to.

Rows that meet may lie in different partitions. So each partition looks at all of them, but only at keys and at
indexed columns; whole are read only the rows that share a value with another, before or after. All come to the same.
"""

from __future__ import annotations

import duckdb

from ..declare.migration import Output, Phase, Target
from ..declare.names import FOUND, IN_WINDOW, IS, KEY, SHOULD, SOURCE_KEY, VERB, own
from ..rows import duck
from ..rows.statements import Statements
from ..run import Part, Run, Session, StepName
from ..run.files import FINDING_FILES, REJECT_FILES, SHOULD_FILES
from ..run.partitions import before_files, source_schema
from ..stores import Unique
from . import baseline, inputs
from .casting import strict_json
from .files import ADD, CHANGE, DRIFT, relate_drifted, should_schema, unit_verb
from .target_checks import facts_of
from .verbs import keys_of, leaving, relate_leaving, rows_of, value_of, verb_of

NOT_UNIQUE = "not_unique"
"""Code of the reject that the plan makes, for a row that a unique index would refuse because of another row."""
REJECTED = own("rejected")
"""Table: `phase` and `source` of what is rejected, and `message`."""
_FOUND, _ALL, _STATE, _SAME = own("not_unique"), own("all"), own("state"), own("same")
_WRITTEN, _THERE, _PHASE, _SOURCE = own("written"), own("is_there"), own("phase"), own("source")
_SQL = Statements(
    __file__,
    rejects=_FOUND,
    same=_SAME,
    written=_WRITTEN,
    there=_THERE,
    phase=_PHASE,
    source=_SOURCE,
    rows=own("rows"),
    first=own("first"),
    last=own("last"),
)


def relate(session: Session, run: Run) -> set[str]:
    """Make the table `REJECTED` (phase, source, message: text), of all partitions; the phases that have rows in it."""
    session.connection.execute(f"CREATE TEMP TABLE {REJECTED} (phase VARCHAR, source VARCHAR, message VARCHAR)")
    judged = {t.id: indexes for t in run.migration.targets if (indexes := _indexes(run, t))}
    phases = [p for p in run.migration.phases if any(o.target in judged for o in p.outputs)]
    if not phases:
        return set()
    with run.session() as apart:
        rows = _rejected(apart, run, judged, phases)
    if rows:
        session.connection.executemany(f"INSERT INTO {REJECTED} VALUES (?, ?, ?)", rows)
    return {phase for phase, _, _ in rows}


def write(part: Part, run: Run, phases: set[str], partition: int) -> dict[str, int]:
    """Write what is rejected of this partition's source rows as findings and rejects (`files.FINDINGS`, `files.REJECTS`); how
    many source rows, by phase."""
    counts = {phase.id: 0 for phase in run.migration.phases}
    if not phases:
        return counts
    rejected = part.connection.sql(f"FROM {REJECTED}").to_arrow_table()
    # a database of its own, since what a transform sees may have functions
    with run.session(alone=True) as apart:
        inputs.relate(apart, run, partition)
        apart.connection.register(REJECTED, rejected)
        for phase in (p for p in run.migration.phases if p.id in phases):
            driver = run.migration.driver(phase)
            rows = (
                f"FROM {strict_json(inputs.as_read(driver), driver.columns)} {IS} JOIN {REJECTED} {FOUND} "
                f"ON {IS}.{KEY} = {FOUND}.source AND {FOUND}.phase = {duck.literal(phase.id)} ORDER BY key"
            )
            why = f"'{NOT_UNIQUE}' AS code, {FOUND}.message AS message"
            queries = {
                FINDING_FILES: f"SELECT {IS}.{KEY} AS key, 'reject' AS severity, {why} {rows}",
                REJECT_FILES: f"SELECT {IS}.{KEY} AS key, {why}, to_json({IS}) AS row {rows}",
            }
            for place, query in queries.items():
                local = part.scratch / f"{NOT_UNIQUE}-{place.folder}-{phase.id}.parquet"
                counts[phase.id] = number = duck.write(apart.connection, query, local)
                if number:
                    part.publish(local, place.made_by("u", phase.id, partition), number)
    return counts


def _indexes(run: Run, target: Target) -> list[Unique]:
    """The unique indexes of the target whose columns are all declared."""
    return [index for index in facts_of(run, target).unique if {*index.columns} <= {*target.table.columns}]


def _rejected(
    session: Session, run: Run, judged: dict[str, list[Unique]], phases: list[Phase]
) -> list[tuple[str, str, str]]:
    """Phase, source and message of what is rejected, in order."""
    connection = session.connection
    concerned = [t for t in run.migration.targets if any(o.target == t.id for p in phases for o in p.outputs)]
    for target in concerned:
        _relate_all(session, run, target)
        connection.execute(f"CREATE TEMP TABLE {_meeting(target)} ({KEY} VARCHAR)")
        for index in judged.get(target.id, []):
            _meet(connection, run, target, index)
    if not any(duck.count(connection, f"SELECT count(*) FROM {_meeting(target)}") for target in concerned):
        return []
    _add_siblings(connection, run, phases)
    checked: dict[str, bool | None] = {}
    for target in concerned:
        only = f"{KEY} IN (FROM {_meeting(target)})"
        for name in [f"is_{target.id}", *(f"should_{o.name}" for o in run.migration.outputs(target.id))]:
            connection.execute(f"CREATE TEMP TABLE {duck.identifier(name)} AS FROM {_all(name)} WHERE {only}")
        checked[target.id] = baseline.relate(session, run, target, None, only)
        relate_leaving(connection, run, target)
    for target in concerned:
        if target.id in judged:
            _relate_state(connection, run, target, judged[target.id], checked)
    return _until_none(connection, run, judged)


def _all(name: str) -> str:
    return duck.identifier(f"{_ALL}_{name}")


def _meeting(target: Target) -> str:
    return duck.identifier(own(f"meeting_{target.id}"))


def _state(target: Target) -> str:
    return duck.identifier(f"{_STATE}_{target.id}")


def _relate_all(session: Session, run: Run, target: Target) -> None:
    """What should be and what is, of all partitions (`_all`), of the shapes of `should_schema` and `source_schema`."""
    transformed = run.manifests(StepName.TRANSFORM)
    for output in run.migration.outputs(target.id):
        files = SHOULD_FILES.among(transformed, output.name)
        session.relate(f"{_ALL}_should_{output.name}", files, should_schema(target))
    before = before_files(run, run.manifests(StepName.SNAPSHOT), target, None)
    session.relate(f"{_ALL}_is_{target.id}", before, source_schema(target.table))


def _meet(connection: duckdb.DuckDBPyConnection, run: Run, target: Target, index: Unique) -> None:
    """Add to `_meeting` the keys of rows that have, before or after, the values that another has, before or after."""
    columns = [duck.identifier(name) for name in index.columns]
    names = [f"is_{target.id}", *(f"should_{output.name}" for output in run.migration.outputs(target.id))]
    every = " UNION ALL ".join(f"SELECT {KEY}, {', '.join(columns)} FROM {_all(name)}" for name in names)
    apart = "" if index.nulls_equal else " WHERE " + " AND ".join(f"{c} IS NOT NULL" for c in columns)
    same = " AND ".join(f"{IS}.{c} IS NOT DISTINCT FROM {_SAME}.{c}" for c in columns)
    connection.execute(
        _SQL("meet", meeting=_meeting(target), every=every, columns=", ".join(columns), apart=apart, equal=same)
    )


def _add_siblings(connection: duckdb.DuckDBPyConnection, run: Run, phases: list[Phase]) -> None:
    """Add to `_meeting` the rows that are written in one transaction with those: they decide about each other."""
    for phase in (p for p in phases if p.together):
        sources = " UNION ".join(
            f"SELECT {SOURCE_KEY} FROM {_all(f'should_{o.name}')} "
            f"WHERE {KEY} IN (FROM {_meeting(run.migration.target(o.target))})"
            for o in phase.outputs
        )
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {own('sources')} AS {sources}")
        for output in phase.outputs:
            connection.execute(
                f"INSERT INTO {_meeting(run.migration.target(output.target))} SELECT {KEY} "
                f"FROM {_all(f'should_{output.name}')} WHERE {SOURCE_KEY} IN (FROM {own('sources')})"
            )


def _relate_state(
    connection: duckdb.DuckDBPyConnection,
    run: Run,
    target: Target,
    indexes: list[Unique],
    checked: dict[str, bool | None],
) -> None:
    """`_state`: of each row that meets others its key, phase and source, whether it is written, whether it is there, and
    the indexed columns, each as it will be and (`_was`) as it is."""
    names = sorted({name for index in indexes for name in index.columns})
    parts = []
    for phase, output in ((p, o) for p in run.migration.phases for o in p.outputs if o.target == target.id):
        _relate_drifted(connection, run, phase, checked)
        verb = unit_verb(phase, verb_of(run, phase, output, checked), SHOULD)
        new = ", ".join(value_of(target, phase, name) for name in names)
        was = ", ".join(f"{IS}.{duck.identifier(name)} AS {_was(name)}" for name in names)
        query = (
            f"SELECT {SHOULD}.{KEY}, {SHOULD}.{SOURCE_KEY} AS {_SOURCE}, {verb} AS {VERB}, {IS}.{KEY} IS NOT NULL AS {_THERE}, "
            f"{new}, {was} {rows_of(output)}"
        )
        written = f"{VERB} IN ('{ADD}', '{CHANGE}')"
        as_will_be = ", ".join(
            f"CASE WHEN {written} THEN {c} ELSE {_was(n)} END AS {c}, {_was(n)}"
            for n, c in ((name, duck.identifier(name)) for name in names)
        )
        part = duck.identifier(f"{_STATE}_of_{output.name}")
        connection.execute(
            f"CREATE TEMP TABLE {part} AS SELECT {KEY}, {duck.literal(phase.id)} AS {_PHASE}, {_SOURCE}, {written} AS {_WRITTEN}, "
            f"{_THERE}, {as_will_be} FROM ({query})"
        )
        parts.append(f"FROM {part}")
    stays = ", ".join(f"{c}, {c} AS {_was(n)}" for n, c in ((name, duck.identifier(name)) for name in names))
    gone = f"{keys_of(run, target, f' WHERE {IN_WINDOW}')} UNION ALL SELECT {KEY} FROM {leaving(target)}"
    parts.append(
        f"SELECT {KEY}, NULL AS {_PHASE}, NULL AS {_SOURCE}, false AS {_WRITTEN}, true AS {_THERE}, {stays} "
        f"FROM {duck.identifier(f'is_{target.id}')} WHERE {KEY} NOT IN ({gone})"
    )
    connection.execute(f"CREATE TEMP TABLE {_state(target)} AS {' UNION ALL BY NAME '.join(parts)}")


def _relate_drifted(
    connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, checked: dict[str, bool | None]
) -> None:
    def alone(output: Output) -> str:
        return f"SELECT {SHOULD}.{SOURCE_KEY} {rows_of(output)} AND {verb_of(run, phase, output, checked)} = '{DRIFT}'"

    relate_drifted(connection, phase, " UNION ".join(map(alone, phase.outputs)))


def _was(name: str) -> str:
    return duck.identifier(own(f"was_{name}"))


def _until_none(
    connection: duckdb.DuckDBPyConnection, run: Run, judged: dict[str, list[Unique]]
) -> list[tuple[str, str, str]]:
    """Reject what is not unique, all indexes at once; and again, with what is rejected as it was, until none is left."""
    connection.execute(
        f"CREATE TEMP TABLE {_FOUND} (turn INTEGER, phase VARCHAR, source VARCHAR, place INTEGER, key VARCHAR, message VARCHAR)"
    )
    every = [(run.migration.target(id), index) for id, indexes in judged.items() for index in indexes]
    turn, number = 0, -1
    while number != (number := duck.count(connection, f"SELECT count(*) FROM {_FOUND}")):
        turn += 1
        for place, (target, index) in enumerate(every):
            connection.execute(f"INSERT INTO {_FOUND} {_clashing(target, index, turn, place)}")
    return connection.execute(_SQL("rejected")).fetchall()


def _clashing(target: Target, index: Unique, turn: int, place: int) -> str:
    """SQL: the rows to be written that would have the indexed values of another, except what was rejected in turns
    before: that stays as it was, and is absent if it was."""
    columns = [(duck.identifier(name), _was(name)) for name in index.columns]
    values = ", ".join(f"CASE WHEN {_WRITTEN} THEN {new} ELSE {was} END AS {new}" for new, was in columns)
    state = _SQL("state", values=values, turn=str(turn), state_of=_state(target))
    message = duck.literal(f" of {target.table.name} is not unique by {index.name} ({', '.join(index.columns)}): ")
    return _SQL(
        "clashing",
        turn=str(turn),
        nth_index=str(place),
        message=message,
        state=state,
        columns=", ".join(new for new, _ in columns),
        apart="" if index.nulls_equal else "WHERE " + " AND ".join(f"{new} IS NOT NULL" for new, _ in columns),
        equal=" AND ".join(f"{IS}.{new} IS NOT DISTINCT FROM {_SAME}.{new}" for new, _ in columns),
    )
