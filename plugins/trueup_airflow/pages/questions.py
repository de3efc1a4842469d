"""What a run asks a person, as Airflow has it; it is answered by Airflow's own API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select

from ..dags.approval import SHOWN
from .rights import may_answer

SETTLED = timedelta(seconds=5)
"""How old a question is before it is shown: an answer within a second or two may reach Airflow 3.3.2's scheduler before it has
taken note that the task waits; it then lets the try fail, and the next one asks again."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question that waits: of which task (`part` ≥ 0 where that is mapped), since when, `options` to choose from, the plan
    that it shows, what the answer must hold beside the choice (`gives`), and whether whoever looks may answer."""

    task_id: str
    part: int
    subject: str
    options: tuple[str, ...]
    since: datetime
    plan_sha256: str | None
    gives: Mapping[str, str] = field(default_factory=dict)
    may_answer: bool


def waiting(dag_id: str, run_id: str, user: BaseUser) -> Question | None:
    """The question of a run that nobody has answered, and that may be answered by now (`SETTLED`); None if there is none."""
    query = (
        select(HITLDetail)
        .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
        .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
        .where(TaskInstance.state == "awaiting_input", HITLDetail.responded_at.is_(None))
        .where(HITLDetail.created_at < datetime.now(UTC) - SETTLED)
    )
    with create_session() as session:
        detail = session.scalars(query).first()
        if detail is None:
            return None
        given = _given(detail.params)
        return Question(
            task_id=detail.task_instance.task_id,
            part=detail.task_instance.map_index,
            subject=detail.subject,
            options=tuple(detail.options),
            since=detail.created_at,
            plan_sha256=given.get(SHOWN),
            gives=given,
            may_answer=may_answer(user, dag_id, frozenset(one["id"] for one in detail.assigned_users)),
        )


def _given(params: object) -> dict[str, str]:
    """What the question says and its answer must say again (hashes of what was shown); params are serialized as their
    values, or with their schema around."""
    texts = {}
    for name, given in params.items() if isinstance(params, Mapping) else ():
        value = given.get("value") if isinstance(given, Mapping) else given
        if name != "comment" and isinstance(value, str):
            texts[name] = value
    return texts
