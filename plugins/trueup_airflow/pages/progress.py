"""How far a run has come, and what it waits for: from Airflow's tasks and the ledger's steps and batches. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

from include.trueup.ledger import Applied, Pace, StepRow
from include.trueup.run import PhaseCounts

from .files import TEXT
from .known import ENDED as ENDED
from .scheduled import AskedRun, Instance, Task

DONE = "success"
MINUTE = 60.0
"""Seconds that a rate is of."""
WRITES = ("add", "change", "remove")
_STATES = (
    ("failed", {"failed"}),
    ("waiting", {"awaiting_input"}),
    ("retrying", {"up_for_retry", "up_for_reschedule", "restarting"}),
    ("running", {"running", "deferred"}),
    ("queued", {"queued", "scheduled"}),
    ("left out", {"upstream_failed"}),
)
"""A step's state: the first of these that any part is in."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step: its task, its `group` (a phase), what it does (`title`), its state, how many parts of how many are done and
    skipped, how often the one that needed most was tried, the error of the part that failed or is tried again, where it
    is in Airflow (`link`), which parts have failed, and for a running one: seconds that a part takes, seconds left, and,
    where it deals with rows, those of the parts that are done (`rows`) and how many a second (`rate`)."""

    task_id: str
    group: str | None
    name: str
    title: str
    state: str
    done: int
    skipped: int
    total: int
    started_at: datetime | None
    ended_at: datetime | None
    tries: int
    max_tries: int
    error: str | None
    error_class: str | None
    link: str
    failed: tuple[int, ...] = ()
    part_seconds: float | None = None
    left: float | None = None
    rows: int | None = None
    rate: float | None = None


@dataclass(frozen=True, kw_only=True)
class Wait:
    """What a run waits for: a kind (approval, hold, retry, queue, paused), in words, why, and where to go."""

    kind: str
    words: str
    why: str
    link: str | None


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How far the writing of a phase is, in rows: those done of `total` planned, of which so many are `removed`; `rate`: rows
    a second over the last minute; `left`: seconds from now at that rate; `last_at`: when the last batch was entered;
    `limit`: rows a second that the run was asked not to exceed."""

    phase: str
    title: str
    target_table: str
    total: int
    removes: int
    rows: int
    written: int
    conflicts: int
    retries: int
    rate: float | None
    left: float | None
    last_at: datetime | None
    limit: float | None


def steps(
    run: AskedRun, tasks: Sequence[Task], instances: Sequence[Instance], ledger_steps: Sequence[StepRow]
) -> list[Step]:
    """One entry a step, in order."""
    by_task: dict[str, list[Instance]] = {}
    for instance in instances:
        if instance.state != "removed":
            by_task.setdefault(instance.task_id, []).append(instance)
    errors = {s.step: s for s in ledger_steps if s.error is not None}
    return [_step(run, task, by_task.get(task.task_id, []), errors) for task in tasks]


def _step(run: AskedRun, task: Task, parts: list[Instance], errors: Mapping[str, StepRow]) -> Step:
    starts = [part.started_at for part in parts if part.started_at]
    ends = [part.ended_at for part in parts if part.ended_at]
    state = _state({part.state for part in parts})
    failing = state in ("failed", "retrying")
    error = errors.get(f"{task.name}/{task.group}" if task.group else task.name) if failing else None
    made = Step(
        task_id=task.task_id,
        group=task.group,
        name=task.name,
        title=task.title,
        state=state,
        done=sum(part.state == DONE for part in parts),
        skipped=sum(part.state == "skipped" for part in parts),
        total=len(parts),
        started_at=min(starts, default=None),
        ended_at=max(ends, default=None) if state in ("done", "skipped", "failed") else None,
        tries=max((part.tries for part in parts), default=0),
        max_tries=max((part.max_tries for part in parts), default=0),
        error=(error.error or "")[:TEXT] or None if error else None,
        error_class=error.error_class if error else None,
        link=_link(run, task, parts, state),
        failed=tuple(sorted(part.part for part in parts if part.state == "failed")),
    )
    return _timed(made, parts) if state in ("running", "queued", "retrying") else made


def _link(run: AskedRun, task: Task, parts: Sequence[Instance], state: str) -> str:
    """The step's page in Airflow; of a mapped one the part that is to be looked at, or the list of its parts."""
    page = f"{run_page(run.dag_id, run.run_id)}/tasks/{quote(task.task_id, safe='')}"
    if not any(part.part >= 0 for part in parts):
        return page
    states = {"failed": {"failed"}, "retrying": {"up_for_retry", "restarting"}}.get(state, set())
    one = [part.part for part in parts if part.state in states] or [p.part for p in parts if len(parts) == 1]
    return f"{page}/mapped/{min(one)}" if one else f"{page}/mapped"


