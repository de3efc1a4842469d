"""The rows of a plan that apply has not written: one relation, for whoever asks which and why."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import pyarrow as pa

from ..declare.migration import Output
from ..declare.names import KEY, own
from ..ledger import Planned
from ..rows import duck

if TYPE_CHECKING:
    from .part import Session
    from .run import Run


class Why(StrEnum):
    """Why a planned row is not written."""

    LEFT_ALONE = "left_alone"  # it is not what the plan was made from, so somebody else has changed it
    GONE = "gone"  # the same, and it is not there: it was deleted; of a rollback, it was touched, so it is left alone
    REFUSED = "refused"  # the store did not accept it


WHY, REASON = own("why"), own("reason")
SHAPE = pa.schema({KEY: pa.string(), WHY: pa.string(), REASON: pa.string()})
"""Of the relation: the row's key, `Why`, and the reason in words."""
CONFLICTS = (Why.LEFT_ALONE, Why.GONE)
"""Those that are not as the plan found them."""


def rows(run: Run, output: Output, partition: int | None = None, plan: Planned | None = None) -> pa.Table:
    """What the ledger says of an output (`SHAPE`), of one partition (None: of all), under a plan (None: the present one)."""
    not_written = []
    for conflict in run.ledger.conflicts(run.id, output.name, partition, plan=plan):
        gone = conflict.found is None and run.undoes is None
        not_written.append((conflict.key, Why.GONE if gone else Why.LEFT_ALONE, conflict.reason))
    for refused in run.ledger.refused(run.id, output.name, partition, plan=plan):
        by = f"{refused.constraint}: " if refused.constraint else ""
        not_written.append((refused.key, Why.REFUSED, f"{by}{refused.reason}"))
    return pa.Table.from_pylist([dict(zip(SHAPE.names, row, strict=True)) for row in not_written], SHAPE)


def relate(
    session: Session,
    name: str,
    run: Run,
    outputs: Sequence[Output],
    partition: int | None = None,
    plan: Planned | None = None,
) -> None:
    """Make `name` a relation of what is not written of these outputs (`SHAPE`)."""
    table = pa.concat_tables([SHAPE.empty_table(), *(rows(run, output, partition, plan) for output in outputs)])
    session.connection.register(name, table)


def keys(name: str, *why: Why) -> str:
    """SQL: the keys in the relation `name`, of these reasons (none: of all)."""
    where = f" WHERE {WHY} IN ({', '.join(map(duck.literal, why))})" if why else ""
    return f"(SELECT {KEY} FROM {name}{where})"
