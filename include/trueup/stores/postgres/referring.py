"""Which rows cannot be removed since others refer to them, looked at before anything is removed."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ...declare.migration import Table
from . import catalog, reading
from .effects import effects_of
from .looking import keys_of, referred_to
from .session import Address, session


def stuck(address: Address, table: Table, rows: pa.Table, but: Sequence[str]) -> dict[str, str]:
    """By key, by which foreign key other rows refer to it; foreign keys named in `but` are not looked at."""
    reasons: dict[str, str] = {}
    with session(address, doing=f"see which rows of {table.name} others refer to", read_only=True) as opened:
        shape = catalog.find(opened, table)
        references = [] if shape is None else effects_of(opened, shape.oid).references
        for reference in references:
            if shape is None or reference.name in but:
                continue
            referring = reading.by_keys_where(opened, table, shape, rows, referred_to(reference))
            for key in keys_of(table, referring):
                reasons.setdefault(key, f"rows of {reference.table} refer to it ({reference.constraint})")
    return reasons