def _timed(step: Step, parts: Sequence[Instance]) -> Step:
    """With how long a part takes, and how long what is left takes at the pace at which parts have ended so far."""
    took = [
        (p.ended_at - p.started_at).total_seconds() for p in parts if p.state == DONE and p.started_at and p.ended_at
    ]
    ends = [p.ended_at for p in parts if p.state == DONE and p.ended_at]
    if not took or step.started_at is None:
        return step
    each = sum(took) / len(took)
    pace = (max(ends) - step.started_at).total_seconds() / len(took)
    return replace(step, part_seconds=round(each, 1), left=round(pace * (step.total - step.done - step.skipped), 1))


def _state(states: set[str | None]) -> str:
    for name, members in _STATES:
        if states & members:
            return name
    if states and states <= {DONE, "skipped"}:
        return "done" if DONE in states else "skipped"
    return "running" if states & {DONE, "skipped"} else "pending"


def waits(run: AskedRun, steps: Sequence[Step]) -> list[Wait]:
    """What the run waits for."""
    if run.state in ENDED:
        return []
    if run.paused:
        why = "Its DAG is paused, so Airflow starts no further task."
        return [Wait(kind="paused", words="Waiting: the DAG is paused", why=why, link=dag_page(run.dag_id))]
    if run.state == "queued":
        why = "Airflow starts it when fewer runs of this DAG are under way."
        return [Wait(kind="queue", words="Waiting in Airflow's queue", why=why, link=None)]
    return [wait for step in steps if (wait := _wait(step))]


def _wait(step: Step) -> Wait | None:
    name = step.task_id.replace("_", " ").replace(".", ": ")
    if step.state == "waiting":
        why = "Nothing is written before somebody has approved."
        return Wait(
            kind="approval", words="Waiting for a person’s approval", why=why, link=f"{step.link}/required_actions"
        )
    if step.state == "retrying":
        held = step.error_class == "TargetHeldError"
        tried = f"Try {step.tries} of {step.max_tries} failed"
        return Wait(
            kind="hold" if held else "retry",
            words=f"{'Waiting for another run' if held else 'Trying again'}: {name}",
            why=f"{tried}: {step.error}" if step.error else f"{tried}; its log in Airflow says why.",
            link=step.link,
        )
    if step.state == "queued" and not step.done:
        why = "It starts as soon as a worker is free."
        return Wait(kind="queue", words=f"Waiting for a worker: {name}", why=why, link=step.link)
    return None


def writing(
    batches: Mapping[str, Applied],
    phases: Sequence[PhaseCounts],
    paces: Mapping[str, Pace],
    *,
    over: bool,
    limit: float | None = None,
) -> list[Writing]:
    """Writing, by phase. `batches` and `paces` are what the ledger says of each output; `over`: the run has ended."""
    outputs = []
    for phase in phases:
        names = [name for name in (phase.phase, f"{phase.phase}-also") if name in batches]
        mine, pace = [batches[name] for name in names], [paces[name] for name in names if name in paces]
        planned = sum(phase.rows.get(verb, 0) for verb in WRITES)
        rows = sum(each.rows for each in mine)
        seconds = max((each.seconds for each in pace), default=0.0)
        rate = sum(each.rows for each in pace) / seconds if seconds > 0 and rows < planned and not over else None
        outputs.append(
            Writing(
                phase=phase.phase,
                title=phase.title,
                target_table=phase.target_table,
                total=max(planned, rows),
                removes=phase.rows.get("remove", 0),
                rows=rows,
                written=sum(each.written for each in mine),
                conflicts=sum(each.conflicts for each in mine),
                retries=sum(each.retries for each in mine),
                rate=None if rate is None else rounded(rate),
                left=rounded((planned - rows) / rate) if rate else None,
                last_at=max((each.last_at for each in pace), default=None),
                limit=limit,
            )
        )
    return outputs


def rounded(value: float) -> float:
    """A number to three digits: what is not known more exactly is not said so, and changes less often."""
    return float(f"{value:.3g}")


def dag_page(dag_id: str) -> str:
    """The DAG's page in Airflow's UI, relative to its root."""
    return f"dags/{quote(dag_id, safe='')}"


def run_page(dag_id: str, run_id: str) -> str:
    """The run's page in Airflow's UI, relative to its root."""
    return f"{dag_page(dag_id)}/runs/{quote(run_id, safe='')}"
