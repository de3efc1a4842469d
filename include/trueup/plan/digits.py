"""Digits that a transform loses: a number of a source that a double holds as another, and that reaches a target's row through one.

Every function and cast of DuckDB that reads JSON does that (`rows/digits.py`), and no reading of an author's SQL finds them all:
behind views, macros, look-ups, in Python. So where a partition has such numbers, all that makes rows of it is done twice more, with
neighbours in place of these numbers; a value that is the same of the one neighbour, and another of the other, was made of a double. The
source row is a reject then. A column of `rows` that is a DOUBLE, or one that `Target.rounds` names, is meant so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ..declare.migration import Derived, Output, Phase, Source, Target, Type
from ..declare.names import EXPECTED, EXTRA, FOUND, KEY, MISTYPED, PLANNED, own
from ..errors import DeclarationError
from ..rows import digits, duck
from ..rows.digits import FAR, LOST, NEAR
from ..rows.statements import Statements
from ..run import Run
from ..stores import key_text
from .inputs import as_read
from .making import hand_on, make

DIGITS_LOST = "digits_lost"
"""Code of the reject that the engine makes itself, for a row of which a number lost digits: it went through a double."""
_MEANT = (Type.FLOAT, Type.BINARY, Type.TIMESTAMP, Type.DATETIME)
"""Types of targets' columns in which no digits get lost: a double is meant, or bytes, or an instant, whose microseconds are coarser
than the doubles of today's seconds."""
_DOUBLES = ('"NULL"', "DOUBLE", "FLOAT", "DOUBLE[]", "FLOAT[]")
_SHOWN = 60
_REMEDY = (
    "which went through a double: {at} takes it out of JSON with every digit, and text that is put together keeps them; if a rounded"
    " number is meant, name the column in Target(rounds=…)"
)
_SQL = Statements(__file__, number_of_row=own("number_of_row"), unknown=own("unknown"))

Related = Callable[[str], AbstractContextManager[duckdb.DuckDBPyConnection]]
"""All that a transform sees, related in a connection, with that neighbour (`NEAR`, `FAR`) in place of each such number."""


@dataclass(frozen=True)
class Neighbours:
    """What each output is of both neighbours, as files, by the output's name; `unknown`: why that is not known. `shared`: whether
    what all partitions share was made of such numbers."""

    made: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)
    unknown: str | None = None
    shared: bool = False


def neighbours_of(run: Run, folder: Path, related: Related, *, shared: bool) -> Neighbours:
    """What the transform makes of both neighbours, in files below the folder."""
    if run.migration.cost is not None:
        return Neighbours(unknown="its transform costs something, and is not run again for that", shared=shared)
    files: dict[str, list[Path]] = {}
    try:
        for neighbour in (NEAR, FAR):
            with related(neighbour) as connection:
                for phase in run.migration.phases:
                    make(connection, run, phase)
                    for output in phase.outputs:
                        target = run.migration.target(output.target)
                        rows = _rows([*_checked(target)], target, output)
                        duck.write(connection, rows, file := folder / f"{output.name}-{neighbour}.parquet")
                        files.setdefault(output.name, []).append(file)
                    hand_on(connection, run, phase)
    except DeclarationError as error:
        why = f"with other digits in its place the transform does not run ({error})"
        return Neighbours(unknown=why, shared=shared)
    return Neighbours({name: (near, far) for name, (near, far) in files.items()})


def reject(
    connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, neighbours: Neighbours, findings: str
) -> None:
    """Add a reject to the relation `findings` for each source row of the phase of which a number lost digits."""
    driver = run.migration.driver(phase)
    why: dict[str, str] = {}
    for output in phase.outputs:
        target = run.migration.target(output.target)
        if neighbours.unknown is None:
            why = _compared(connection, driver, target, output, neighbours.made[output.name]) | why
        elif {*target.table.columns} - {*target.rounds}:
            where = _elsewhere(connection, run, driver, neighbours)
            of = digits.regarded(costs=run.migration.cost is not None)
            having = "true" if where else digits.any_of({n: t for n, t in _columns(driver).items() if t in of})
            keys = connection.execute(f"SELECT {KEY} FROM {as_read(driver)} WHERE {having} ORDER BY 1").fetchall()
            why |= {key: _unknown(neighbours.unknown, where) for (key,) in keys}
    if why:
        connection.register(given := own("given"), pa.table({"source": [*why], "message": [*why.values()]}))
        connection.execute(_SQL("reject", findings=findings, given=given, code=duck.literal(DIGITS_LOST)))
        connection.unregister(given)


def _elsewhere(
    connection: duckdb.DuckDBPyConnection, run: Run, driver: Source | Derived, neighbours: Neighbours
) -> str:
    """What else than the driver has such a number, of which any of its rows may be made; '' where nothing has."""
    if neighbours.shared:
        return "what all partitions share"
    others = {as_read(source): source for source in run.migration.sources if source is not driver}
    types = {name: source.columns for name, source in others.items()}
    first = digits.first_long(connection, types, costs=run.migration.cost is not None)
    return others[first].name if first is not None else ""


