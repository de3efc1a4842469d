"""The advisory locks that a transaction holds which writes by a fence, until it ends: by them it is found, and ended.

A lock has two numbers: what it is on (a target, or a part of a step), and the epoch of the lease, or the number of the try.
Writers share them and never wait for each other; whoever has a newer epoch or try ends the sessions of the older ones. The
locks are the transaction's, so that it makes no difference whether a pooler gives the next one another session.
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
    """Take the fence's locks in the transaction that is open, if there is a fence, and ask it; what asks it again, to be
    called before the commit. In between, whoever takes the right to write ends the session by these locks."""
    if fence is None:
        return lambda: None
    calls = (sql.SQL("pg_advisory_xact_lock_shared({}, {})").format(*pair) for pair in numbers(fence))
    execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls)))
    fence.check()
    return fence.check


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"trueup {name}".encode()).digest()[:4]) % 2**31
