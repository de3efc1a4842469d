"""Faults in what is read, planned, written and proven."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from include.trueup import report
from include.trueup.cutover import turning
from include.trueup.declare.names import ROW_ID, own
from include.trueup.errors import TrueupError
from include.trueup.plan import backward, baseline, checks, hashing, inputs, target_checks, transform, verbs
from include.trueup.prove import accounting, budgets, left_alone, statements, verify
from include.trueup.report import ending
from include.trueup.run import earlier, not_written
from include.trueup.stores import Conflict, Outcome
from include.trueup.stores.dynamodb import settle
from include.trueup.stores.dynamodb.items import canonical_item
from include.trueup.write import apply, approval

from ..twins import RelationalTwin, relational
from ..twins.relational_writing import Batch
from ..twins.rows import arrow, plain
from .patching import Patch, ignore, swap


def unread_values(patch: Patch) -> None:
    """A value that does not fit its type becomes null."""
    patch.setattr(transform, "reject_unread", lambda *_: None)


def refused_is_a_conflict(patch: Patch) -> None:
    """A row that the store refuses counts as a conflict, and conflicts leave the proof."""
    real = relational.outcome

    def outcome(*given: Any) -> Outcome:
        made = real(*given)
        made.conflicts += [Conflict(key=each.key, reason=each.reason, found="{}") for each in made.refused]
        made.refused = []
        return made

    patch.setattr(relational, "outcome", outcome)
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
    real = RelationalTwin.reading

    @contextmanager
    def reading(self: RelationalTwin) -> Iterator[RelationalTwin]:
        with real(self) as state:
            if state._state is not None and state is not self and (held := state._state.tables.get("public.people")):
                held.rows.pop(max(held.rows, default=()), None)
            yield state

    patch.setattr(RelationalTwin, "reading", reading)


def _figure(patch: Patch, **other: float) -> None:
    real = budgets._figures
    patch.setattr(budgets, "_figures", lambda *given: {**real(*given), **other})


def lost_baseline(patch: Patch) -> None:
    """Where the baseline is gone, nothing is told from what others wrote, and that passes."""
    _figure(patch, baseline_lost=0)


def removals_unlimited(patch: Patch) -> None:
    """A source that shrinks empties the target."""
    _figure(patch, removed_share=0.0)


def condition_cut_short(patch: Patch) -> None:
    """The condition of a write leaves columns out."""

    def same(self: Batch, wanted: Any, now: Any) -> bool:
        return now is not None and all(now.get(name) == wanted[name] for name in [*self._table.columns][:2])

    patch.setattr(Batch, "_is", same)
    real = settle._next

    def following(layout: Any, row: Any, raw: Any) -> Any:
        now = raw and canonical_item(raw)
        if now and [now.get(name) for name in ("id", "name")] == [row.before.get(name) for name in ("id", "name")]:
            row.before = now
        return real(layout, row, raw)

    patch.setattr(settle, "_next", following)


def no_condition(patch: Patch) -> None:
    """A write has no condition."""
    real = settle._next

    def following(layout: Any, row: Any, raw: Any) -> Any:
        row.before = canonical_item(raw) if raw else row.before
        return real(layout, row, raw)

    patch.setattr(settle, "_next", following)
    add, change, remove = Batch.add, Batch.change, Batch.remove

    def there(self: Batch, rows: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
        """The rows that are there, as they are and as they are to be, and the others."""
        found = [self._now(self._held.key_of(row)) for row in plain(self._table, rows)]
        mask = pa.array([row is not None for row in found], pa.bool_())
        now = [self._held.read(self._table, row, self._extras) for row in found if row is not None]
        return arrow(self._table, now), rows.filter(mask), rows.filter(pc.invert(mask))

    def added(self: Batch, rows: pa.Table) -> Any:
        now, present, absent = there(self, rows)
        left = add(self, absent)
        left += change(self, present, now)
        return left

    def changed(self: Batch, rows: pa.Table, before: pa.Table) -> Any:
        now, present, absent = there(self, rows)
        left = change(self, present, now)
        left += change(self, absent, before.filter(pc.is_in(before["id"], absent["id"].combine_chunks())))
        return left

    def removed(self: Batch, rows: pa.Table, cascade_to: Any) -> Any:
        return remove(self, there(self, rows)[0], cascade_to)

    for name, other in (("add", added), ("change", changed), ("remove", removed)):
        patch.setattr(Batch, name, other)


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
    """The report of a proven run is written again, as of when the try ends that writes it."""

    def other(value: Any, **more: Any) -> Any:
        return value if "ended_at" in more else replace(value, **more)

    patch.setattr(ending, "replace", other)
    ignore(patch, ending, "settled")


def turned_on_any_proof(patch: Patch) -> None:
    """The switch is turned though the last run is not proven."""

    last, check = turning.proven, turning._check

    def proven(ledger: Any, workspace: Any, migration_id: str) -> Any:
        try:
            return last(ledger, workspace, migration_id)
        except TrueupError:
            every = [row for row in ledger.runs(migration_id) if row.undoes is None]
            if not every:
                raise
            return every[0]

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


def others_taken_along(patch: Patch) -> None:
    """Rows that refer to a removed one are deleted with it, by a foreign key that nobody has named."""
    remove, stuck = Batch.remove, RelationalTwin.stuck

    def removed(self: Batch, rows: pa.Table, cascade_to: Any) -> Any:
        every = [f.reference.name for f in self._transaction.database.referring(self._held)]
        return remove(self, rows, (*cascade_to, *every))

    def none(self: RelationalTwin, *given: Any, **more: Any) -> dict[str, str]:
        stuck(self, *given, **more)
        return {}

    patch.setattr(Batch, "remove", removed)
    patch.setattr(RelationalTwin, "stuck", none)
    ignore(patch, target_checks, "refuse_irremovable")


def irreversible_is_fine(patch: Patch) -> None:
    """A row is written over that a rollback could not put back."""
    real = checks._irreversible
    patch.setattr(checks, "_irreversible", lambda *given: real(*given)[:0])


def cut_to_what_fits(patch: Patch) -> None:
    """A value that the target does not hold is cut to what it does, without a word."""

    def reject_rows(connection: Any, phase: Any, output: Any, target: Any, query: str) -> None:
        connection.execute(
            f"UPDATE {own(output.view)} SET name = left(name, 7), amount = left(amount, 3) "
            f"WHERE {ROW_ID} IN (SELECT {ROW_ID} FROM ({query}))"
        )

    patch.setattr(transform, "_reject_rows", reject_rows)


def rejects_uncounted(patch: Patch) -> None:
    """The report leaves rejected rows out of its counts."""
    real = accounting.phase_counts

    def counts(run: Any) -> Any:
        return [replace(each, rejected=0) for each in real(run)]

    patch.setattr(report, "phase_counts", counts)


def outside_is_written(patch: Patch) -> None:
    """What lies outside of the run's window is written, too."""
    swap(patch, verbs.SQL, "rows", "WHERE $should.$in_window", "WHERE true")


def end_is_inside(patch: Patch) -> None:
    """The end of a window lies in it."""
    swap(patch, inputs._SQL, "in_window", "instant < $end", "instant <= $end")


def not_advanced(patch: Patch) -> None:
    """No sequence is brought behind what was written."""
    patch.setattr(statements, "advance", lambda _: [])


def set_off_is_others(patch: Patch) -> None:
    """What the run's own writing set off in other rows counts as what others did since."""
    real = verify._marked

    def marked(session: Any, run: Any, target: Any, planned_rows: str, others: str) -> str:
        real(session, run, target, planned_rows, others)
        return verify._SQL("untouched", rows=planned_rows)

    patch.setattr(verify, "_marked", marked)


MUTANTS = {
    "review/0": unread_values,
    "review/1": refused_is_a_conflict,
    "review/2": rows_hidden,
    "review/6": others_taken_along,
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
    "review/11": irreversible_is_fine,
    "own/cut to what fits": cut_to_what_fits,
    "own/rejects are not counted": rejects_uncounted,
    "review/15": not_advanced,
    "own/set off is others'": set_off_is_others,
    "own/outside is written": outside_is_written,
    "own/the end is inside": end_is_inside,
}
