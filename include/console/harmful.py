"""What a script around a table may not do, though PostgreSQL would: lose rows that no rollback brings back, end the transaction that
it runs in."""

from __future__ import annotations

from collections.abc import Iterator

from ..trueup.declare import Migration
from ..trueup.stores.postgres.catalog import schema_and_name
from .made_tables import statements

_ALONE = "-- trueup: no transaction"
_ENDS = {"begin", "commit", "rollback", "abort", "start"}


def harmful(migration: Migration, script: str) -> Iterator[tuple[int, str]]:
    """What is wrong with the script, each with its line."""
    tables = [*(source.table for source in migration.sources), *(target.table for target in migration.targets)]
    declared = {schema_and_name(table)[1] for table in tables}
    alone = script.startswith(_ALONE)
    for tokens in statements(script):
        if not tokens:
            continue
        words, line = [token.text for token in tokens], tokens[0].line
        if words[0] in _ENDS and not alone:
            yield line, f"{words[0].upper()}: the script runs in a transaction already; leave it out"
        if "concurrently" in words[:5] and not alone:
            yield (
                line,
                f"CONCURRENTLY runs in no transaction: give it a script of its own in finish, whose first line is {_ALONE}",
            )
        for token in tokens:
            if token.text == "\\" and token.kind == "other":
                yield token.line, "a line with \\ is psql's own, which PostgreSQL does not know; leave it out"
        if (lost := _emptied(words)) in declared:
            verb = words[0].upper()
            yield (
                line,
                f"{verb} of {lost!r}, which is declared: the plan is made of its rows, and no rollback brings them back",
            )


def _emptied(words: list[str]) -> str | None:
    """The table that a statement drops or empties."""
    if words[:2] not in (["drop", "table"], ["delete", "from"]) and words[0] != "truncate":
        return None
    rest = [word for word in words[1:] if word not in ("table", "from", "only", "if", "exists")]
    if len(rest) > 2 and rest[1] == ".":
        return rest[2]
    return rest[0] if rest else None
