"""Why an author's query does not run, in words: what DuckDB says, with the line in the file, what is like a name that there is
not, and what to write instead. Of a value that does not fit: `plan.unfit`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ..declare import Migration
from ..declare.names import fold, one_of
from ..errors import DeclarationError
from . import duck
from .values import NO_ZERO, no_zero

_NO_TABLE = re.compile(r"Table with name (\S+) does not exist!(\nDid you mean .*)?")
_UNCONVERTED = re.compile(
    r"""Could not convert string (['"])(?P<value>.*)\1 to (?P<type>[A-Z0-9_]+(\([0-9,]+\))?)""", re.DOTALL
)
_CANDIDATES = re.compile(r"\n\tCandidate functions:(\n\t.*)*\n*")
_PLACE = re.compile(r"( when casting from source column \S+)?\s*(\n\nLINE \d+:.*)?\Z", re.DOTALL)
_KIND = re.compile(r"\A(Conversion|Invalid Input|Out of Range) Error: ")
_BIND = "DESCRIBE "
_BOUND = re.compile(rf"^LINE 1: {_BIND}(.*)\n {{{len(_BIND)}}}( *\^)", re.MULTILINE)
_OF_DUCKDB = {
    "INT8": "TINYINT",
    "INT16": "SMALLINT",
    "INT32": "INTEGER",
    "INT64": "BIGINT",
    "INT128": "HUGEINT",
    "BOOL": "BOOLEAN",
}
_AS_TEXT = "NUMBER and JSON are text in a transform: CAST(x AS DECIMAL(38, 9)), json_extract_string(x, '$.a'), json_at(x, '$.a')"
_TRIES = {
    "format specifier": "try_strptime(…)",
    "Malformed JSON": "TRY_CAST(… AS JSON)",
    "onver": "TRY_CAST(…)",
    "out of range": "TRY_CAST(…)",
}
"""What takes any value, by what DuckDB says of one that it does not take."""


def relations(migration: Migration) -> list[str]:
    """What a script of the migration may read, by the names that its author gave."""
    return [*(s.id for s in migration.sources), *(d.id for d in migration.derived), *migration.shared]


def in_words(error: duckdb.Error, relations: Iterable[str]) -> str:
    """DuckDB's message; of a relation that is not there it names what is like it of these, not of DuckDB's own catalogue."""
    text = _NO_TABLE.sub(lambda match: f"{match[1]} does not exist; {one_of(match[1], relations)}", str(error)).strip()
    if isinstance(error, duckdb.BinderException) and "VARCHAR" in text:
        short = _CANDIDATES.sub("\n\n", text)
        text = f"{short}\n{_AS_TEXT}" if short != text or "Cannot compare" in text else text
    return text + (remedy(error) if _UNCONVERTED.search(text) else "")


def of_a_value(error: duckdb.Error) -> str:
    """What DuckDB says of a value, in one line, without its place, which is in a query of the engine's."""
    text = _KIND.sub("", _PLACE.sub("", str(error)))
    if match := _UNCONVERTED.search(text):
        return f"{match['value']!r} is no {_OF_DUCKDB.get(match['type'], match['type'])}"
    return text.splitlines()[0] if text else str(error)


def remedy(error: duckdb.Error) -> str:
    """What to write instead of what fails by a value; '' where nothing is known."""
    if "Malformed JSON" in str(error) and no_zero(str(error).partition('Input: "')[2]):
        return f"\n{NO_ZERO}"
    words = next((f"{takes} is null instead" for sign, takes in _TRIES.items() if sign in str(error)), "")
    return f"\n{words}; a finding then says what becomes of such a row (docs/how-to/rejects.md)" if words else ""


def line_of(script: str, view: str, column: str = "") -> int | None:
    """The line of a script on which a view's column gets its name, or, where none does, on which the view is made."""
    made = re.search(rf"\bCREATE\b[^;]*?\b(VIEW|TABLE)\b[^;]*?\b{re.escape(view)}\b", script, re.IGNORECASE)
    if made is None:
        return None
    end = script.find(";", made.end())
    body = script[made.end() : end if end >= 0 else len(script)]
    name = rf'(?<![\w"]){re.escape(duck.identifier(column))}|(?<!\w){re.escape(column)}(?![\w.])'
    named = column and (re.search(rf"\bAS\s+({name})", body, re.IGNORECASE) or re.search(name, body, re.IGNORECASE))
    return script.count("\n", 0, made.end() + named.start() if named else made.start()) + 1


def query_of(what: str, path: Path) -> str:
    """The text of an author's query, which may stand in brackets. Raises `DeclarationError` where it is several statements."""
    text = path.read_text(encoding="utf-8")
    try:
        count = len(duckdb.extract_statements(text))
    except duckdb.Error:
        count = 1  # whoever runs it says where
    if count != 1:
        raise DeclarationError(f"{what}: {path.name} has {count} statements; it is one query, SELECT …")
    return text.rstrip().rstrip(";")


@contextmanager
def asking(
    what: str,
    path: Path,
    connection: duckdb.DuckDBPyConnection,
    relations: Iterable[str],
    columns: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """While the query is run inside of another one: what fails is said by the line in the file, or by the columns that it is to
    give, of these types. Raises `DeclarationError`."""
    try:
        yield
    except duck.OF_NO_SCRIPT:
        raise  # no fault of the query
    except duckdb.Error as error:
        fault = f"{what}: {path.name} does not run: "
        query = query_of(what, path)
        try:
            given = [name for name, *_ in connection.execute(f"{_BIND}{query}").fetchall()]
        except duckdb.Error as alone:
            raise DeclarationError(fault + _BOUND.sub(r"LINE 1: \1\n\2", in_words(alone, relations))) from error
        if missing := [name for name in columns or {} if fold(name) not in map(fold, given)]:
            raise DeclarationError(
                f"{what}: {path.name} gives no column {missing[0]!r}, which is declared; {one_of(missing[0], given)}"
            ) from error
        for name, type_ in (columns or {}).items():
            value = f"SELECT CAST({duck.identifier(name)} AS VARCHAR) FROM ({query}\n)"
            unfit = f"{value} WHERE {duck.identifier(name)} IS NOT NULL AND TRY_CAST({duck.identifier(name)} AS {type_}) IS NULL"
            for (text,) in _first(connection, unfit):
                raise DeclarationError(
                    f"{what}: column {name!r} of what {path.name} gives is {text!r} in a row, which is no {type_}, as it is "
                    f"declared{remedy(error)}"
                ) from error
        raise DeclarationError(fault + of_a_value(error) + remedy(error)) from error


def _first(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[str]]:
    """The first row; none where the query itself fails."""
    try:
        return connection.execute(f"{query} ORDER BY 1 LIMIT 1").fetchall()
    except duckdb.Error:
        return []
