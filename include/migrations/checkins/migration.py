"""Check-ins: an assignment for every week of a series, and responses linked to those of their weeks, in place.
See README.md."""

from __future__ import annotations

from pathlib import Path

from include.trueup.declare.migration import (
    Derived,
    Guard,
    Index,
    Migration,
    Output,
    Param,
    Phase,
    Shadow,
    Source,
    Table,
    Target,
    Type,
)

from . import statements, suites
from .serving import INDEX, USE_PRE_CREATED
from .shadow import bad_links

HERE = Path(__file__).parent
SERIES = ("clientId", "formId")


def _table(
    name: str, text: str = "", number: str = "", boolean: str = "", json: str = "", indexes: tuple[Index, ...] = ()
) -> Table:
    """A table with hash key `id`; its other columns by type, each a list of names between spaces."""
    names = {Type.TEXT: f"id {text}", Type.NUMBER: number, Type.BOOLEAN: boolean, Type.JSON: json}
    columns = {name: type_ for type_, listed in names.items() for name in listed.split()}
    return Table(name=name, connection="checkins_dynamodb", key=("id",), columns=columns, indexes=indexes)


RESPONSES = _table(
    "form-responses",
    text="clientId formId assignmentId submittedAt",
    number="recurringWeek score",
    json="answers",
    # by which weeks are generated for a client; the legacy table has none
    indexes=(Index(name=INDEX, key=SERIES, add=True),),
)
ASSIGNMENTS = _table(
    "check-in-assignments",
    text="clientId formId status dueDate responseId completedAt",
    number="recurringWeek totalWeeks score",
    boolean="isRecurring",
)

# nothing is planned from these: they are in the backup
FORMS, CLIENTS = _table("forms"), _table("clients")

migration = Migration(
    id="checkins",
    title="Check-ins",
    owner="coaching",
    doc=(HERE / "README.md").read_text(encoding="utf-8"),
    sources=(
        Source(id="form_responses", table=RESPONSES, partition_by=SERIES, window="submittedAt"),
        Source(id="check_in_assignments", table=ASSIGNMENTS, partition_by=SERIES),
        Source(id="forms", table=FORMS, partition_by=None),
        Source(id="clients", table=CLIENTS, partition_by=None),
    ),
    shared={"crossed": HERE / "crossed.sql"},
    derived=(
        Derived(
            id="responses_here",
            name="responses that links lead to",
            key=("id",),
            columns={
                **dict.fromkeys(
                    ("id", "clientId", "formId", "recurringWeek", "assignmentId", "submittedAt"), Type.TEXT
                ),
                **dict.fromkeys(("has_week", "own"), Type.BOOLEAN),
            },
            query=HERE / "responses_here.sql",
        ),
        Derived(
            id="assignments_here",
            name="assignments that links lead to",
            key=("id",),
            columns={
                **dict.fromkeys(("id", "clientId", "formId", "recurringWeek", "week"), Type.TEXT),
                **dict.fromkeys(("totalWeeks", "dueDate", "responseId"), Type.TEXT),
                **dict.fromkeys(("isRecurring", "has_week", "own"), Type.BOOLEAN),
            },
            query=HERE / "assignments_here.sql",
        ),
        Derived(
            id="links",
            name="links, judged",
            key=("kind", "id"),
            columns=dict.fromkeys(("kind", "id", "leads_to", "wrong"), Type.TEXT),
            query=statements.LINKS,
        ),
        Derived(
            id="bases",
            name="bases of series",
            key=("id",),
            columns={
                **dict.fromkeys(("id", "clientId", "formId", "dueDate"), Type.TEXT),
                **dict.fromkeys(("series_bases", "last_week"), Type.INTEGER),
                "own": Type.BOOLEAN,
            },
            query=HERE / "bases.sql",
        ),
        Derived(
            id="weeks_there",
            name="weeks and due dates of assignments",
            key=("id",),
            columns={
                **dict.fromkeys(("id", "week", "dueDate", "base_id", "due_date"), Type.TEXT),
                **dict.fromkeys(("number", "total_weeks"), Type.INTEGER),
                **dict.fromkeys(("whole", "off"), Type.BOOLEAN),
            },
            query=HERE / "weeks_there.sql",
        ),
        Derived(
            id="fates",
            name="fates of responses",
            key=("id",),
            columns={
                **dict.fromkeys(("id", "fate", "week", "assignment_id", "base_id", "due_date", "held_by"), Type.TEXT),
                **dict.fromkeys(("adds", "past_total", "in_run", "own"), Type.BOOLEAN),
            },
            query=HERE / "fates.sql",
        ),
        Derived(
            id="released",
            name="assignments that lose their response",
            key=("id",),
            columns={**dict.fromkeys(("id", "response"), Type.TEXT), "together": Type.BOOLEAN},
            query=HERE / "released.sql",
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
    params=(
        Param(
            id="relink",
            title="Links that are wrong",
            description=(
                "What becomes of a response that is linked to an assignment of another series or week, or to one that does not "
                "carry it: keep leaves it as it is, mend links it to the assignment of its week and opens the one that it leaves."
            ),
            type="string",
            default="keep",
            choices=("keep", "mend"),
        ),
    ),
    audit={
        "responses": HERE / "audit_responses.sql",
        "assignments": HERE / "audit_assignments.sql",
        "assignments_by_status": HERE / "audit_status.sql",
        "series": HERE / "audit_series.sql",
    },
    suite=suites.whole,
    statements=statements.STATEMENTS,
    settings={
        "legacy": {USE_PRE_CREATED: False},
        "dual": {USE_PRE_CREATED: False},
        "new": {USE_PRE_CREATED: True},
    },
    guards=(
        Guard(
            to="new",
            param="max_bad_links",
            title="Links that are wrong",
            description="Links of responses and assignments that lead nowhere, to another series or week, or not back, counted in "
            "both tables when the switch is turned to new. More refuse the turn: correct them, or let a run mend them (relink).",
            connection="checkins_dynamodb",
            count=bad_links,
        ),
    ),
    shadow=Shadow(comparison="checkins_shadow"),
)
