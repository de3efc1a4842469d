"""Faults in what is read, planned, written and proven."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pyarrow as pa

from include.trueup import report
from include.trueup.cutover import turning
from include.trueup.errors import TrueupError
from include.trueup.plan import backward, baseline, hashing, transform, verbs
from include.trueup.prove import budgets, left_alone, verify
from include.trueup.run import earlier, not_written
from include.trueup.stores import Conflict
from include.trueup.write import apply, approval

from ..memory import MemoryStore
from .patching import Patch, ignore, swap


def unread_values(patch: Patch) -> None:
    """A value that does not fit its type becomes null."""
    patch.setattr(transform, "reject_unread", lambda *_: None)


def refused_is_a_conflict(patch: Patch) -> None:
    """A row that the store refuses counts as a conflict, and conflicts leave the proof."""
    real = MemoryStore._one

    def one(self: Any, table: Any, held: Any, before: Any, new: Any, outcome: Any) -> None:
        real(self, table, held, before, new, outcome)
        outcome.conflicts += [Conflict(key=each.key, reason=each.reason, found="{}") for each in outcome.refused]
        outcome.refused = []

    patch.setattr(MemoryStore, "_one", one)
    conflicts_unlimited(patch)
    swap(patch, verify._SQL, "kind", "'missing' ELSE 'left_alone'", "NULL ELSE NULL")


def conflicts_unlimited(patch: Patch) -> None:
    """Rows that were left alone have no budget, and no place in the verdict."""
    judged, listed = budgets.judge_left_alone, left_alone.exceptions

    def passed(*given: Any) -> Any:
        return [replace(each, passed=True, critical_failures=0) for each in judged(*given)]

    patch.setattr(budgets, "judge_left_alone", passed)
    patch.setattr(left_alone, "exceptions", lambda run: (listed(run)[0] * 0, []))


def rows_hidden(patch: Patch) -> None:
    """The store shows the reader a part of the rows."""
    real = MemoryStore.reading

    @contextmanager
    def reading(self: MemoryStore) -> Iterator[Any]:
        with real(self) as given:
            state: Any = given
            if state is not self and "people" in state.held:
                rows = state.held["people"].rows
                rows.pop(max(rows, default=""), None)
            yield state

    patch.setattr(MemoryStore, "reading", reading)


def lost_baseline(patch: Patch) -> None:
    """Where the baseline is gone, nothing is told from what others wrote, and that passes."""
    real = budgets._limits
    patch.setattr(budgets, "_limits", lambda run: {n: v for n, v in real(run).items() if n != "allow_lost_baseline"})


def removals_unlimited(patch: Patch) -> None:
    """A source that shrinks empties the target."""
    real = budgets._limits
    patch.setattr(budgets, "_limits", lambda run: {n: v for n, v in real(run).items() if n != "max_remove_share"})


def condition_cut_short(patch: Patch) -> None:
    """The condition of a write leaves columns out."""
    real = MemoryStore._one

    def one(self: Any, table: Any, held: Any, before: Any, new: Any, outcome: Any) -> None:
        given = new if new is not None else before
        now = held.rows.get(given[0])
        if now is not None and before is not None and now[:2] == before[:2]:
            before = now
        real(self, table, held, before, new, outcome)

    patch.setattr(MemoryStore, "_one", one)


def no_condition(patch: Patch) -> None:
    """A write has no condition."""
    real = MemoryStore._one

    def one(self: Any, table: Any, held: Any, before: Any, new: Any, outcome: Any) -> None:
        given = new if new is not None else before
        real(self, table, held, held.rows.get(given[0]), new, outcome)

    patch.setattr(MemoryStore, "_one", one)


def last_row_left_out(patch: Patch) -> None:
    """A batch is one row short, and the proof does not miss it."""
    real = apply._resized

    def resized(reader: pa.RecordBatchReader, size: int) -> Iterator[pa.Table]:
        for rows in real(reader, size):
            yield rows.slice(0, rows.num_rows - 1) if rows.num_rows > 1 else rows

    patch.setattr(apply, "_resized", resized)


def missing_is_fine(patch: Patch) -> None:
    """The proof does not see what is missing."""
    swap(patch, verify._SQL, "kind", "WHEN $row.$key IS NULL THEN 'missing'", "WHEN $row.$key IS NULL THEN NULL")
    last_row_left_out(patch)


def different_is_fine(patch: Patch) -> None:
    """The proof takes what is different for what others did since."""
    swap(patch, verify._SQL, "kind", "ELSE 'different'", "ELSE 'moved_on'")


def drift_is_ours(patch: Patch) -> None:
    """What others changed is taken for what a run wrote."""
    patch.setattr(baseline, "is_ours", lambda *_: "true")


def removes_what_others_added(patch: Patch) -> None:
    """Rows that no run has added are removed, too."""
    swap(patch, verbs.SQL, "leaving", "JOIN $keys", "LEFT JOIN $keys")
    swap(patch, verbs.SQL, "leaving", "WHERE $wanted", "WHERE true OR $wanted")


class _Any(str):
    """A hash that is the same as any."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, _: object) -> bool:
        return True

    def __ne__(self, _: object) -> bool:
        return False


