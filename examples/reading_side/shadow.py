"""The shadow comparison: every note, read both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from include.trueup.cutover.comparison import Compared, Comparison

from .serving import WAYS

if TYPE_CHECKING:
    from include.trueup.stores.postgres import PostgresStore

BOTH = (
    f"SELECT id, old.text, new.text FROM ({WAYS['entries']}) AS old (id, text) "
    f"FULL JOIN ({WAYS['notes']}) AS new (id, text) USING (id) ORDER BY id"
)


def compare(store: PostgresStore, _: Mapping[str, Any]) -> Compared:
    """Read every note both ways. A difference has `key`, `old` and `new`."""
    result = Compared()
    with store.connect() as connection:
        for id, old, new in connection.execute(BOTH):
            result.compared += 1
            if old != new:
                result.differences.append({"key": str(id), "old": old, "new": new})
    return result


comparison = Comparison(
    id="reading_side_shadow",
    migration="reading_side",
    title="Reading side: shadow comparison",
    owner="notes",
    doc="Reads every note from both tables and compares.",
    connection="notes_postgres",
    compare=compare,  # type: ignore[arg-type]  # a store behind that connection is a PostgresStore
)
