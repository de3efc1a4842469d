"""What people do: they trigger runs, answer, clear and mark tasks, roll back, cut over, deploy and prune."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import permutations
from typing import Any

from include.trueup.cutover import turning
from include.trueup.errors import TrueupError
from include.trueup.ledger import SwitchState
from include.trueup.ledger.status import TURNS
from include.trueup.run import LAST

from .airflow import DagRun
from .declared import DAYS, name, window
from .history import Event, Setup
from .oracle import Oracle
from .places import Places
from .scheduling import Process, Schedule
from .themes import Theme

MOST_RUNS = 5
HANGING = (
    *("trigger", "trigger", "trigger", "clear", "clear", "double", "force", "roll back", "write source"),
    *("clear", "clear"),
)
"""What people do about a machine that stands still: some of it to the run whose task it was at."""
PRUNED = ("baseline", "baseline", "baseline", "snapshot", "plan", "read_back", "manifests/plan", "should")


class People:
    """A part of the world: each event is a method that does it, and gives False where there is nothing to do."""

    setup: Setup
    theme: Theme
    schedule: Schedule
    places: Places
    oracle: Oracle
    runs: list[DagRun]
    did: Counter[str]
    version: int
    versions: list[tuple[float, int]]

    def trigger(self, *, undoes: str | None = None, **more: Any) -> DagRun:
        """Begin a run."""
        raise NotImplementedError

    def happens(self, event: Event) -> bool:
        """Have it happen now; whether there was anything to do."""
        raise NotImplementedError

    def met(self, error: Exception, run: str, where: str) -> None:
        """Note an error of the engine."""
        raise NotImplementedError

    def after(self, seconds: float, work: Callable[[], object]) -> None:
        """Have it done later."""
        raise NotImplementedError

    def _plan_again(self, event: Event) -> bool:
        """While a run waits for a person, its plan is made again, over a source that has changed."""
        waiting = self._one_waiting(event.a)
        if waiting is None:
            return False
        self.oracle.application(
            "people", f"p{event.b % (self.setup.rows + 2):02}", (name(self.setup, event.b % 7), str(event.b))
        )
        waiting.plan_again()
        return True

    def _run_of(self, process: Process) -> DagRun | None:
        return next((run for run in self.runs if process in run.processes), None)

    def _one_run(self, number: int) -> DagRun | None:
        return self.runs[number % len(self.runs)] if self.runs else None

    def _one_failed(self, number: int) -> DagRun | None:
        failed = [run for run in self.runs if any(task.state == "failed" for task in run.tasks)]
        one = self._one_run(number)
        return failed[number % len(failed)] if failed and one not in failed else one

    def _backfill(self, event: Event) -> bool:
        """A person asks for days, in any order: at once, or one after the other."""
        if self.setup.ranged and len(self.runs) > MOST_RUNS:
            return False
        order = list(permutations(DAYS))[event.b % 6][: (1, 2, 3, 3)[event.a // 16 % 4]]
        days = [replace(event, what="day", a=day) for day in order]
        if self.setup.ranged:  # all are planned first, and then asked about together
            return self._together(order, days, event)
        done = self.happens(days[0])
        for n, each in enumerate(days[1:], 1):
            if event.b // 12 % 2:
                done |= self.happens(each)
            else:
                self.after(n * event.seconds, partial(self.happens, each))
        return done

    def _together(self, order: tuple[int, ...], days: list[Event], event: Event) -> bool:
        for day in order:
            self.trigger(mode="plan", **_of_range(day))
        for n, each in enumerate(days):
            self.after(60.0 + n * event.seconds, partial(self.happens, each))
        return True

    def _day(self, event: Event) -> bool:
        """A run of a backfill."""
        if len(self.runs) >= MOST_RUNS + (9 if self.setup.ranged else 3):
            return False
        given = {**_of_range(event.a), "range_approval": self.setup.ranged}
        self.trigger(mode="apply", snapshot_max_age=event.b // 6 % 2, **given)
        return True

    def _trigger(self, event: Event) -> bool:
        if self.setup.windows and event.a // 8 % 2 == 0:
            self.did["backfill"] += (begun := self._backfill(event))
            return begun
        if len(self.runs) >= MOST_RUNS:
            return False
        mode = self.theme.modes[event.a % len(self.theme.modes)]
        most = (None, 3)[event.seconds > 30]
        asks = self.setup.approval and not self.setup.hasty
        self.trigger(mode=mode, overwrite_drift=event.b % 3 == 0, max_left_alone=most, approval=asks)
        return True

    def _same_id(self, event: Event) -> bool:
        """Another run of Airflow that is called as one which is there, but for a character."""
        run = self._one_run(event.a)
        if run is None or len(self.runs) >= MOST_RUNS:
            return False
        me: Any = self
        made = DagRun(world=me, given=replace(run.given, airflow_run_id=f"{run.id}+"))
        self.runs.append(made)
        made.tick()
        return True

    def _roll_back(self, event: Event) -> bool:
        if len(self.runs) >= MOST_RUNS:
            return False
        one = self._one_run(event.a)
        undoes = one.id if one is not None and event.a % 3 == 0 else LAST
        self.trigger(undoes=undoes, mode="apply", max_left_alone=None if event.b % 2 else 0)
        return True

    def _look_back(self, event: Event) -> bool:
        """A rollback of one of the runs that only says what it would do."""
        one = self._one_run(event.a)
        if one is None or len(self.runs) >= MOST_RUNS:
            return False
        self.trigger(undoes=one.id, mode="plan")
        return True

    def _clear(self, event: Event) -> bool:
        run = self._one_failed(event.a) if event.b % 2 else self._one_run(event.a)
        tasks = [n for n, t in enumerate(run.tasks) if t.state is not None] if run else []
        failed = [n for n in tasks if run and run.tasks[n].state == "failed"]
        if failed and event.b % 4:
            tasks = failed
        if run is None or not tasks:
            return False
        if event.seconds == 1.0 and run.tasks[-1].state is not None:  # its report alone
            run.clear(len(run.tasks) - 1, downstream=True)
            return True
        run.clear(0 if event.b % 3 == 0 else tasks[event.b % len(tasks)], downstream=event.seconds > 5)
        return True

    def _begin_again(self, event: Event) -> bool:
        """A whole run is cleared."""
        run = self._one_run(event.a)
        if run is None:
            return False
        run.clear(0, downstream=True)
        return True

    def _stop(self, event: Event) -> bool:
        """A person marks a whole run as failed: what runs is ended, and nothing follows, not even its report. Some time later
        another run is triggered."""
        process = self.schedule.present.process
        run = self._run_of(process)
        if run is None or run.over:
            return False
        run.stop()
        then = Event(what="trigger", a=event.b, b=event.a, seconds=event.seconds)
        self.after(event.seconds + (0.0, 60.0)[event.a % 2], lambda: self.happens(then))
        return True

    def _take_back(self, event: Event) -> bool:
        """A whole run is stopped as it is at work, and what it wrote rolled back when its lease is over."""
        run = self._run_of(self.schedule.present.process)
        if run is None or run.over:
            return False
        run.stop()
        self.after(event.seconds + 60.0, lambda: self.happens(Event(what="roll back", a=1, b=event.b)))
        return True

    def _force(self, event: Event) -> bool:
        """A task that failed is marked as done, and what follows it is cleared."""
        run = self._one_failed(event.a)
        failed = [n for n, t in enumerate(run.tasks[:-1]) if t.state == "failed"] if run else []
        if run is None or not failed:
            return False
        run.mark(failed[0], "success")
        run.clear(failed[0] + 1, downstream=True)
        return True

    def _hang(self, event: Event) -> bool:
        """The machine stands still, and somebody does something about it."""
        process = self.schedule.present.process
        if not process.run:
            return False
        process.paused_until = self.schedule.now + event.seconds
        run = self._run_of(process)
        if event.seconds > 30 and run is not None:
            run.lost(process)
        hanging = self.theme.hanging or HANGING
        what = hanging[event.a % len(hanging)]
        its = run is not None and what in ("clear", "double", "force", "begin again")
        about = self.runs.index(run) if run is not None and its else event.b
        then = Event(what=what, a=about, b=event.a // 7, seconds=event.seconds)
        if then.what == "trigger" and (keys := sorted(self.oracle.source)):  # they do so for what has changed meanwhile
            gone = event.b % 2 == 0
            row = None if gone else (name(self.setup, event.b % 7), str(event.b % 50))
            self.oracle.application("people", keys[event.a % len(keys)], row)
        self.after(event.seconds * (0.0, 0.5, 0.9)[event.b % 3], lambda: self.happens(then))
        return True

    def _mark(self, event: Event) -> bool:
        run = self._one_run(event.a)
        if run is None:
            return False
        run.mark(event.b % len(run.tasks), "success" if event.seconds > 5 else "failed")
        return True

    def _mark_ahead(self, event: Event) -> bool:
        """The next task of the run that is at work, or the next two, are marked as done before they begin."""
        run = self._run_of(self.schedule.present.process)
        ahead = [n for n, task in enumerate(run.tasks[:-1]) if task.state is None] if run else []
        if run is None or not ahead:
            return False
        for n in ahead[: 1 + (event.b % 3 > 0)]:
            run.mark(n, "success")
        return True

    def _one_waiting(self, number: int) -> DagRun | None:
        waiting = [run for run in self.runs if run.waiting is not None]
        return waiting[number % len(waiting)] if waiting else None

    def _approve(self, event: Event) -> bool:
        run = self._one_waiting(event.a)
        if run is None:
            return False
        run.answer(approve=True)
        return True

    def _reject(self, event: Event) -> bool:
        run = self._one_waiting(event.a)
        if run is None:
            return False
        run.answer(approve=False)
        return True

    def _double(self, event: Event) -> bool:
        run = self._one_run(event.a)
        running = [t for t in run.tasks if t.state == "running"] if run else []
        if run is None or not running:
            return False
        run.again(running[event.b % len(running)])
        return True

    def _deploy(self, _: Event) -> None:
        self.version = 1 - self.version
        self.versions.append((self.schedule.now, self.version))

    def _restore(self, event: Event) -> bool:
        """A target is restored from a backup that has all of its rows: it is another table now."""
        targets = self.places.targets
        return self.places.restore(targets[event.b % len(targets)])

    def _lead_elsewhere(self, _: Event) -> bool:
        """The connection of the source leads to another database, or back."""
        done = self.places.lead_elsewhere()
        self.oracle.source = self.places.rows("people")
        return done

    def _next_day(self, _: Event) -> None:
        self.schedule.now += 25 * 3600

    def _shrink_source(self, event: Event) -> bool:
        """Most of the source is gone, as where it was restored by half."""
        keys = sorted(self.oracle.source)
        for key in keys[event.a % 2 :][: max(len(keys) - 1, 0)]:
            self.oracle.application("people", key, None)
        return len(keys) > 1

    def _prune(self, event: Event) -> bool:
        run = self._one_run(event.a)
        if run is None:
            return False
        self._remove(run, PRUNED[event.b % len(PRUNED)])
        return True

    def _prune_all(self, event: Event) -> bool:
        """What is kept for a while only is gone, of all runs."""
        for run in self.runs:
            self._remove(run, PRUNED[event.b % len(PRUNED)])
        return bool(self.runs)

    def _remove(self, run: DagRun, folder: str) -> None:
        self.places.workspace.run(run.id).remove(folder)
        self.oracle.pruned[run.id, folder] = self.schedule.points

    def _cut_over(self, event: Event) -> None:
        ways = sorted(TURNS[self.places.ledger.switches.state("small")])
        to = ways[event.a % len(ways)] if event.b % 4 else SwitchState.NEW
        if self._turn(to) and event.seconds >= 1:
            # whoever cuts over goes on with it, or goes back, and soon leaves it at that
            then = Event(what="cut over", a=event.b, b=event.a, seconds=event.seconds / 3)
            self.after(event.seconds, lambda: self.happens(then))

    def _cut_through(self, event: Event) -> bool:
        """The switch is turned until it is new, and in some somebody rolls back all the same."""
        done = self._turn(SwitchState.DUAL) and self._turn(SwitchState.NEW)
        if done and event.seconds > 5:
            self.after(event.seconds, lambda: self.happens(Event(what="roll back", a=1, b=event.b)))
        return done

    def _turn(self, to: SwitchState) -> bool:
        ledger, workspace = self.places.ledger, self.places.workspace
        try:
            checked = turning.preflight(ledger, workspace, "small", to, 24.0)
            id = f"turn {self.schedule.points} {len(self.oracle.turns)}"
            turning.turn(ledger, workspace, "small", checked, by="alice", why="", run_id=id)
        except TrueupError as error:
            self.met(error, "turn", str(to))
            return False
        self.oracle.turned(str(to), checked)
        return True


def _of_range(number: int) -> dict[str, Any]:
    """What a run of a day is asked for."""
    day = window(number)
    return {"window": day, "range": replace(day, start=window(DAYS[0]).start, end=window(DAYS[-1]).end)}
