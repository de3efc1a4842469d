"""Statements over leases that each step of a run asks. They are made once: to make one takes longer than to have it
answered."""

from __future__ import annotations

import sqlalchemy as sa

from .tables import approvals, leases, plans, runs

LOCK = sa.text("SELECT pg_advisory_xact_lock(:key)")
NOW = sa.select(sa.func.clock_timestamp(type_=sa.DateTime(timezone=True)))
STATUS = sa.select(runs.c.status).where(runs.c.run_id == sa.bindparam("run_id"))
_UNTIL = sa.func.clock_timestamp() + sa.bindparam("lasts", type_=sa.Interval)
RENEWED = sa.case((leases.c.waits, sa.func.greatest(leases.c.expires_at, _UNTIL)), else_=_UNTIL)
"""Until when a lease is that is renewed now: one that waits for a person, whose earlier steps are done again meanwhile, no
shorter than it was."""
RENEW = leases.update().where(leases.c.epoch.in_(sa.bindparam("these", expanding=True))).values(expires_at=RENEWED)
TAKE_RIGHT = RENEW.values(
    right_at=sa.func.coalesce(leases.c.right_at, sa.bindparam("now", type_=sa.DateTime(timezone=True))),
    waits=False,
    expires_at=_UNTIL,
)
CURRENT = (
    sa.select(leases)
    .where(leases.c.target.in_(sa.bindparam("targets", expanding=True)), leases.c.ended_at.is_(None))
    .order_by(leases.c.target)
)
LIVE = (
    sa.select(leases)
    .where(leases.c.ended_at.is_(None), leases.c.expires_at > sa.func.clock_timestamp())
    .order_by(leases.c.target)
)
_OPEN = leases.update().where(leases.c.run_id == sa.bindparam("this_run"), leases.c.ended_at.is_(None))
_ASKED = sa.select(runs.c.run_id).where(runs.c.run_id == sa.bindparam("this_run"))
_APPROVED = sa.select(approvals.c.run_id).where(
    approvals.c.run_id == sa.bindparam("this_run"),
    approvals.c.plan_sha256 == sa.bindparam("sha256"),
    approvals.c.decision == "approved",
)
_OF = runs.c.asked_sha256 == sa.bindparam("sha256")
WAIT = _OPEN.where(_ASKED.where(_OF).exists(), ~_APPROVED.exists()).values(holder=None, waits=True)
_ABOUT_PLAN = sa.exists().where(plans.c.run_id == runs.c.run_id, plans.c.plan_sha256 == runs.c.asked_sha256)
# a person who is asked about a cost waits still, whatever is said of the plan that was there before
_PRESENT = sa.and_(runs.c.plan_sha256 == sa.bindparam("sha256"), _ABOUT_PLAN)
ANSWERED = _OPEN.where(_ASKED.where(sa.or_(runs.c.asked_sha256.is_(None), _OF, _PRESENT)).exists())
ANSWERED = ANSWERED.values(waits=False, expires_at=sa.func.least(leases.c.expires_at, _UNTIL))
RELEASE = _OPEN.values(ended_at=sa.func.clock_timestamp())
END = leases.update().where(leases.c.epoch == sa.bindparam("this")).values(ended_at=sa.func.clock_timestamp())
NEW = leases.insert().returning(leases.c.epoch)
