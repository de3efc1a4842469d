"""Check-ins: an assignment for every week of a series, and responses linked to those of their weeks, in place.
See README.md."""

from __future__ import annotations

from pathlib import Path

from include.trueup.declare.migration import Derived, Migration, Output, Phase, Source, Table, Target, Type

from . import statements, suites
from .serving import USE_PRE_CREATED

HERE = Path(__file__).parent
SERIES = ("clientId", "formId")


def _table(name: str, text: str, number: str = "", boolean: str = "", json: str = "") -> Table:
    """A table with hash key `id`; its other columns by type, each a list of names between spaces."""
    names = {Type.TEXT: f"id {text}", Type.NUMBER: number, Type.BOOLEAN: boolean, Type.JSON: json}
    columns = {name: type_ for type_, listed in names.items() for name in listed.split()}
    return Table(name=name, connection="checkins_dynamodb", key=("id",), columns=columns)


RESPONSES = _table(
    "form-responses",
    text="clientId formId assignmentId submittedAt",
    number="recurringWeek score",
    json="answers",
)
ASSIGNMENTS = _table(
    "check-in-assignments",
    text="clientId formId status dueDate responseId completedAt",
    number="recurringWeek totalWeeks score",
    boolean="isRecurring",
)

migration = Migration(
    id="checkins",
    title="Check-ins",
    owner="coaching",
    doc=(HERE / "README.md").read_text(encoding="utf-8"),
    sources=(
        Source(id="form_responses", table=RESPONSES, partition_by=SERIES, window="submittedAt"),
        Source(id="check_in_assignments", table=ASSIGNMENTS, partition_by=SERIES),
    ),
    shared={"placed_elsewhere": HERE / "placed_elsewhere.sql"},
    derived=(
        Derived(
            id="bases",
            name="bases of series",
            key=("id",),
            columns={
                **dict.fromkeys(("id", "clientId", "formId", "dueDate"), Type.TEXT),
                **dict.fromkeys(("series_bases", "last_week"), Type.INTEGER),
            },
            query=HERE / "bases.sql",
        ),
        Derived(
            id="fates",
            name="fates of responses",
            key=("id",),
            columns={
                **dict.fromkeys(("id", "fate", "week", "assignment_id", "base_id", "due_date", "held_by"), Type.TEXT),
                **dict.fromkeys(("adds", "past_total", "in_run"), Type.BOOLEAN),
            },
            query=HERE / "fates.sql",
        ),
    ),
    targets=(
        Target(
            id="assignments",
            table=ASSIGNMENTS,
            owned=("responseId", "status", "completedAt", "score", "recurringWeek"),
            partition_by=SERIES,
        ),
        Target(id="responses", table=RESPONSES, owned=("assignmentId",), partition_by=SERIES),
    ),
    phases=(
        Phase(
            id="weeks",
            title="Assignments of missing weeks",
            source="check_in_assignments",
            target="assignments",
            transform=HERE / "weeks.sql",
            suite=suites.weeks,
            allow_empty=True,
        ),
        Phase(
            id="responses",
            title="Responses, linked to their assignments",
            source="form_responses",
            transform=HERE / "responses.sql",
            outputs=(
                Output(target="responses", suite=suites.responses),
                # the name by which a rollback finds it in runs of the first release
                Output(target="assignments", suite=suites.linked_assignments, name="responses-also"),
            ),
            allow_empty=True,
        ),
    ),
    suite=suites.whole,
    statements=statements.STATEMENTS,
    settings={
        "legacy": {USE_PRE_CREATED: False},
        "dual": {USE_PRE_CREATED: False},
        "new": {USE_PRE_CREATED: True},
    },
)
