"""A process' door to a store in memory: the protocol of `include.trueup.stores`, on a `Server`'s tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from include.trueup.declare.migration import Table
from include.trueup.declare.names import EXTRA, MISTYPED
from include.trueup.errors import StoreRejectedError
from include.trueup.stores import (
    ELSEWHERE,
    REFUSED_ELSEWHERE,
    Advanced,
    Conflict,
    Limits,
    Outcome,
    Refused,
    Share,
    Store,
    present_fence,
)
from include.trueup.stores.dynamodb import limits as document_limits
from include.trueup.stores.postgres import limits as relational_limits

from .looking import Looking
from .server import Effect, Held, Key, RefusedRowError, Row, canonical, key_of, key_words

UNIT_ROWS = 100
"""Rows that one transaction of documents may have."""


class ConflictingRowError(Exception):
    """A row is not as it was when planned."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """A row's way from `before` to `after`; None: it is not there."""

    key: Key
    before: Row | None
    after: Row | None


class MemoryStore(Looking, Store):
    """The store as one process sees it; `hook` is called before and after each of its effects."""

    def add(self, table: Table, rows: pa.Table) -> Outcome:
        """Write rows that must not be there yet."""
        return self._alone("add", table, [self._way(table, None, row) for row in rows.to_pylist()])

    def change(self, table: Table, rows: pa.Table, before: pa.Table) -> Outcome:
        """Bring rows from before to after."""
        pairs = zip(before.to_pylist(), rows.to_pylist(), strict=True)
        return self._alone("change", table, [self._way(table, was, row) for was, row in pairs])

    def remove(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> Outcome:
        """Delete rows that are as given."""
        ways = [self._way(table, row, None) for row in rows.to_pylist()]
        return self._alone("remove", table, ways, cascade_to)

    def _way(self, table: Table, before: Row | None, after: Row | None) -> Change:
        was, will = (None if row is None else canonical(row, table.columns) for row in (before, after))
        return Change(key=key_of(table.key, will or was or {}), before=was, after=will)

    def _alone(self, kind: str, table: Table, ways: list[Change], cascade_to: Sequence[str] = ()) -> Outcome:
        """Each row by itself: of documents each is a request, otherwise all of them are one transaction."""
        outcome, write = Outcome(), partial(self._write, table, cascade_to=cascade_to)
        if not ways:
            self._held(table)
            return outcome
        requests = [[way] for way in ways] if self._documents else [ways]
        for request in requests:
            met: dict[Key, Conflict | Refused] = {}
            with self._request("put" if self._documents else kind, table.name, request):
                for way in request:
                    met |= self._met(way, write)
            outcome.written += len(request) - len(met)
            _tell(outcome, met.values())
        return outcome

    @contextmanager
    def _request(self, kind: str, target: str, ways: Sequence[Change]) -> Iterator[None]:
        """One request that writes, asked of the fence before it is sent; by its end, it is done whole or not at all."""
        words = [key_words(way.key) for way in ways]
        with self._server.session(present_fence()) as session:
            session.require()
            self._hook(Effect(place="store", kind=kind, target=target, when="before", keys=tuple(words)))
            if not self._documents:  # the server's own word: what was ended meanwhile is not committed
                session.require()
            with self._server.transaction():
                yield
        self._hook(Effect(place="store", kind=kind, target=target, when="after", keys=tuple(words)))

    def _met(self, way: Change, write: Callable[[Change], None]) -> dict[Key, Conflict | Refused]:
        """Write a row; what it met instead."""
        try:
            write(way)
        except ConflictingRowError as conflict:
            reason, found = conflict.args
            return {way.key: Conflict(key=key_words(way.key), reason=reason, found=found)}
        except RefusedRowError as refused:
            return {way.key: Refused(key=key_words(way.key), reason=refused.reason, constraint=refused.constraint)}
        return {}

    def _write(self, table: Table, way: Change, *, cascade_to: Sequence[str] = ()) -> None:
        """Write a row, if it is as before; one that is as it is to be is written. Raises `ConflictingRowError`, `RefusedRowError`."""
        held = self._held(table)
        now = held.rows.get(way.key)
        if self._same(table, held, now, way.after):
            return
        if not self._same(table, held, now, way.before):
            words = (
                "the row has changed since it was planned"
                if way.before
                else "a row with this key is there, with other content"
            )
            raise ConflictingRowError(words, None if now is None else json.dumps(now, default=str))
        if way.after is None and now is not None and (reason := self._stuck(held, now, cascade_to)):
            raise RefusedRowError(reason, None)
        kept = {n: v for n, v in (now or {}).items() if n not in table.columns and n not in (EXTRA, MISTYPED)}
        self._server.write(held, way.key, None if way.after is None else self._stored(table, way.after) | kept)
        if (
            way.after is not None
            and not self._same(table, held, held.rows.get(way.key), way.after)
            and not held.triggers
        ):
            raise RefusedRowError("the row is not there after it was written", None)

    def _stored(self, table: Table, row: Row) -> Row:
        if self._documents:
            return row
        return {name: value for name, value in row.items() if name in table.columns}

    def _same(self, table: Table, held: Held, now: Row | None, wanted: Row | None) -> bool:
        if now is None or wanted is None:
            return now is wanted
        shown = canonical(self._shown(held, table, now), {})
        names = [*table.columns, *((EXTRA, MISTYPED) if self._documents else ())]
        return all(_alike(shown.get(name), wanted.get(name)) for name in names)

    def together(self, shares: Sequence[Share]) -> list[Outcome]:
        """Each unit whole, or not at all."""
        outcomes = [Outcome() for _ in shares]
        units: dict[int, list[tuple[int, Share, Change]]] = {}
        for number, share in enumerate(shares):
            rows = zip(share.units, share.before.to_pylist(), share.rows.to_pylist(), share.gone, strict=True)
            for unit, before, after, gone in rows:
                was = before if before[share.table.key[0]] is not None else None
                way = self._way(share.table, was, None if gone else after)
                units.setdefault(unit, []).append((number, share, way))
        for every in units.values():
            if self._documents and len(every) > UNIT_ROWS:
                raise StoreRejectedError(f"a transaction of {len(every)} rows: {UNIT_ROWS} are allowed")
            for number, met in self._unit(every):
                _tell(outcomes[number], [met] if met is not None else [])
                outcomes[number].written += met is None
        return outcomes

    def _unit(self, unit: list[tuple[int, Share, Change]]) -> Iterator[tuple[int, Conflict | Refused | None]]:
        """One transaction; what each of its rows met, by the share that it is of."""
        met: dict[int, Conflict | Refused] = {}
        names = " and ".join(dict.fromkeys(share.table.name for _, share, _ in unit))
        try:
            with self._request("transact", names, [way for _, _, way in unit]):
                for place, (_, share, way) in enumerate(unit):
                    found = self._met(way, partial(self._write, share.table, cascade_to=share.cascade_to))
                    if found:
                        met[place] = found[way.key]
                if met:
                    raise _TakenBackError
        except _TakenBackError:
            pass
        refused = any(isinstance(each, Refused) for each in met.values())
        for place, (number, share, way) in enumerate(unit):
            if not met or place in met:
                yield number, met.get(place)
            elif refused:
                yield number, Refused(key=key_words(way.key), reason=REFUSED_ELSEWHERE)
            else:
                now = self._held(share.table).rows.get(way.key)
                found_now = None if now is None else json.dumps(now, default=str)
                yield number, Conflict(key=key_words(way.key), reason=ELSEWHERE, found=found_now)

    def stuck(self, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> dict[str, str]:
        """Rows that others refer to."""
        with self._effect("stuck", table.name):
            held = self._held(table)
            there = {key_of(table.key, row): held.rows.get(key_of(table.key, row)) for row in rows.to_pylist()}
            words = {key: self._stuck(held, row, cascade_to) for key, row in there.items() if row is not None}
        return {key_words(key): reason for key, reason in words.items() if reason}

    def _stuck(self, held: Held, row: Row, cascade_to: Sequence[str]) -> str:
        for table, foreign, _ in self._server.referring(held, row):
            if f"{table.name}.{foreign.name}" not in cascade_to:
                return f"rows of {table.name} refer to it by {foreign.name}"
        return ""

    def uncreatable(self, table: Table) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def advance(self, table: Table) -> list[Advanced]:
        """Bring the sequences behind the greatest values."""
        with self._effect("advance", table.name):
            held, done = self._held(table), []
            for column, before in held.sequences.items():
                greatest = max(
                    (int(row[column]) for row in held.rows.values() if row.get(column) is not None), default=0
                )
                held.sequences[column] = after = max(before, greatest)
                sequence = f"{held.name}_{column}_seq"
                done.append(
                    Advanced(table=held.name, column=column, sequence=sequence, before=before, after=after, holds=True)
                )
            return done

    def script(self, text: str) -> None:
        """Run what the server knows the script by; one that it does not know is noted, and does nothing."""
        if self._documents:
            raise StoreRejectedError("DynamoDB has no scripts")
        with self._effect("script", text[:60]), self._server.transaction():
            self._server.ran.append(text)
            if (effect := self._server.scripts.get(text.strip())) is not None:
                effect(self._server)

    def unwritable(self, table: Table, rows: str, limits: Limits = Limits()) -> str:  # noqa: B008 - it never changes
        """The real store's own query."""
        if self._documents:
            return document_limits.unwritable(table, rows)
        return relational_limits.unwritable(table, rows, limits)

    def connect(self) -> AbstractContextManager[Any]:
        """What a service would write with: there is none here."""
        raise StoreRejectedError("memory: a service has no connection here")


class _TakenBackError(Exception):
    """Ends a transaction without committing it."""


def _alike(one: object, other: object) -> bool:
    return one == other or (one != one and other != other)


def _tell(outcome: Outcome, met: Any) -> None:
    for each in met:
        (outcome.conflicts if isinstance(each, Conflict) else outcome.refused).append(each)
