"""What is the case with a migration now, in one state and a sentence: from its runs, its backfill and its switch. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include.trueup.ledger import Status, SwitchState

from .filled import Backfill, Day
from .known import Known

WAITS = "waiting for approval"
NEVER = "never run"
UNDONE = "rolled back"
EXCEPTIONS = "proven with exceptions"
OF_WINDOW = "proven of a window"
ORDER = (WAITS, "rolling back", "turning", "running", "starting", "failed", "interrupted")
"""What a person sees first; all others come after."""
_DOING = {"run": "running", "rollback": "rolling back", "cutover": "turning"}
_ASKS = {
    "run": "Its plan waits for approval",
    "rollback": "A rollback waits for approval: nothing is undone yet",
    "cutover": "A cutover waits for approval: the switch is not turned yet",
}
_DOES = {
    "run": "A run is under way",
    "rollback": "A rollback is under way: what it undoes is no longer proven",
    "cutover": "The switch is being turned",
}


@dataclass(frozen=True, kw_only=True)
class Truth:
    """`state`: one of a few words; `words`: the same in a sentence; `run`: the run that it is about (None: none);
    `writes`: something may be written now, so nothing is called proven."""

    state: str
    words: str
    run: Known | None = None
    writes: bool = False


def of_migration(runs: Sequence[Known], switch: SwitchState, backfill: Backfill | None = None) -> Truth:
    """What is the case, `runs` with the newest first."""
    active = [run for run in runs if not run.over]
    if backfill is not None and (backfill.goes_on or _newest(backfill, runs)):
        others = [run for run in active if run.asked is None or run.asked.run_id not in backfill.run_ids]
        if not others:
            return _of_backfill(backfill, active)
    for run in active:
        if run.waits:
            return Truth(state=WAITS, words=f"{_ASKS[run.kind]}.", run=run)
    begun = [run for run in active if run.entered is not None or run.kind == "cutover"]
    if begun:
        # a rollback that deletes is shown first
        run = min(begun, key=lambda one: one.kind != "rollback")
        return Truth(state=_DOING[run.kind], words=f"{_DOES[run.kind]}.", run=run, writes=run.kind != "cutover")
    if active:
        return Truth(state="starting", words="It waits for Airflow to begin.", run=active[0])
    return _settled([run for run in runs if _counts(run)], switch)


def _counts(run: Known) -> bool:
    """Whether a run that is over says anything of the tables: a cutover does not, nor a rollback that wrote nothing."""
    if run.kind == "cutover":
        return False
    return run.kind == "run" or run.wrote


def _settled(runs: Sequence[Known], switch: SwitchState) -> Truth:
    if not runs:
        return Truth(state=NEVER, words="It never ran.")
    last, telling = runs[0], next((run for run in runs if _of_tables(run)), None)
    if telling is not None and telling is not last and not _good(telling):
        # what only looked since hides nothing
        return Truth(state=_state(telling), words=_left(telling), run=telling)
    row = last.entered
    if row is None:
        failed = last.asked is not None and last.asked.state == "failed"
        words = "The last run ended before it was entered in the ledger; its log in Airflow says why."
        return Truth(state="failed" if failed else "ended", words=words, run=last)
    if last.kind == "rollback":
        if row.status is Status.PROVEN:
            return Truth(state=UNDONE, words=f"Undone: {row.undoes} was rolled back, and that is proven.", run=last)
        return Truth(state=_state(last), words=_left(last), run=last)
    if row.status is Status.PROVEN:
        return _proven(last, switch)
    if row.status is Status.ROLLED_BACK:
        return Truth(state=UNDONE, words="Undone: what the last run wrote was undone.", run=last)
    return Truth(state=_state(last), words=_sentence(last, telling), run=last)


def _of_tables(run: Known) -> bool:
    """Whether a run says something of what is in the tables: it wrote, found them otherwise, or is proven or undone."""
    return run.wrote or run.refuted or _good(run)


def _good(run: Known) -> bool:
    return run.entered is not None and run.entered.status in (Status.PROVEN, Status.ROLLED_BACK)


def _left(run: Known) -> str:
    """What a run left that came to no good end, where what began since only looked."""
    if run.kind == "rollback":
        return "A rollback wrote rows and did not come to its end."
    ended = "failed" if _state(run) == "failed" else "was interrupted"
    if run.wrote:
        return f"The last run that wrote {ended} after it wrote rows; what began since wrote nothing."
    return (
        f"The last run that compared the rows {ended}: some are not as they should be; what began since wrote nothing."
    )


def _proven(run: Known, switch: SwitchState) -> Truth:
    row = run.entered
    assert row is not None  # it is proven
    if row.window is not None:
        words = f"Proven for the rows of {row.window.words}, not for the whole table."
        return Truth(state=OF_WINDOW, words=words, run=run)
    if run.exceptions:
        words = f"Proven, with {run.exceptions:,} rows left alone that are not as they should be."
        return Truth(state=EXCEPTIONS, words=words, run=run)
    if switch is SwitchState.NEW:
        return Truth(state="cut over", words="Proven of the whole table, and the switch is at the new shape.", run=run)
    return Truth(state="proven", words="Proven of the whole table.", run=run)


def _sentence(last: Known, telling: Known | None) -> str:
    """Of a run that is neither proven nor undone; `telling`: the last one that says something of the tables."""
    state = _state(last)
    standing = telling is not None and telling.kind == "run" and _state(telling) == Status.PROVEN
    if state == "planned":
        return "A plan was made; nothing is written." if not standing else "A plan was made since the last proof."
    ended = "failed" if state == "failed" else "was interrupted"
    if last.wrote:
        return f"The last run {ended} after it wrote rows."
    if last.refuted:
        return f"The last run {ended}: it wrote nothing, and found rows that are not as they should be."
    kept = "; no run wrote since the last proof" if standing else ""
    return f"The last run {ended} before it wrote a row{kept}."


def _state(run: Known) -> str:
    assert run.entered is not None  # what is not in the ledger is told before
    status = run.entered.status
    return "interrupted" if status is Status.RUNNING else status.value.replace("_", " ")


# ── a backfill ───────────────────────────────────────────────────────────────────────────────────────────────────────


BAD = ("failed", "rejected")
LOST = ("not started", "gone")


def _newest(backfill: Backfill, runs: Sequence[Known]) -> bool:
    """Whether the backfill is the last that happened."""
    newest = next((run for run in runs if _counts(run)), None)
    return newest is not None and newest.asked is not None and newest.asked.run_id in backfill.run_ids


def _of_backfill(backfill: Backfill, active: Sequence[Known]) -> Truth:
    states = ("proven", "planned", *BAD, *LOST)
    counted = {state: len([d for d in backfill.days if d.state == state]) for state in states}
    waits = [run for run in active if run.waits]
    of = f"of {len(backfill.days)} days"
    done = "planned" if counted["planned"] and not counted["proven"] else "proven"
    words = f"Backfill: {counted[done]} {of} {done}"
    words = ", ".join([words, *(f"{counted[bad]} {bad}" for bad in (*BAD, *LOST) if counted[bad])])
    if waits:
        return Truth(state=WAITS, words=f"{words}, {len(waits)} waiting for approval.", run=waits[0])
    if backfill.goes_on:
        run = next((run for run in active if run.entered is not None), active[0] if active else None)
        return Truth(state="running", words=f"{words}; it goes on.", run=run, writes=True)
    bad = any(counted[bad] for bad in BAD)
    state = "failed" if bad else OF_WINDOW if counted["proven"] else "planned"
    return Truth(state=state, words=f"{words}.", run=_day_run(backfill, bad))


def _day_run(backfill: Backfill, failed: bool) -> Known | None:
    days: list[Day] = [d for d in backfill.days if (d.state in BAD) == failed]
    return days[-1].known if days else None