def rows_not_in_the_hash(patch: Patch) -> None:
    """The plan's name leaves its rows out, and so do the hashes of its files."""
    real = hashing.covered

    def covered(run: Any, parts: Any = None) -> Any:
        return {**real(run, parts), "rows": {}}

    patch.setattr(hashing, "covered", covered)
    files = hashing.files_hash
    patch.setattr(approval, "files_hash", lambda run: _Any(files(run)))


def touched_since_is_undone(patch: Patch) -> None:
    """A rollback takes back what others changed since."""
    swap(patch, backward._SQL, "verb", "WHEN $added_differs AND $touched THEN 'drift'", "WHEN false THEN 'drift'")
    swap(patch, backward._SQL, "verb", "WHEN $owned_differs AND $touched THEN 'drift'", "WHEN false THEN 'drift'")


def not_put_back(patch: Patch) -> None:
    """A rollback keeps what the run had changed."""
    swap(patch, backward._SQL, "verb", "ELSE 'change'", "ELSE 'keep'")


def earlier_plan_forgotten(patch: Patch) -> None:
    """What a run wrote under an earlier plan is not kept when it begins again."""
    patch.setattr(earlier, "_keep", lambda *_: None)  # what it keeps is an effect: without it, it is another history


def own_rows_are_others(patch: Patch) -> None:
    """A run that begins again does not know its own rows."""
    real = baseline._last_plan
    patch.setattr(baseline, "_last_plan", lambda run, row: (real(run, row), None)[row.run_id == run.id])


def report_written_again(patch: Patch) -> None:
    """The report of a proven run is written again."""
    ignore(patch, report, "settled")


def turned_on_any_proof(patch: Patch) -> None:
    """The switch is turned though the last run is not proven."""

    last, check = turning.proven, turning._check

    def proven(ledger: Any, workspace: Any, migration_id: str) -> Any:
        try:
            return last(ledger, workspace, migration_id)
        except TrueupError:
            return next(row for row in ledger.runs(migration_id) if row.undoes is None)

    def checked(run: Any, *given: Any) -> Any:
        try:
            return check(run, *given)
        except TrueupError:
            return run.ended_at or run.started_at

    patch.setattr(turning, "proven", proven)
    patch.setattr(turning, "_check", checked)


def conflict_is_no_row(patch: Patch) -> None:
    """A row that somebody deleted is taken for one that was left alone."""
    real = not_written.rows

    def rows(*given: Any, **more: Any) -> Any:
        found = real(*given, **more).to_pylist()
        for row in found:
            row[not_written.WHY] = not_written.Why.LEFT_ALONE
        return pa.Table.from_pylist(found, not_written.SHAPE)

    patch.setattr(not_written, "rows", rows)
    conflicts_unlimited(patch)


MUTANTS = {
    "review/0": unread_values,
    "review/1": refused_is_a_conflict,
    "review/2": rows_hidden,
    "review/8": lost_baseline,
    "review/10": removals_unlimited,
    "review/16": condition_cut_short,
    "own/no condition": no_condition,
    "own/a batch is one row short": last_row_left_out,
    "own/missing is fine": missing_is_fine,
    "own/different is fine": different_is_fine,
    "own/drift is ours": drift_is_ours,
    "own/removes what others added": removes_what_others_added,
    "own/rows not in the hash": rows_not_in_the_hash,
    "own/touched since is undone": touched_since_is_undone,
    "own/not put back": not_put_back,
    "own/earlier plan forgotten": earlier_plan_forgotten,
    "own/own rows are others'": own_rows_are_others,
    "own/report written again": report_written_again,
    "own/turned on any proof": turned_on_any_proof,
    "own/left alone without a limit": conflicts_unlimited,
    "own/deleted is left alone": conflict_is_no_row,
}
