"""What is wrong with the SQL of a migration that no row is needed to see: what a run would find late, or never."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from ..trueup.declare.migration import Derived, Migration, Phase, Source
from ..trueup.declare.names import fold, one_of
from ..trueup.rows.changing import KEYWORDS
from .meaningless import meaningless, saying_nothing
from .problem import Problem, unreadable
from .sql_tree import columns, nodes, place

SEVERITIES = ("reject", "warning", "keep", "skip")
_START = r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*"
_MAKES = re.compile(
    _START + r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP(?:ORARY)?\s+)?(?:VIEW|TABLE)\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r'"?(\w+)"?\s+AS\s+',
    re.IGNORECASE | re.DOTALL,
)
_CHANGES = re.compile(
    _START + r"(?:INSERT\s+(?:OR\s+\w+\s+)?INTO|UPDATE|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?|MERGE\s+INTO|"
    r'(?:DROP|ALTER)\s+(?:TABLE|VIEW)(?:\s+IF\s+EXISTS)?)\s+"?(\w+)"?',
    re.IGNORECASE | re.DOTALL,
)
_OUTSIDE = {"COPY", "ATTACH", "DETACH", "EXPORT", "LOAD", "COPY_DATABASE"}
_READERS = re.compile(r"read_\w+|parquet_\w+|sniff_csv|glob|getenv")

_ONLY = "a transform sees the declared relations and makes views, and nothing else"
_GIVES_ANOTHER = (
    "gives another value each time, but a plan that is made again of the same rows must be the same; give the transform "
    "what it needs as a relation: a param, a constant, a source"
)


class _Changing(NamedTuple):
    """What gives another value each time."""

    functions: set[str]
    keywords: set[str]


class _Role(NamedTuple):
    """What a script is for: what may not be null in the targets that its views are of, by view, what its phases account for, and
    the params that it may ask for; `empty`: the targets that hold nothing yet, each with the phase that plans their rows."""

    never_null: dict[str, tuple[str, ...]]
    drivers: list[Source | Derived]
    params: list[str]
    empty: dict[str, str]


def scripts(migration: Migration) -> Iterator[Problem]:
    """The problems of its scripts and queries."""
    read: tuple[Source | Derived, ...] = (*migration.sources, *migration.derived)
    ids = (*(each.id for each in read), *(each.id for each in migration.targets))
    relations = {*ids, *migration.shared, *migration.constants, "params", "undeclared"}
    names = {column for each in read for column in each.columns}
    files = [path for phase in migration.phases for path in phase.scripts]
    files += [*migration.shared.values(), *(each.query for each in migration.derived), *migration.audit.values()]
    with duckdb.connect() as connection:
        changing = {
            name
            for (name,) in connection.execute(
                "SELECT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT' AND function_name <> 'error'"
            ).fetchall()
        }
        clocks = _Changing(changing, {*KEYWORDS} - {fold(each) for each in names})
        for path in dict.fromkeys(files):
            if (problem := unreadable(path)) is not None:
                yield problem
            else:
                yield from _script(connection, path, relations, clocks, _role(migration, path))


def _role(migration: Migration, path: Path) -> _Role:
    phases = [phase for phase in migration.phases if path in phase.scripts]
    outputs = [(output.view, migration.target(output.target).table) for phase in phases for output in phase.outputs]
    never_null = {fold(view): (*table.key, *table.required) for view, table in outputs}
    later = [_later(migration, phase) for phase in phases]
    empty = {id: phase for id, phase in (later[0] if later else {}).items() if all(id in each for each in later)}
    return _Role(
        never_null, [migration.driver(phase) for phase in phases], [param.id for param in migration.params], empty
    )


def _later(migration: Migration, phase: Phase) -> dict[str, str]:
    """The targets that hold nothing when that phase's script is run, each with the first phase that plans rows of it."""
    at = migration.phases.index(phase)
    first: dict[str, str] = {}
    for each in migration.phases[at:]:
        for output in each.outputs:
            first.setdefault(output.target, each.id)
    return {
        id: by
        for id, by in first.items()
        if not any(id in {o.target for o in e.outputs} for e in migration.phases[:at])
    }


def _script(
    connection: duckdb.DuckDBPyConnection, path: Path, relations: set[str], changing: _Changing, role: _Role
) -> Iterator[Problem]:
    text = path.read_text(encoding="utf-8")
    for at, statement in _placed(text):
        for offset, message in _statement(connection, statement, relations, changing, role):
            yield Problem(path, text.count("\n", 0, at + offset) + 1, message)


