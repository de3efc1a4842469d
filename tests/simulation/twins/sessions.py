"""How the relational twin does what it is asked: looks at one state, or transactions, again where there was no answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from include.trueup.declare.migration import Table
from include.trueup.errors import StoreRejectedError, StoreUnavailableError
from include.trueup.stores import ask_fence, present_fence
from include.trueup.stores.effects import Effects
from include.trueup.stores.parameters import asking
from include.trueup.stores.postgres.locks import numbers
from include.trueup.stores.postgres.session import SHORTEST_IDLE_SECONDS, Address, SnapshotGoneError

from . import set_off
from .hook import Doing, Effect, HiddenError, Hook
from .relational_writing import PLACE, Batch
from .tables import Held
from .transactions import Database, Transaction, WaitError

T = TypeVar("T")
_ASK = asking("postgresql://twin/")
Work = Callable[[Transaction], tuple[T, list[Batch]]]
"""What is done in a transaction, with what it wrote."""


class Sessions:
    """Looks and transactions on a database in memory, of which a hook is told."""

    def __init__(
        self,
        database: Database | None,
        name: str,
        hook: Hook,
        effects: Effects,
        lock_timeout: float,
        lock_wait: float,
        patience: float,
    ) -> None:
        self.database = database or Database(effects.lock())
        self.name, self.hook, self.effects = name, hook, effects
        self._address = Address.of(_ASK, lock_timeout=lock_timeout, patience=patience, effects=effects)
        self._state: Database | None = None
        self._lock_wait = lock_wait

    # ── effects ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _doing(self, kind: str, target: str, keys: Sequence[str] = ()) -> Doing:
        return Doing(hook=self.hook, effect=Effect(kind=kind, place=self.name, target=target, keys=tuple(keys)))

    def _read(
        self, kind: str, target: str, look: Callable[[Database, frozenset[str]], T], keys: Sequence[str] = ()
    ) -> T:
        """What a look at the present state, or the held one, gives; rows of the keys that it is given are hidden."""
        return self._look(self._doing(kind, target, keys), look)

    def _look(self, doing: Doing, look: Callable[[Database, frozenset[str]], T]) -> T:
        def once() -> T:
            lie = doing.before()
            with self.database.lock:
                found = look(self._state or self.database, lie.keys if isinstance(lie, HiddenError) else frozenset())
            doing.after()
            return found

        return self._address.insist(once)[0]

    def _seen(self, database: Database, table: Table) -> Held:
        """A table to be read, unless another has its name now than in the state that is held."""
        held, present = readable(database, table), self.database.find(table)
        if present is None or present.oid != held.oid:
            raise SnapshotGoneError(f"{PLACE}: {table.name} was swapped for another table, so its rows do not show.")
        return held

    def _write(self, kind: str, target: str, work: Work[T], keys: Sequence[str] = ()) -> tuple[T, int]:
        """What `work` gives in a transaction that is committed, and how often it was tried again."""

        def once() -> T:
            doing = self._doing(kind, target, keys)
            doing.before()
            found = self._transaction(doing.effect, work)
            doing.after()
            return found

        return self._address.insist(once)

    def _transaction(self, effect: Effect, work: Work[T]) -> T:
        begun, fence = self.effects.monotonic(), present_fence()
        idle = 600.0 if fence is None else max(SHORTEST_IDLE_SECONDS, fence.lasts / 2)
        while True:
            mine = Transaction(self.database, locks=[] if fence is None else numbers(fence))
            with self.database.lock:
                self.database.open.append(mine)
            try:
                mine.ends_at = self.effects.elapsing() + idle
                if fence is not None:
                    fence.confirm(0)
                try:
                    with self.database.lock:
                        self._go_on(effect, mine)
                        found, batches = work(mine)
                except WaitError:
                    self._wait(effect, begun, mine)
                    continue
                set_off.tell(mine, batches)
                mine.ends_at = self.effects.elapsing() + idle
                if fence is not None:
                    fence.check()
                self.hook(replace(effect, kind="commit"))
                with self.database.lock:
                    self._go_on(effect, mine)
                    self.database.commit(mine)
                return found
            finally:
                with self.database.lock:
                    if mine in self.database.open:
                        self.database.open.remove(mine)

    def _go_on(self, effect: Effect, mine: Transaction) -> None:
        """Unless the server has ended the transaction."""
        self.database.end_idle(self.effects.elapsing())
        if mine.ended is not None:
            raise StoreUnavailableError(f"{PLACE}: could not {effect.kind}: {mine.ended}.")

    def _wait(self, effect: Effect, begun: float, mine: Transaction) -> None:
        with self.database.lock:
            self.database.open.remove(mine)
        if self.effects.monotonic() - begun >= self._address.lock_timeout:
            raise StoreUnavailableError(
                f"{PLACE}: could not {effect.kind}: canceling statement due to lock timeout (SQLSTATE 55P03)."
            )
        self.effects.sleep(self._lock_wait)


def readable(database: Database, table: Table) -> Held:
    """A table that can be read as declared."""
    held = database.find(table)
    if held is None:
        raise StoreRejectedError(f"{PLACE}: there is no table {table.name}. Check its name and the connection.")
    if held.policies:
        raise StoreRejectedError(
            f"{PLACE}: query would be affected by row-level security policy for table {table.name}."
        )
    if missing := [name for name in table.columns if name not in held.types and name not in table.adds]:
        raise StoreRejectedError(f"{PLACE}: table {table.name} has no column {missing}. Correct the declaration.")
    return held


def make_indexes(held: Held, table: Table) -> None:
    """Those that it lacks, in no transaction, each dropped first; before each of that the ledger is asked."""
    fence, missing = present_fence(), held.shape([]).missing(table)
    if missing and fence is not None:
        fence.confirm(0)
    for _ in missing:
        ask_fence()
        ask_fence()
    held.index(table)
