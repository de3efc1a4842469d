"""Columns that a trigger is sure to set to a value of its own in every row that is updated: read from its function, and only where
nothing in that leaves a doubt."""

from __future__ import annotations

import re

_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_BODY = re.compile(r"\bBEGIN\b(.*)\bEND\b", re.DOTALL | re.IGNORECASE)
_DOUBTFUL = re.compile(r"\b(BEGIN|CASE|CONTINUE|EXIT|EXCEPTION|FOR|FOREACH|IF|LOOP|RETURN|WHILE)\b", re.IGNORECASE)
_SETS = re.compile(r'\s*NEW\.("(?:[^"]|"")+"|\w+)\s*:?=(.*)', re.DOTALL | re.IGNORECASE)
_RETURNS = re.compile(r"\bRETURN\s+(\w+)", re.IGNORECASE)
_ALWAYS_ANOTHER = re.compile(
    r"\s*(?:(?:now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|random|gen_random_uuid)\s*\(\s*\)"
    r"|nextval\s*\([^()]*\)|current_timestamp|localtimestamp)(?:\s*AT\s+TIME\s+ZONE\s+'\w+')?(?:\s*::\s*\w+)?\s*",
    re.IGNORECASE,
)
"""An expression whose value is never that of before."""


def stamped(language: str, source: str) -> tuple[str, ...]:
    """The columns of NEW that the function sets, before anything that could keep it from doing so, to what is never the same twice
    (`NEW.last_update = now()`); of a language that is not PL/pgSQL none."""
    body = _BODY.search(_COMMENTS.sub(" ", source)) if language == "plpgsql" else None
    if body is None or {word.upper() for word in _RETURNS.findall(body[1])} != {"NEW"}:
        return ()
    columns: list[str] = []
    for statement in body[1].split(";"):
        if _DOUBTFUL.search(statement):
            break
        assigned = _SETS.fullmatch(statement)
        if assigned and _ALWAYS_ANOTHER.fullmatch(assigned[2]):
            columns.append(_name(assigned[1]))
    again = [_name(name) for name in re.findall(r'NEW\.("(?:[^"]|"")+"|\w+)\s*:?=', body[1], re.IGNORECASE)]
    return tuple(name for name in columns if again.count(name) == 1)


def _name(written: str) -> str:
    return written[1:-1].replace('""', '"') if written.startswith('"') else written.lower()