def _placed(text: str) -> Iterator[tuple[int, duckdb.Statement]]:
    """The statements of a script, each with its place; none where it is no SQL, of which whoever runs it says where."""
    try:
        statements = duckdb.extract_statements(text)
    except duckdb.Error:
        return
    at = 0
    for statement in statements:
        at = max(text.find(statement.query.strip(), at), at)
        yield at, statement


def placed_statements(text: str) -> Iterator[tuple[int, str]]:
    """The statements of a script as text, each with its place."""
    for at, statement in _placed(text):
        yield at, statement.query.strip()


def made_by(query: str) -> re.Match[str] | None:
    """The beginning of a query that makes a view or a table, up to its SELECT; its first group is the name."""
    return _MAKES.match(query)


def _statement(
    connection: duckdb.DuckDBPyConnection,
    statement: duckdb.Statement,
    relations: set[str],
    changing: _Changing,
    role: _Role,
) -> Iterator[tuple[int, str]]:
    """What is wrong with it, each with the place in its text."""
    query, kind = statement.query.strip(), statement.type.name
    if kind in _OUTSIDE:
        yield 0, f"{kind} reaches for files; {_ONLY}"
    changes, makes = _CHANGES.match(query), made_by(query)
    for match, does in ((changes, "changes"), (makes, "makes")):
        if match and fold(match[1]) in relations:
            yield (
                match.start(1),
                f"the script {does} {match[1]!r}, which is declared: it is what was read; make a view of another name of it",
            )
    start = makes.end() if makes else 0
    (tree,) = connection.execute("SELECT json_serialize_sql(?)", [query[start:]]).fetchone() or ("{}",)
    parsed: dict[str, Any] = json.loads(tree)
    for offset, message in (*_reaches(parsed, changing), *meaningless(parsed, role.params), *_empty(parsed, role)):
        yield start + offset, message
    for offset, message in _view(parsed, fold(makes[1]), role) if makes else ():
        yield start + offset, message


def _empty(parsed: Mapping[str, Any], role: _Role) -> Iterator[tuple[int, str]]:
    """Where a query reads a target whose rows no earlier phase has planned."""
    own = {fold(each["key"]) for node in nodes(parsed) for each in (node.get("cte_map") or {}).get("map", ())}
    for node in nodes(parsed):
        name = fold(node["table_name"]) if node.get("type") == "BASE_TABLE" else ""
        if name not in own and (phase := role.empty.get(name)):
            holds = f"{node['table_name']} holds what earlier phases plan for that target, and so nothing here"
            yield place(node), f"{holds}: phase {phase!r} plans the first; let that phase come before, or read a source"


def _view(parsed: Mapping[str, Any], name: str, role: _Role) -> Iterator[tuple[int, str]]:
    """What is wrong with the columns of a view that the engine takes."""
    if name in (*role.never_null, "findings"):
        yield from saying_nothing(parsed, view=name, key=role.never_null.get(name, ()), drivers=role.drivers)
    for each in parsed.get("statements", []) if name == "findings" else ():
        for offset, severity in _severities(each["node"]):
            if severity not in SEVERITIES:
                yield offset, f"findings of severity {severity!r}; {one_of(severity, SEVERITIES)}"


def _reaches(parsed: Mapping[str, Any], changing: _Changing) -> Iterator[tuple[int, str]]:
    """Where a query reads what is no relation: a file, a clock, a lot; each with its place, the first where DuckDB says none."""
    for node in nodes(parsed):
        at = place(node)
        name, table = str(node.get("function_name", "")), str(node.get("table_name", ""))
        names = node["column_names"] if node.get("class") == "COLUMN_REF" else []
        column = fold(names[0]) if len(names) == 1 else ""
        if _READERS.fullmatch(name):
            yield at, f"{name}() reaches for what is no row; {_ONLY}"
        elif node.get("type") == "BASE_TABLE" and re.search(r"[./]", table):
            yield at, f"{table!r} is a file; {_ONLY}"
        elif (
            name in changing.functions or column in changing.keywords or (name == "age" and len(node["arguments"]) == 1)
        ):
            yield at, f"{name or column} {_GIVES_ANOTHER}"


def _severities(query: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """The texts that stand for the column `severity` of a query, each with its place."""
    for _, expression in columns(query, "severity"):
        yield from _texts(expression)


def _texts(expression: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    if expression["class"] == "CONSTANT" and expression["literal"]["kind"] == "STRING":
        yield expression["query_location"], expression["literal"]["text"]
    if expression["class"] == "CASE":
        for each in (*(check["then_expr"] for check in expression["case_checks"]), expression["else_expr"]):
            yield from _texts(each)
    if expression["class"] == "CAST":
        yield from _texts(expression["child"])