def _compared(
    connection: duckdb.DuckDBPyConnection,
    driver: Source | Derived,
    target: Target,
    output: Output,
    files: tuple[Path, Path],
) -> dict[str, str]:
    """Of the source rows whose rows lost digits, why."""
    types = {name: type_ for name, type_, *_ in connection.execute(f"DESCRIBE {output.view}").fetchall()}
    names = [name for name in _checked(target) if types.get(name, '"NULL"') not in _DOUBLES]
    if not names:
        return {}
    near, far = (duck.parquet([file], None) for file in files)
    numbers = [_number(duck.identifier(name)) for name in names]
    listed = ", ".join(f"{number} AS {own(f'lost_{n}')}" for n, number in enumerate(numbers))
    some = f"coalesce({', '.join(own(f'lost_{n}') for n in range(len(names)))}) IS NOT NULL"
    rows = _rows(names, target, output)
    keys = {f"{each}_keys": _keys(driver, neighbour) for each, neighbour in (("near", NEAR), ("far", FAR))}
    query = _SQL("compared", rows=rows, near=near, far=far, numbers=listed, any=some, **keys)
    compared = connection.execute(query).fetchall()
    read = _read(connection, driver, [source for source, *_ in compared])
    why: dict[str, str] = {}
    for source, unknown, *lost in compared:
        if unknown:
            why[source] = _unknown("with other digits in its place it becomes other rows")
        else:
            name, number = next((n, lost_) for n, lost_ in zip(names, lost, strict=True) if lost_ is not None)
            why.setdefault(source, _words(name, number, driver, read.get(source, {})))
    return why


def _number(name: str) -> str:
    one, same, other = (f"{alias}.{name}" for alias in (PLANNED, EXPECTED, FOUND))
    return _SQL("number", one=one, same=same, other=other, lost=LOST)


def _keys(driver: Source | Derived, neighbour: str) -> str:
    """SQL: the keys of the driver's rows, and what they are with the neighbour in place of their numbers, where they have such."""
    types = {name: type_ for name, type_ in _columns(driver).items() if name in driver.key}
    of = digits.put(as_read(driver), types, neighbour) if types else f"SELECT * FROM {as_read(driver)} WHERE false"
    return _SQL("keys", key_text=key_text(driver.key), rows=of)


def _rows(names: list[str], target: Target, output: Output) -> str:
    columns = (f"CAST({name} AS VARCHAR) AS {name}" for name in map(duck.identifier, names))
    key = key_text(target.table.key)
    return _SQL("rows", columns=", ".join(columns), key_text=key, made_rows=own(output.view))


def _checked(target: Target) -> Iterator[str]:
    """The columns in which a number may have lost digits."""
    yield from (name for name, t in target.table.columns.items() if t not in _MEANT and name not in target.rounds)
    yield from (EXTRA, MISTYPED)


def _columns(driver: Source | Derived) -> dict[str, Type]:
    columns = digits.columns(driver.columns)
    return columns if isinstance(driver, Source) else {n: t for n, t in columns.items() if n in driver.columns}


def _read(
    connection: duckdb.DuckDBPyConnection, driver: Source | Derived, keys: list[str]
) -> dict[str, dict[str, str | None]]:
    """The texts of source rows, by key."""
    names = [*_columns(driver)]
    if not (keys and names):
        return {}
    connection.register(given := own("given"), pa.table({"key": [*dict.fromkeys(keys)]}))
    listed = ", ".join(map(duck.identifier, names))
    query = f"SELECT {KEY}, {listed} FROM {as_read(driver)} WHERE {KEY} IN (SELECT key FROM {given})"
    rows = connection.execute(query).fetchall()
    connection.unregister(given)
    return {key: dict(zip(names, values, strict=True)) for key, *values in rows}


def _words(name: str, number: str, driver: Source | Derived, row: Mapping[str, str | None]) -> str:
    """What happened to a number in the column of that name, and to which of the source row."""
    long = [(column, each) for column, text in row.items() for each in digits.long_numbers(text or "")]
    what = f"column {name!r} has {_cut(number)}"
    if not long:
        return (
            f"{what} of a number with more digits in another row, {_REMEDY.format(at=_json_at('document', '$.path'))}"
        )
    of = next((each for _, each in long if digits.same_double(each, number)), long[0][1])
    paths = {column: _path(row[column] or "", of) for column, each in long if each == of}
    places = (f"column {column!r} at {path}" if path else f"column {column!r}" for column, path in paths.items())
    at = next((_json_at(column, path) for column, path in paths.items() if path), _json_at("document", "$.path"))
    return f"{what} of {_cut(of)} ({' or '.join(places)} of {driver.name}), {_REMEDY.format(at=at)}"


def _json_at(column: str, path: str) -> str:
    return f"json_at({column}, {duck.literal(path)})"


def _unknown(why: str, where: str = "") -> str:
    return (
        f"{where or 'it'} has a number with more digits than a double holds, and whether they get lost is not known: {why};"
        " round the number where it is made, or name the columns in Target(rounds=…)"
    )


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _path(text: str, number: str) -> str:
    """Where the number stands in a document, as JSON's paths are written; '' where it is no document, or stands in a text of it."""
    try:
        to_do: list[tuple[str, Any]] = [("$", json.loads(text, parse_float=lambda each: (each,)))]
    except (ValueError, RecursionError):
        return ""
    while to_do:
        path, value = to_do.pop()
        if value in ((number,), number):
            return path if path != "$" else ""
        if isinstance(value, dict):
            to_do += [(f"{path}.{_member(each)}", inner) for each, inner in value.items()]
        elif isinstance(value, list):
            to_do += [(f"{path}[{n}]", inner) for n, inner in enumerate(value)]
    return ""


def _member(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name, ensure_ascii=False)
