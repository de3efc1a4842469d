"""Schema changes as plan, apply and prove: phases of Alembic revisions, over several databases in step.

Who lives here: what an author declares (`model`), an Alembic history as phases (`history`), what a database holds
(`describe`); the work of the steps, which the table of steps names: `preflight`, `verbs` (lint, rehearse, back up), `plan`,
`apply` with its `gates`, `report`; and what they work with: `lint` (by `squawk`), `rehearse` on a `clone` with `samples`.
`environment` is for those who call Alembic themselves.

Who may call: a migration's declaration and its suites (by this module), the table of steps, by name, and the DAG builder
(`run.SchemaRun`, `model`). What kinds of runs have in common is not here: `run/begin.py`, `run/order.py`, `run/part.py`,
`run/judging.py`, `write/approval.py`, `walk/`. What one step hands to another is typed in `run/schema_records.py`.
"""

from __future__ import annotations

from .model import AlembicHistory, SchemaMigration, SchemaPhase

__all__ = ["AlembicHistory", "SchemaMigration", "SchemaPhase"]
