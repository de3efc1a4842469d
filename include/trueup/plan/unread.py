"""Values of the sources that nobody reads. A value that does not fit its declared type is null in its column and stands
in `_mistyped`; one of a column that nobody declares stands in `_extra`. An author who looks at neither would lose it, and
the proof, which is about rows as they were planned, would not see it.

So the engine looks, and what it means by *read* is this. Of a source row that becomes rows, a value in `_mistyped` is
read where a row has it (by its name in `_extra` or `_mistyped`, or `_mistyped` whole in a column); where the script looks
at `_mistyped` and takes it by its name (`json_extract(_mistyped, '$.born')`) or gives a finding of that source row; and,
in place, where it stays as it is in a column that is not owned, or a row replaces it by another. Any other makes the
source row a reject, `unread_value`; a value that could not be read at all makes it `unreadable_value` whatever the script
does. Of a source whose rows no phase accounts for, and of a look-up, the values are read where a script that names the
source looks at `_mistyped`; any other row is a warning, and, except in look-ups, fails the plan's gate. A column that nobody
declares is read where `Source.carries_extra` says so or a script that names the source looks at `_extra`; and it may be
left out by name (`Source.ignores`, the param `ignore_columns`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import duckdb
import pandas as pd

from ..declare import pure
from ..declare.migration import Migration, Phase, Source, Target, Type
from ..declare.names import EXTRA, KEY, MISTYPED, SOURCE_KEY, own
from ..gate import GateResult, evaluation
from ..gate.evaluation import value_suite
from ..rows import duck
from ..rows.json_column import UNREADABLE
from ..rows.statements import Statements
from ..run import Options, Run
from ..run.facts import Beside, transformed
from .inputs import as_read

UNREAD, UNREADABLE_VALUE = "unread_value", "unreadable_value"
"""Codes of the engine's own findings: a value that nobody reads, and one that cannot be read."""
BESIDE = own("beside")
"""Relation: findings (key, severity, code, message) on rows of sources that no phase accounts for."""
_SHOWN = 80
_SQL = Statements(__file__, unread_value=UNREAD, unreadable_value=UNREADABLE_VALUE)


def scripts(migration: Migration) -> list[str]:
    """The texts of the migration's scripts: a phase's together, each derived and each shared query alone. Of a function, the
    relations that it asks for, and which of `_extra` and `_mistyped` it names: none of their values by its name."""
    units: list[Iterable[Any]] = [phase.scripts for phase in migration.phases]
    units += [[derived.query] for derived in migration.derived]
    units += [[path] for path in migration.shared.values()]
    texts = ["\n".join(path.read_text(encoding="utf-8") for path in unit) for unit in units]
    for place, phase in enumerate(migration.phases):
        if phase.function is not None:
            named = (name for name in (EXTRA, MISTYPED) if pure.mentions(phase.function, name))
            texts[place] = " ".join((*pure.parameters(phase.function), *named))
    return texts


def _looks(texts: Iterable[str], source: Source, at: str) -> bool:
    """Whether a script that names the source looks at its column `_extra` or `_mistyped`."""
    return any(_names(text, at) and _names(text, source.id) for text in texts)


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", text, re.IGNORECASE) is not None


def _by_name(text: str, name: str) -> bool:
    """Whether the script takes the value of that name out of an object: `'$.born'`, `'/born'`, `'born'`."""
    return re.search(rf"""'(\$\.|/)?"?{re.escape(name)}"?'""", text) is not None


def in_place(migration: Migration, source: Source) -> Target | None:
    """The target that is the source's own table, of which the migration owns some columns."""
    same = (
        t
        for t in migration.targets
        if (t.table.name, t.table.connection) == (source.table.name, source.table.connection)
    )
    return next((t for t in same if t.owned is not None), None)


def ignored(source: Source, options: Options) -> set[str]:
    """The undeclared columns that the declaration or the run leaves out by name."""
    names = {*source.ignores}
    for text in options.ignore_columns:
        for table in (source.table.name, source.id):
            if text.startswith(f"{table}."):
                names.add(text.removeprefix(f"{table}."))
    return names


def undeclared(migration: Migration, source: Source, options: Options, columns: Iterable[str]) -> list[str]:
    """Of the `columns` found, which no declaration names, those that nobody carries or ignores."""
    if source.partition_by is None or in_place(migration, source) is not None or source.carries_extra:
        return []
    left = [name for name in columns if name not in ignored(source, options)]
    return [] if not left or _looks(scripts(migration), source, EXTRA) else left


def ways_out(source: Source, names: Iterable[str]) -> str:
    """What can be done about undeclared columns, in words."""
    listed = ", ".join(repr(name) for name in names)
    first = next(iter(names))
    return (
        f"Declare them in the columns of {source.table.name!r}; or carry them, by _extra in the transform"
        f" (Source(carries_extra=True) says so); or leave them out by name: Source(ignores=({listed},)), or the param"
        f" ignore_columns with {source.table.name}.{first}"
    )


