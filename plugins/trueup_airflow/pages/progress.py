"""How far a run has come, and what it waits for: from Airflow's tasks and the ledger's steps and batches. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from include.trueup.declare.names import phase_of
from include.trueup.ledger import Applied, StepRow
from include.trueup.run import PhaseCounts

from .files import TEXT
from .scheduled import AskedRun, Instance, Task

DONE = "success"
ENDED = frozenset({"success", "failed"})
"""States of a run of Airflow that is over."""
_STATES = (
    ("failed", {"failed"}),
    ("waiting", {"awaiting_input"}),
    ("retrying", {"up_for_retry", "up_for_reschedule", "restarting"}),
    ("running", {"running", "deferred"}),
    ("queued", {"queued", "scheduled"}),
    ("left out", {"upstream_failed"}),
)
"""A step's state: the first of these that any part is in."""
Step = dict[str, Any]


def steps(tasks: Sequence[Task], instances: Sequence[Instance], ledger_steps: Sequence[StepRow]) -> list[Step]:
    """One entry a step, in order: task_id, group, name, title, state, done and total parts, started_at, ended_at, tries
    (the most that a part needed), error and error_class of the part that failed or is tried again."""
    by_task: dict[str, list[Instance]] = {}
    for instance in instances:
        if instance.state != "removed":
            by_task.setdefault(instance.task_id, []).append(instance)
    errors = {s.step: s for s in ledger_steps if s.error is not None}
    return [_step(task, by_task.get(task.task_id, []), errors) for task in tasks]


def _step(task: Task, parts: list[Instance], errors: Mapping[str, StepRow]) -> Step:
    states = {part.state for part in parts}
    starts = [part.started_at for part in parts if part.started_at]
    ends = [part.ended_at for part in parts if part.ended_at]
    state = _state(states)
    failing = state in ("failed", "retrying")
    error = errors.get(f"{task.name}/{task.group}" if task.group else task.name) if failing else None
    return {
        "task_id": task.task_id,
        "group": task.group,
        "name": task.name,
        "title": task.title,
        "state": state,
        "done": sum(part.state in (DONE, "skipped") for part in parts),
        "total": len(parts),
        "started_at": min(starts, default=None),
        "ended_at": max(ends, default=None) if state in ("done", "skipped", "failed") else None,
        "tries": max((part.tries for part in parts), default=0),
        "max_tries": max((part.max_tries for part in parts), default=0),
        "error": (error.error or "")[:TEXT] or None if error else None,
        "error_class": error and error.error_class,
    }


def _state(states: set[str | None]) -> str:
    for name, members in _STATES:
        if states & members:
            return name
    if states and states <= {DONE, "skipped"}:
        return "done" if DONE in states else "skipped"
    return "running" if states & {DONE, "skipped"} else "pending"


def waits(run: AskedRun, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """What the run waits for: `kind`, `words`, `why` and, where there is a page to go to, `link`."""
    if run.state in ENDED:
        return []
    if run.paused:
        why = "Its DAG is paused, so Airflow starts no further task."
        return [{"kind": "paused", "words": "Waiting: the DAG is paused", "why": why, "link": dag_page(run.dag_id)}]
    if run.state == "queued":
        why = "Airflow starts it when fewer runs of this DAG are under way."
        return [{"kind": "queue", "words": "Waiting in Airflow's queue", "why": why, "link": None}]
    return [wait for step in steps if (wait := _wait(run, step))]


def _wait(run: AskedRun, step: Step) -> dict[str, Any] | None:
    page = f"{run_page(run.dag_id, run.run_id)}/tasks/{quote(step['task_id'], safe='')}"
    if step["state"] == "waiting":
        why = "Nothing is written before somebody has approved the plan below."
        link = f"{page}/required_actions"
        return {"kind": "approval", "words": "Waiting for a person’s approval", "why": why, "link": link}
    if step["state"] == "retrying":
        held = step["error_class"] == "TargetHeldError"
        words = f"{'Waiting for another run' if held else 'Trying again'}: {step['task_id']}"
        tried = f"Try {step['tries']} of {step['max_tries']} failed"
        return {
            "kind": "hold" if held else "retry",
            "words": words,
            "why": f"{tried}: {step['error']}" if step["error"] else f"{tried}; its log in Airflow says why.",
            "link": page,
        }
    if step["state"] == "queued" and not step["done"]:
        why = "It starts as soon as a worker is free."
        return {"kind": "queue", "words": f"Waiting for a worker: {step['task_id']}", "why": why, "link": page}
    return None


def applied(batches: Mapping[str, Applied], phases: Sequence[PhaseCounts], state: str) -> list[dict[str, Any]]:
    """Writing, by phase: rows done of `total` planned, conflicts, retries, rows a second, and seconds left if it is
    still under way. `batches` is what the ledger says of each output."""
    found = []
    for phase in phases:
        mine = [batch for output, batch in batches.items() if phase_of(output) == phase.phase]
        total = sum(phase.rows.get(verb, 0) for verb in ("add", "change", "remove"))
        done = {n: sum(getattr(b, n) for b in mine) for n in ("rows", "written", "conflicts", "retries")}
        seconds = max((b.seconds for b in mine), default=0)
        # the time of the first batch itself is not known, so its rows do not count
        batch_rows = done["rows"] / max(sum(b.batches for b in mine), 1)
        rate = (done["rows"] - batch_rows) / seconds if seconds > 0 else None
        left = max(total - done["rows"], 0)
        eta = left / rate if rate and left and state not in ENDED else None
        about = {"phase": phase.phase, "title": phase.title, "target_table": phase.target_table}
        found.append({**about, **done, "total": max(total, done["rows"]), "rate": rate, "eta": eta})
    return found


def dag_page(dag_id: str) -> str:
    """The DAG's page in Airflow's UI, relative to its root."""
    return f"dags/{quote(dag_id, safe='')}"


def run_page(dag_id: str, run_id: str) -> str:
    """The run's page in Airflow's UI, relative to its root."""
    return f"{dag_page(dag_id)}/runs/{quote(run_id, safe='')}"
