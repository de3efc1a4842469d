"""The switch of a migration, as the application that serves its rows reads it."""

from __future__ import annotations

from collections.abc import Mapping

from ..declare.migration import Migration
from ..ledger import Ledger


def settings(ledger: Ledger, migration: Migration) -> Mapping[str, str | bool]:
    """What the migration's switch says now, by the names that the migration declares; read at every call, so that a
    turn of the switch is seen at once. Raises `StoreUnavailableError`."""
    return migration.settings.get(ledger.switches.state(migration.id), {})
