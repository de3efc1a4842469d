"""One cell of a table of tasks × actions × states: what somebody does to a task of a run, and how that ends, in a word."""

from __future__ import annotations

import re
from typing import Any

from include.trueup.errors import TrueupError
from include.trueup.run import run_id
from tests.dags.states import States
from tests.dags.tasks import Tasks
from tests.harness import run_sql

REFUSALS = {
    "ended": r"run \S+ is (proven|planned|rolled_back): it has ended|may not become",
    "begun": "has begun to write its plan|has begun to change the databases",
    "newer": "has written to .* since the plan of run .* trigger a new run",
    "held": "run .* holds .* wrote nothing",
    "taken": "another run took over (its|the) targets",
    "undone": "marked as done in Airflow was not done here",
    "nobody": "is not approved, so nothing is",
    "absent": "has not been through preflight",
    "no plan": "has no plan that passed its gate",
    "turned": "may not be turned to",
    "turned once": "turns it once",
    "moved": "and was .* when this turn was asked for",
    "built on": "built on run",
    "nothing": "there is nothing to undo",
    "no table": "there is no table",
    "no parts": "parts of .* are in the workspace|not been verified in every partition|phases are verified",
    "gate": "gate did not pass",
    "no proof": "is not turned: ",
}
"""Words for refusals, and what each says."""
_LOST = r"""
    UPDATE trueup.steps SET ended_at = NULL, error = NULL, holder = regexp_replace(holder, '/\d+/', '/999999/')
    WHERE run_id = '{run}' AND step LIKE '{step}%'
"""


def word(error: Exception) -> str:
    """The word for a refusal."""
    assert isinstance(error, TrueupError), repr(error)
    found = [word for word, says in REFUSALS.items() if re.search(says, str(error), re.DOTALL)]
    return found[0] if found else f"? {type(error).__name__}: {error}"


def tried(states: States, state: str, action: str, task: str) -> str:
    """How it ends when in that state (`before`: before the task) somebody does that to the task: the run's status, or
    why it is refused, and where, if not at once. Says so where what is refused at once wrote, or what is proven is not
    right."""
    name = f"before {task}" if state == "before" else state
    states.place.bring_back(name)
    before = states.held()
    with states.connected():
        said, at_once = _tried(states, states.run(name), action, task)
    if at_once and states.held() != before:
        return f"{said}, and wrote"
    return f"{said}, and is not" if said == "proven" and states.held() != states.right() else said


def _tried(states: States, run: Tasks, action: str, task: str) -> tuple[str, bool]:
    """The same; and whether it is refused at once."""
    run.states.update(dict.fromkeys(run.order[: run.order.index(task)], "success"))
    if action == "retry":
        return _again(states, run, task), False
    if action == "mark failed":
        run.mark_failed(task)
        report = states.place.workspace.run(run_id(run.dag.dag_id, run.run_id)).read_json("report.json")
        said = {} if report is None else report["run"].get("failed") or {}
        named = said.get("step") in (task, task.rpartition(".")[2])
        return f"{states.status()}{', named' if named else ''}", True
    marked = action == "mark success"
    failed = run.do_from(task, leave_out=task if marked else None)
    if failed is None or failed[0] == "verdict":  # which fails the run as its report says
        return str(states.status()), False
    at, error = failed
    first = run.order[min(run.order.index(task) + marked, len(run.order) - 1)]
    return (word(error), True) if at == first else (f"{word(error)} @ {at}", False)


def _again(states: States, run: Tasks, task: str) -> str:
    """Its process is lost behind its last effect; it is tried again, and the run goes on with the next task."""
    run.do(task)
    step = task.rpartition(".")[2]
    run_sql(states.place.uris[0], _LOST.format(run=run_id(run.dag.dag_id, run.run_id), step=step))
    at = run.order.index(task)
    for id in run.order[at : at + 2]:
        run.do(id)
    return "goes on"


def table(text: str) -> dict[tuple[str, str, str], str]:
    """A table in text as cells by state, action and task: the first row names the columns as `state: action`, words stand
    between bars."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    columns = [tuple(part.strip() for part in column.split(":")) for column in lines[0][1:]]
    cells: dict[tuple[str, str, str], str] = {}
    for task, *words in lines[1:]:
        for (state, action), said in zip(columns, words, strict=True):
            if said:
                cells[state, action, task] = said
    return cells


def drawn(states: States, columns: list[tuple[str, str]]) -> str:
    """The table as it is: for whoever changes it, and judges it."""
    rows: list[list[Any]] = [["", *(": ".join(column) for column in columns)]]
    rows += [[task, *(_or_error(states, *column, task) for column in columns)] for task in states.run().order]
    return "\n".join(" | ".join(f"{cell:10}" for cell in row) for row in rows)


def _or_error(states: States, *cell: str) -> str:
    try:
        return tried(states, *cell)
    except Exception as error:
        return f"! {type(error).__name__}: {error}"[:150]
