"""The last word on a row: the fate that the last run gave it which accounted for it."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass

from ...declare.migration import Derived, Migration, Source
from ...errors import TrueupError
from ...ledger import Ledger, RunRow
from ...ledger.latest import last_first
from ...plan.fates import OUTSIDE_WINDOW
from .fates import Sought, SourceRow, TargetRow
from .findings import Finding
from .history import Past, each
from .rows import EXTRA, composite_key
from .shelf import Shelf

RUNS = 400
"""Runs that are looked at for an answer, the newest first."""
SECONDS = 20.0
"""How long is looked for an answer, beyond the run that is under way."""
_FIRST = ("rejected", "written", "kept", "skipped")
"""Of a source row that several phases account for: which fate is shown."""


class UnknownRowError(TrueupError):
    """There is no such table in the migration, or no run has accounted for the row; the message says what was looked at."""


class KeyFormError(TrueupError):
    """The key is not one of the table's."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target row that comes of it."""

    table: str
    key: str
    verb: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of a source row (`source`, `key`; None where a target row has none): its `fate` is written, kept,
    rejected or skipped. `rule` is the code by which it is so, `planned` where the run has not written it (yet),
    `rolled_back` where what the run wrote is taken back."""

    run: str
    source: str | None
    key: str | None
    fate: str
    rule: str | None
    targets: tuple[Target, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A row that is asked for: of a source, or of a target, by the name that it was asked by."""

    name: str
    key: str
    is_source: bool
    sought: Sought


def of_source(migration: Migration, name: str, key: str) -> Asked:
    """A row of a source, by the source's id or its table's name. Raises `UnknownRowError`, `KeyFormError`."""
    drivers = {phase.id: migration.driver(phase) for phase in migration.phases}
    known: list[Source | Derived] = [*migration.sources, *migration.derived]
    declared = next((each for each in known if name in (each.id, each.name)), None)
    if declared is None:
        raise UnknownRowError(
            f"{migration.id} has no source {name!r}; it has {', '.join(s.id for s in migration.sources)}"
        )
    text = _key(declared.name, declared.key, key)
    parts = dict(zip(declared.key, [text] if len(declared.key) == 1 else json.loads(text), strict=True))
    keys: dict[str, str] = {}
    for phase, driver in drivers.items():
        if driver == declared:
            keys[phase] = text
        elif isinstance(driver, Derived) and {*driver.key} <= {*parts}:
            # a row of one of the tables that the derived one is made of
            mine = [parts[column] for column in driver.key]
            keys[phase] = mine[0] if len(mine) == 1 else str(composite_key(json.dumps(mine)))
    if not keys:
        raise UnknownRowError(f"no phase of {migration.id} accounts for the rows of {declared.name}: it is a look-up")
    sought = Sought(keys=tuple(dict.fromkeys(keys.values())), phases=frozenset(keys), outputs=frozenset())
    return Asked(name=name, key=text, is_source=True, sought=sought)


def of_target(migration: Migration, name: str, key: str) -> Asked:
    """A row of a target, by the target's id or its table's name. Raises `UnknownRowError`, `KeyFormError`."""
    targets = [target for target in migration.targets if name in (target.id, target.table.name)]
    if not targets:
        raise UnknownRowError(
            f"{migration.id} has no target {name!r}; it has {', '.join(t.id for t in migration.targets)}"
        )
    text = _key(targets[0].table.name, targets[0].table.key, key)
    outputs = {output.name for target in targets for output in migration.outputs(target.id)}
    sought = Sought(keys=(text,), phases=frozenset(), outputs=frozenset(outputs))
    return Asked(name=targets[0].table.name, key=text, is_source=False, sought=sought)


def _key(table: str, columns: Sequence[str], key: str) -> str:
    if len(columns) == 1:
        return key
    text = composite_key(key)
    if text is None or len(json.loads(text)) != len(columns):
        example = json.dumps([f"<{column}>" for column in columns])
        raise KeyFormError(f"the key of {table} is {', '.join(columns)}: give it as a JSON array, {example}")
    return text


