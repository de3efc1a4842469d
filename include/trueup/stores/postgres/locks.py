"""The advisory locks that a transaction holds which writes by a fence, until it ends: by them it is found, and ended.

A lock has two numbers: what it is on (a target, or a part of a step), and the epoch of the lease, or the number of the try.
Writers share them and never wait for each other; whoever has a newer epoch or try ends the sessions of the older ones. The
locks are the transaction's, so that it makes no difference whether a pooler gives the next one another session.

A writer takes its locks first, and then asks the ledger. Whoever is newer enters its number in the ledger first, and then
looks for locks (`fencing.py`). So of two one has seen the other: a lock that was there is ended, or was committed before;
and whoever takes one later is told by the ledger that it is too late.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from psycopg import sql

from .. import Fence


def numbers(fence: Fence) -> list[tuple[int, int]]:
    """What each lock is on, and its number there; both fit PostgreSQL's `integer`."""
    named = [(f"target {target}", epoch) for target, epoch in sorted(fence.epochs.items())]
    named += [(f"part {fence.part}", fence.tries)] if fence.part else []
    return [(_number(name), count % 2**31) for name, count in named]


def locked(fence: Fence | None, execute: Callable[[sql.Composed], object]) -> Callable[[], None]:
    """Take the fence's locks in the transaction that is open, if there is a fence, and then have it ask the ledger; what
    checks it again, to be called before the commit. Whoever takes the right to write ends the session by these locks."""
    if fence is None:
        return lambda: None
    execute(_shared("pg_advisory_xact_lock_shared", fence))
    fence.confirm(0)
    return fence.check


def kept(fence: Fence | None, execute: Callable[[sql.Composed], object], pid: int | None) -> None:
    """The same for what is done without a transaction: the locks are the session's, until it ends. `pid` is what the
    connection takes for the server's process. Behind a pooler, which gives each statement whichever session is free, that is
    another one, and there are no locks: what is under way is not ended there, but the ledger is asked all the same."""
    if fence is None:
        return
    direct = sql.SQL("{} WHERE pg_backend_pid() = {}")
    execute(direct.format(_shared("pg_advisory_lock_shared", fence), pid))
    fence.confirm(0)


def _shared(function: str, fence: Fence) -> sql.Composed:
    calls = (sql.SQL("{}({}, {})").format(sql.SQL(function), *pair) for pair in numbers(fence))
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls))


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"trueup {name}".encode()).digest()[:4]) % 2**31
