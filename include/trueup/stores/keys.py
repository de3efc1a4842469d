"""Keys as text."""

from __future__ import annotations

from collections.abc import Sequence


def key_text(keys: Sequence[str], row: str = "") -> str:
    """SQL for the text form of a key: the value itself, or a JSON array for a composite key; `row` is the row's alias,
    where other rows are in the query."""
    quoted = [f'{row and f"{row}."}"{k.replace(chr(34), chr(34) * 2)}"' for k in keys]
    if len(quoted) == 1:
        return f"CAST({quoted[0]} AS VARCHAR)"
    return f"CAST(to_json([{', '.join(f'CAST({q} AS VARCHAR)' for q in quoted)}]) AS VARCHAR)"
