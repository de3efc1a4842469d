"""A note, from either table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from include.trueup.stores.postgres import Connection

WAYS = {
    "entries": "SELECT id, concat_ws(E'\\n', title, body) FROM entries",
    "notes": "SELECT id, text FROM notes",
}
"""The query for every note, by the value of the setting."""


def note(connection: Connection, id: int, read_from: str) -> dict[str, object] | None:
    """The note of that id; None if there is none."""
    found = connection.execute(f"SELECT * FROM ({WAYS[read_from]}) AS every (id, text) WHERE id = %s", [id]).fetchone()
    return {"id": found[0], "text": found[1]} if found else None
