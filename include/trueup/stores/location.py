"""Where a store is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Location:
    """Where a store is, as its server says itself: `identity`, the same by whatever address it is reached; the `address`
    (`host:port`, or the folder of a socket); of DynamoDB `region` and `account`, of PostgreSQL the `database`. None: a
    store of this kind has none, or it may not be asked."""

    identity: str
    address: str
    region: str | None = None
    account: str | None = None
    database: str | None = None
