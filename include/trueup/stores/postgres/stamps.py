"""Columns that a trigger is sure to set to a value of its own in every row that is updated: read from its function, and only where
nothing in that leaves a doubt. A function that is not understood to its last word sets none."""

from __future__ import annotations

import re

ANOTHER = ("timestamp with time zone", "timestamp without time zone", "uuid")
"""Types in which no two such values are the same; a date, or a time of a few digits, may be what it was."""
_LEXED = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", re.DOTALL)
_DOUBTFUL = re.compile(r"--|/\*|;")
_BODY = re.compile(r"\s*BEGIN\s+(.*?);\s*RETURN\s+NEW\s*;\s*END\s*;?\s*", re.DOTALL | re.IGNORECASE)
_SETS = re.compile(r'\s*NEW\s*\.\s*("(?:[^"]|"")+"|\w+)\s*:?=(.*)', re.DOTALL | re.IGNORECASE)
_ALWAYS_ANOTHER = re.compile(
    r"\s*(?:(?:now|clock_timestamp|statement_timestamp|transaction_timestamp|gen_random_uuid)\s*\(\s*\)|current_timestamp|localtimestamp)"
    r"(?:\s*AT\s+TIME\s+ZONE\s+'[\w/]+')?(?:\s*::\s*(?:timestamptz|timestamp(?:\s+with(?:out)?\s+time\s+zone)?|uuid))?\s*",
    re.IGNORECASE,
)
"""An expression whose value is never that of before."""


def stamped(language: str, source: str) -> tuple[str, ...]:
    """The columns of NEW that the function sets to what is never the same twice (`NEW.last_update = now()`); none where it does
    anything but set columns of NEW and return it: another statement could keep it from that, or put back what was there."""
    body = _BODY.fullmatch(_without_comments(source)) if language == "plpgsql" else None
    assigned = [_SETS.fullmatch(statement) for statement in body[1].split(";")] if body else []
    given = [(_name(each[1]), each[2]) for each in assigned if each]
    if len(given) < len(assigned):
        return ()
    set_names = [name for name, _ in given]
    return tuple(name for name, value in given if _ALWAYS_ANOTHER.fullmatch(value) and set_names.count(name) == 1)


def _without_comments(source: str) -> str:
    """The source, where it can be taken apart by its quotes, each comment a blank; '' where not."""
    if "$" in source or "\\" in source:
        return ""
    quoted = [each for each in _LEXED.findall(source) if each[0] in "'\""]
    nested = [each for each in _LEXED.findall(source) if "/*" in each[2:]]
    if nested or any(_DOUBTFUL.search(each) for each in quoted):
        return ""
    return _LEXED.sub(lambda part: part[0] if part[0][0] in "'\"" else " ", source)


def _name(written: str) -> str:
    return written[1:-1].replace('""', '"') if written.startswith('"') else written.lower()