def last(migration: Migration, ledger: Ledger, shelf: Shelf, asked: Asked) -> Answer:
    """The answer of the last run that accounted for the row; of runs outside whose window it lies only where no other has.
    Raises `UnknownRowError` where none has, with what could not be looked at."""
    every = last_first(ledger, migration.id)
    # a run accounts for its source rows once its plan is counted; a rollback for what another has written
    rows = [row for row in every if row.undoes is None and row.planned_at is not None]
    taken_back = {row.undoes for row in every if row.undoes is not None and row.status == "proven"}
    until = ledger.effects.monotonic() + SECONDS
    outside: Answer | None = None
    not_looked: list[str] = []
    looked = 0
    for past in each(migration, ledger, shelf, asked.sought, rows[:RUNS]):
        looked += 1
        not_looked += [f"{past.run}: {why}" for why in past.not_looked]
        answer = _answer(past, asked, past.run in taken_back)
        if answer is not None and answer.rule != OUTSIDE_WINDOW:
            return answer
        outside = outside or answer
        if ledger.effects.monotonic() > until:
            break
    if outside is not None:
        return outside
    raise UnknownRowError(_reason(migration, asked, rows, looked, not_looked))


def _reason(migration: Migration, asked: Asked, rows: Sequence[RunRow], looked: int, not_looked: Sequence[str]) -> str:
    message = f"no run of {migration.id} has accounted for {asked.key!r} of {asked.name}; {looked} of {len(rows)} runs were looked at"
    if not_looked:
        message += f", not whole: {'; '.join(not_looked[:5])}"
        message += f"; and {len(not_looked) - 5} more" if len(not_looked) > 5 else ""
    return message


def _answer(past: Past, asked: Asked, taken_back: bool) -> Answer | None:
    rows = (*past.targets, *past.beyond)
    if asked.is_source:
        sources = [s for s in past.sources if s.key in asked.sought.keys and s.fate is not None]
        if not sources:
            return None
        chosen = min(sources, key=lambda s: _FIRST.index(str(s.fate)))
        mine = {(s.phase, s.key) for s in sources}
        targets = [t for t in rows if (t.phase, t.source) in mine]
        return Answer(
            run=past.run,
            findings=_findings(past, mine, targets),
            source=asked.name,
            key=asked.key,
            targets=_targets(targets),
            fate=str(chosen.fate),
            rule=_rule(chosen, taken_back),
        )
    row = next((t for t in past.targets if t.key == asked.key and t.table == asked.name), None)
    if row is None:
        return None
    beside = [t for t in rows if t.source == row.source and t.phase == row.phase] if row.source else [row]
    of = next((s for s in past.sources if s.key == row.source and s.phase == row.phase), None)
    if of is None or of.fate is None:
        # what nothing gives: it is removed, or left as it is
        fate = "written" if row.verb == "remove" else "kept"
        return Answer(
            run=past.run, findings=past.findings, source=None, key=None, fate=fate, rule=EXTRA, targets=_targets(beside)
        )
    return Answer(
        run=past.run,
        findings=_findings(past, {(of.phase, of.key)}, beside),
        source=of.table,
        key=of.key,
        targets=_targets(beside),
        fate=of.fate,
        rule=_rule(of, taken_back),
    )


def _findings(past: Past, sources: Set[tuple[str, str]], targets: Sequence[TargetRow]) -> tuple[Finding, ...]:
    """What was found of these rows. Rows of other tables may have the same keys: they are of other phases."""
    mine = sources | {(target.phase, target.key) for target in targets}
    return tuple(finding for finding in past.findings if (finding.phase, finding.key) in mine)


def _rule(source: SourceRow, taken_back: bool) -> str | None:
    return "rolled_back" if taken_back and source.fate == "written" else source.rule


def _targets(rows: Sequence[TargetRow]) -> tuple[Target, ...]:
    return tuple(Target(table=row.table, key=row.key, verb=row.verb) for row in rows)
