"""The switch of a migration, as the application that serves its rows reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..declare.migration import Migration
from ..ledger import Ledger, SwitchState, TurnRow


@dataclass(frozen=True, kw_only=True)
class Switch:
    """Where a migration's switch stands: its `state`, the `settings` in it, by the names that the migration declares, and the
    turn that brought it there (None: it was never turned)."""

    state: SwitchState
    settings: Mapping[str, str | bool]
    turned: TurnRow | None


def now(ledger: Ledger, migration: Migration) -> Switch:
    """The switch as it is; read at every call, so that a turn is seen at once. Raises `StoreUnavailableError`."""
    turned = ledger.switches.last(migration.id)
    state = SwitchState.LEGACY if turned is None else SwitchState(turned.to_state)
    return Switch(state=state, settings=migration.settings.get(state, {}), turned=turned)


def settings(ledger: Ledger, migration: Migration) -> Mapping[str, str | bool]:
    """What the migration's switch says now. Raises `StoreUnavailableError`."""
    return now(ledger, migration).settings
