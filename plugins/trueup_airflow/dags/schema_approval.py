"""The question that a run on schemas asks a person: each revision with its SQL, lint, locks and time, and what goes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from include.trueup.run.schema_records import PlannedRevision, SchemaPlan
    from include.trueup.schema.run import SchemaRun

SQL_LENGTH = 20_000
"""Most characters of a revision's SQL that the question has; the run's folder has it whole."""


def question(run: SchemaRun, plan: SchemaPlan, page: str) -> str:
    """A plan of revisions as the UI asks about it, as Markdown."""
    start = "databases that are not at one phase" if plan.from_phase is None else f"phase {plan.from_phase}"
    end = f"phase {plan.target_phase}"
    if plan.target_phase is None:
        end = f"between phases: {', '.join(f'{d} at {r}' for d, r in plan.target_revision.items())}"
    parts = [f"From {start} to **{end}**."]
    for database, planned in plan.databases.items():
        at = ", ".join(planned.heads) or "none"
        parts.append(f"## {database}\n\n`{planned.identity}`, at revision {at}; {len(planned.steps) or 'no'} to run.")
        parts += [_revision(step) for step in planned.steps]
    return "\n\n".join(parts) + (
        f"\n\nLint and rehearsal: [the tab Migration of this run]({page}).\n\nPlan `{plan.sha256}`, made "
        f"{plan.created_at}; what you approve is exactly this plan, and it may be approved for {run.options.plan_max_age:g} hours."
    )


def _revision(step: PlannedRevision) -> str:
    from include.trueup.schema.plan import words

    lint = [f"- Lint, {f.level}: {f.rule}, line {f.line}: {_line(f.message)}" for f in step.findings]
    locked = ", ".join(f"{table} ({mode})" for table, mode in step.locked.items())
    lines = [
        f"### Revision {step.revision} {'up' if step.up else 'down'}: {_line(step.title)} (phase {step.phase})\n",
        *([f"- **Goes: {'; '.join(words(step.goes))}**; it is backed up first"] if step.goes else []),
        *(lint or ["- Lint: nothing"]),
        f"- Rehearsed in {step.seconds:g} s; locks on tables that were there: {locked or 'none'}",
        *(
            f"- It says {n}: {_line(getattr(step, n))}"
            for n in ("breaking", "locks", "irreversible")
            if getattr(step, n)
        ),
    ]
    return "\n".join([*lines, "", _code(step.sql)])


def _code(sql: str) -> str:
    """The SQL as a block that nothing in it ends."""
    fence = "`" * (max((len(ticks) for ticks in re.findall("`+", sql)), default=0) + 3)
    cut = (
        ""
        if len(sql) <= SQL_LENGTH
        else f"\n\n**{len(sql) - SQL_LENGTH:,} more characters: read them in the run's folder, lint/.**"
    )
    return f"{fence}sql\n{sql[:SQL_LENGTH].strip()}\n{fence}{cut}"


def _line(text: str) -> str:
    return " ".join(str(text).split())
