"""Halving: what one statement cannot write of all staged rows is written in parts, down to the rows that are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import adbc_driver_manager as adbc
from psycopg import sql

from ...errors import StoreRejectedError
from .failures import refusal
from .session import Session

HOPELESS = 1_000
"""A batch of which so many rows are refused before any is written is given up: what refuses it is not about rows."""
CHECK = "SET CONSTRAINTS ALL IMMEDIATE"
"""Whatever is deferred is checked with the rows that it is about, and not by the COMMIT of them all."""
Write = Callable[[sql.Composable], set[int]]
"""Writes the staged rows of which the condition holds; the numbers of those that it wrote."""


@dataclass
class Written:
    """The numbers of the rows that were written, and of those that were refused, with why in words, and the name of what
    refused it."""

    rows: set[int] = field(default_factory=set)
    refused: dict[int, tuple[str, str | None]] = field(default_factory=dict)


class _LessError(Exception):
    """Ends a part of a transaction without keeping it."""


def at_once(opened: Session, rows: int, write: Callable[[], int], *, check: bool) -> bool:
    """Whether `write`, which gives how many rows it wrote, wrote all of them; if not, it is taken back. Whether what is
    deferred is `check`ed."""
    try:
        with opened.savepoint():
            if write() == rows:
                if check:
                    opened.execute(CHECK)
                return True
            raise _LessError
    except _LessError:
        return False
    except adbc.Error as error:
        if refusal(error) is None:
            raise
        return False


def in_parts(opened: Session, rows: int, write: Write) -> Written:
    """Write the staged rows 0 … `rows`-1, in one part if that goes. A part that the server refuses for what is in a row
    is taken back and written in halves; of a single row the refusal is believed.

    Raises any other error, and `StoreRejectedError` for a batch of which `HOPELESS` rows are refused and none is written.
    """
    whole, pending = Written(), [(0, rows)]
    while pending:
        first, end = pending.pop()
        try:
            with opened.savepoint():
                wrote = write(sql.SQL("s.r >= {} AND s.r < {}").format(first, end))
                opened.execute(CHECK)
            whole.rows |= wrote
        except adbc.Error as error:
            if (failure := refusal(error)) is None:
                raise
            if end - first > 1:
                middle = (first + end) // 2
                pending += [(middle, end), (first, middle)]
            else:
                whole.refused[first] = failure
        if not whole.rows and len(whole.refused) >= HOPELESS:
            reason, name = next(iter(whole.refused.values()))
            raise StoreRejectedError(
                f"{opened.place}: the first {len(whole.refused):,} of {rows:,} rows were refused, all of them, "
                f"the first by {name or 'the server'}: {reason} Nothing of this batch is written; fix the "
                "transform or the table."
            )
    return whole
