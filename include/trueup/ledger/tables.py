"""The ledger's tables, in a schema of their own. `alembic/` brings a database to them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA = "trueup"
LOCKS = UPGRADE_LOCK, LEASE_LOCK, TURN_LOCK = 7_416_830_201, 7_416_830_202, 7_416_830_203
"""Advisory locks: of making the tables, of taking leases, of turning switches."""
metadata = sa.MetaData(schema=SCHEMA)
_now = sa.func.clock_timestamp()

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("migration_id", sa.Text, nullable=False, index=True),
    sa.Column("dag_id", sa.Text, nullable=False),
    # as Airflow has it; null: of a run that is older than the column
    sa.Column("airflow_run_id", sa.Text),
    sa.Column("triggered_by", sa.Text),
    sa.Column("options", JSONB, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    # how often its preflight has begun: each time, it makes a new plan
    sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
    sa.Column("plan_sha256", sa.Text),
    # over the names and hashes of the plan's files; null: plan_sha256 is that
    sa.Column("plan_files_sha256", sa.Text),
    sa.Column("planned_at", sa.DateTime(timezone=True)),
    # the plan that a person was last asked about
    sa.Column("asked_sha256", sa.Text),
    sa.Column("undoes", sa.ForeignKey("trueup.runs.run_id")),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, server_default=_now),
    sa.Column("ended_at", sa.DateTime(timezone=True)),
)

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("run_id", sa.ForeignKey(runs.c.run_id), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("plan_sha256", sa.Text, primary_key=True),
    sa.Column("plan_files_sha256", sa.Text),
    sa.Column("options", JSONB, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=_now),
)

transitions = sa.Table(
    "transitions",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("run_id", sa.ForeignKey(runs.c.run_id), nullable=False, index=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=_now),
    sa.Column("from_status", sa.Text),
    sa.Column("to_status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

steps = sa.Table(
    "steps",
    metadata,
    sa.Column("run_id", sa.ForeignKey(runs.c.run_id), primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
    # the plan that the run had when this part was last begun; null: it had none yet
    sa.Column("plan_sha256", sa.Text),
    # the process that was doing it, and when it last said so (parts that write)
    sa.Column("holder", sa.Text),
    sa.Column("renewed_at", sa.DateTime(timezone=True)),
    sa.Column("tries", sa.Integer, nullable=False, server_default="1"),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, server_default=_now),
    sa.Column("ended_at", sa.DateTime(timezone=True)),
    sa.Column("error", sa.Text),
    sa.Column("error_class", sa.Text),
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("run_id", sa.ForeignKey(runs.c.run_id), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True, server_default="1"),
    # empty where the run has no plan in the ledger
    sa.Column("plan_sha256", sa.Text, primary_key=True, server_default=""),
    sa.Column("output", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("batch", sa.Integer, primary_key=True),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("written", sa.Integer, nullable=False),
    sa.Column("conflicts", JSONB, nullable=False),
    sa.Column("refused", JSONB, nullable=False, server_default="[]"),
    sa.Column("retries", sa.Integer, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=_now),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("epoch", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("run_id", sa.ForeignKey(runs.c.run_id), nullable=False),
    sa.Column("holder", sa.Text),
    # for a person
    sa.Column("waits", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False, server_default=_now),
    # when it first might write; null: it has its place only
    sa.Column("right_at", sa.DateTime(timezone=True)),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    # null: it is the target's present one
    sa.Column("ended_at", sa.DateTime(timezone=True)),
    sa.Column("ended_by", sa.Text),
    sa.Index("leases_one_a_target", "target", unique=True, postgresql_where=sa.text("ended_at IS NULL")),
    sa.Index("leases_of_a_run", "run_id"),
)

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("run_id", sa.ForeignKey(runs.c.run_id), primary_key=True),
    sa.Column("plan_sha256", sa.Text, primary_key=True),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False, server_default=_now),
    sa.Column("comment", sa.Text),
)

turns = sa.Table(
    "turns",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("migration_id", sa.Text, nullable=False, index=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=_now),
    sa.Column("from_state", sa.Text, nullable=False),
    sa.Column("to_state", sa.Text, nullable=False),
    sa.Column("turned_by", sa.Text),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False, unique=True),
    sa.Column("proof_run_id", sa.ForeignKey(runs.c.run_id)),
)

deprecated_calls = sa.Table(
    "deprecated_calls",
    metadata,
    # method and path, as the description has it
    sa.Column("route", sa.Text, primary_key=True),
    sa.Column("client", sa.Text, primary_key=True),
    sa.Column("calls", sa.BigInteger, nullable=False),
    sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
)

comparisons = sa.Table(
    "comparisons",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("migration_id", sa.Text, nullable=False, index=True),
    sa.Column("comparison_id", sa.Text, nullable=False),
    sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False, server_default=_now),
    # null, as all below: it found nothing yet, or did not come to an end
    sa.Column("ended_at", sa.DateTime(timezone=True)),
    sa.Column("compared", sa.BigInteger),
    sa.Column("differences", sa.BigInteger),
    # whether it looked at everything, not at a share
    sa.Column("whole", sa.Boolean),
    # of the file that lists the differences
    sa.Column("sha256", sa.Text),
)

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