def reject_unread(connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, findings: str) -> None:
    """Add a reject to the relation `findings` for each source row of the phase that becomes rows though a value of it is
    not read."""
    driver = run.migration.driver(phase)
    if not isinstance(driver, Source) or not _has(connection, driver):
        return
    texts = scripts(run.migration)
    script = texts[run.migration.phases.index(phase)]
    looks = _names(script, MISTYPED) or _looks(texts, driver, MISTYPED)
    target = in_place(run.migration, driver)
    stays = {*driver.columns} - {*(target.owned or ())} if target is not None else set()
    read = stays | {
        c for c in driver.columns if looks and any(_by_name(text, c) for text in texts if _names(text, MISTYPED))
    }
    names = ", ".join(map(duck.literal, sorted(read))) or "NULL"
    rows = " UNION ALL ".join(
        _SQL(
            "made",
            texts=_texts(run.migration.target(o.target)),
            replaced=_replaced(target if target is not None and target.id == o.target else None),
            view=own(o.view),
        )
        for o in phase.outputs
    )
    types = " ".join(f"WHEN {duck.literal(c)} THEN {duck.literal(str(t))}" for c, t in driver.columns.items())
    reject = _SQL(
        "reject",
        findings=findings,
        values=_values(driver),
        made_rows=rows,
        without_findings=f"ANTI JOIN {findings} f ON f.{SOURCE_KEY} = v.key" if looks else "",
        names=names,
        table=duck.literal(driver.name),
        type=f"CASE v.name {types} ELSE 'value' END",
    )
    connection.execute(reject)


def _texts(target: Target) -> str:
    """The columns of text and JSON, in which a script may put `_mistyped` whole."""
    names = [duck.identifier(n) for n, t in target.table.columns.items() if t in (Type.TEXT, Type.JSON)]
    return ", ".join(names) or "CAST(NULL AS VARCHAR)"


def _replaced(target: Target | None) -> str:
    """The names of the owned columns for which a row in place has a value: what was there is what it is to replace."""
    names = () if target is None else target.owned or ()
    present = [f"CASE WHEN {duck.identifier(n)} IS NOT NULL THEN {duck.literal(n)} END" for n in names]
    return ", ".join(present) or "CAST(NULL AS VARCHAR)"


def _has(connection: duckdb.DuckDBPyConnection, source: Source) -> bool:
    query = f"SELECT 1 FROM {as_read(source)} WHERE {MISTYPED} IS NOT NULL LIMIT 1"
    return bool(connection.execute(query).fetchall())


def _values(source: Source) -> str:
    """SQL: key, name, whole, shown, why (null unless it cannot be read) of each value in `_mistyped`."""
    pointer = "'/' || replace(replace(name, '~', '~0'), '/', '~1')"
    return _SQL("values", pointer=pointer, longest=str(_SHOWN), unreadable=UNREADABLE, source=as_read(source))


def look_beside(connection: duckdb.DuckDBPyConnection, run: Run, partition: int) -> dict[str, Beside]:
    """Look at what is in the sources besides what the phases account for; what is there, by source.
    Leaves the relation `BESIDE`."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {BESIDE} (key VARCHAR, severity VARCHAR, code VARCHAR, message VARCHAR)"
    )
    texts = scripts(run.migration)
    drivers = {phase.source for phase in run.migration.phases}
    beside: dict[str, Beside] = {}
    for source in run.migration.sources:
        if source.partition_by is None and partition:
            continue  # every partition sees a look-up whole
        counts = Beside(undeclared=_undeclared(connection, run, source))
        if source.id not in drivers and _has(connection, source) and not _looks(texts, source, MISTYPED):
            rows = connection.execute(
                f"SELECT name, count(*) FROM ({_values(source)}) GROUP BY 1 ORDER BY 1"
            ).fetchall()
            counts = replace(counts, unread=dict(rows))
            table = duck.literal(source.name)
            connection.execute(_SQL("warn", beside=BESIDE, table=table, values=_values(source)))
        if counts.undeclared or counts.unread:
            beside[source.id] = counts
    return beside


def _undeclared(connection: duckdb.DuckDBPyConnection, run: Run, source: Source) -> dict[str, int]:
    if not undeclared(run.migration, source, run.options, ["any name"]):
        return {}
    query = (
        f"SELECT name, count(*) FROM (SELECT unnest(json_keys({EXTRA})) AS name FROM {as_read(source)} "
        f"WHERE {EXTRA} IS NOT NULL) GROUP BY 1 ORDER BY 1"
    )
    counted = dict(connection.execute(query).fetchall())
    return {name: counted[name] for name in undeclared(run.migration, source, run.options, counted)}


def judge(run: Run) -> tuple[GateResult, dict[str, str]] | None:
    """Judge what the transform counted outside the phases; the result, and what is said of it by rule. None where there
    is nothing. A look-up's values are warnings only."""
    rows: dict[tuple[str, str], dict[str, int]] = {}
    looked_up = {source.id for source in run.migration.sources if source.partition_by is None}
    for part in transformed(run):
        for source_id, beside in part.sources.items():
            unread = {} if source_id in looked_up else beside.unread
            for kind, counted in (("undeclared", beside.undeclared), ("unread", unread)):
                for name, count in counted.items():
                    rows.setdefault((source_id, name), {"undeclared": 0, "unread": 0})[kind] += count
    if not rows:
        return None
    frame = pd.DataFrame([{KEY: f"{source}.{name}", **counts} for (source, name), counts in rows.items()])
    words = {}
    for kind, title in (
        ("undeclared", "attributes that nobody declares"),
        ("unread", "values that are not as declared"),
    ):
        counted_rows = {key: counts[kind] for key, counts in rows.items() if counts[kind]}
        if counted_rows:
            listed = ", ".join(f"{source}.{name} ({count:,} rows)" for (source, name), count in counted_rows.items())
            source = run.migration.source(next(iter(counted_rows))[0])
            out = ways_out(source, [n for s, n in counted_rows if s == source.id]) if kind == "undeclared" else _LOOK
            words[f"values.{kind}"] = f"{title}: {listed}. {out}"
    return evaluation.evaluate(value_suite, [frame], gate="values"), words


_LOOK = "Declare the type that they have, or look at _mistyped in the transform"
