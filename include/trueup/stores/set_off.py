"""What a table makes by itself of a batch that is written to it (by triggers, or foreign keys that take rows along), reported
before the batch is committed: so nothing that a run's own writing does is ever taken for somebody else's work, even after
a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import pyarrow as pa

from ..declare.migration import Table


@dataclass(frozen=True, kw_only=True)
class SetOff:
    """What one transaction did to `table` besides what it was asked to do: `rows`, in canonical form, are those that it
    changed and that it leaves otherwise than they were to be written: rows of the batch, and rows that it is not about.
    `deleted`: how many rows went, at most, that it was not to delete; None where that is not known."""

    table: Table
    rows: pa.Table
    deleted: int | None


@dataclass(frozen=True, kw_only=True)
class Watch:
    """While it is active, whatever is set off in one of `tables` is reported before it is committed. A transaction may be reported that
    is then not committed, or more than once."""

    tables: tuple[Table, ...]
    tell: Callable[[SetOff], None]

    @contextmanager
    def active(self) -> Iterator[None]:
        """While the block runs, in this thread."""
        before = _present.set(self)
        try:
            yield
        finally:
            _present.reset(before)


_present: ContextVar[Watch | None] = ContextVar("watch", default=None)


def present_watch() -> Watch | None:
    """The watch that is active where a store is called."""
    return _present.get()
