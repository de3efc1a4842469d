"""The script that makes a table like one that is there, with all that it is besides its columns; what does not come along stands
in it as a comment, with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import duckdb

from ..trueup.stores import Catalogue
from .sampling import is_kept

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_OF_POSTGRES = frozenset(
    {
        *("current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp"),
        *("current_user", "grant", "localtime", "localtimestamp", "session_user", "system_user", "user"),
    }
)
"""Words that PostgreSQL reserves, and DuckDB does not."""


def create_script(new: Catalogue, rows: Sequence[Mapping[str, str]]) -> str:
    """The script that makes the table, and the types that may not be there: in another database, or in that of a test, whose
    `rows` keep every rule in it."""
    schema, name = new.place
    table = f"{in_sql(schema) + '.' if schema != 'public' else ''}{in_sql(name)}"
    lines = []
    if schema != "public":
        # CREATE SCHEMA IF NOT EXISTS asks for the right to make one, though it is there
        make = f"IF to_regnamespace({_literal(in_sql(schema))}) IS NULL THEN CREATE SCHEMA {in_sql(schema)}; END IF;"
        lines.append(f"DO $$ BEGIN {make} END $$;")
    lines += list(dict.fromkeys(c.made_by for c in new.columns if c.made_by))
    lines.append(f"CREATE TABLE {table} (")
    for c in new.columns:
        cannot_be_made, says = c.made_by is None, new.likeness.columns.get(c.name, "")
        exact = "text" if cannot_be_made else c.exact
        comment = f" -- {on_one_line(c.exact)}, a type that is made by hand" if cannot_be_made else ""
        words = f"{in_sql(c.name)} {exact}{says and ' '}{says}{' NOT NULL' if c.not_null else ''}"
        lines.append(f"    {words},{comment}")
    kept = [rule for rule in new.likeness.rules if is_kept(rule, new, rows)]
    lines += [f"    {rule.says}," for rule in kept if not rule.index]
    lines += [f"    PRIMARY KEY ({', '.join(map(in_sql, new.key))})", ");"]
    lines += [f"{rule.says.replace(' INDEX USING ', f' INDEX ON {table} USING ', 1)};" for rule in kept if rule.index]
    lines += _comments(new, table)
    unknown = "it is not known whether the rows of the test keep it; take it in, with rows that do"
    left = [f"{rule.says}: {unknown}" for rule in new.likeness.rules if rule not in kept]
    lines += [f"-- Left out: {_comment_of(each)}" for each in (*new.likeness.left_out, *left)]
    return "\n".join([*lines, ""])


def foreign_keys(new: Catalogue) -> str:
    """The script that adds the table's foreign keys once its rows are there; '' where it has none."""
    schema, name = new.place
    table = f"{in_sql(schema) + '.' if schema != 'public' else ''}{in_sql(name)}"
    statements = []
    for each in new.likeness.references:
        says, to = each.says.replace("{table}", table), each.to or table
        statements.append(
            f"DO $$ BEGIN\n    IF to_regclass({_literal(to)}) IS NOT NULL AND NOT EXISTS (\n        SELECT FROM pg_constraint"
            f" WHERE conrelid = {_literal(table)}::regclass AND conname = {_literal(each.name)}\n    ) THEN\n"
            f"        ALTER TABLE {table} ADD CONSTRAINT {in_sql(each.name)} {says};\n    END IF;\nEND $$;\n"
        )
    if not statements:
        return ""
    head = "-- Added when the rows are there, where the table that they refer to is there, too; safe to run again.\n"
    return head + "".join(statements)


def _comments(new: Catalogue, table: str) -> Iterator[str]:
    if new.likeness.comment:
        yield f"COMMENT ON TABLE {table} IS {_literal(new.likeness.comment)};"
    for c in new.columns:
        if text := new.likeness.comments.get(c.name):
            yield f"COMMENT ON COLUMN {table}.{in_sql(c.name)} IS {_literal(text)};"


def _comment_of(text: str) -> str:
    return " ".join(text.split())


def on_one_line(name: str) -> str:
    """A name on one line of a comment or a docstring, which it does not end."""
    return " ".join(name.split()).replace("\\", "/").replace('"', "`")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@cache
def _keywords() -> frozenset[str]:
    """What DuckDB takes for a word of its own somewhere; PostgreSQL has them, too."""
    words = duckdb.execute(
        "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    ).fetchall()
    return _OF_POSTGRES | {word for (word,) in words}


def in_sql(name: str) -> str:
    """A name as it stands in SQL, quoted where it must be."""
    plain = _PLAIN.fullmatch(name) and name not in _keywords()
    return name if plain else '"' + name.replace('"', '""') + '"'
