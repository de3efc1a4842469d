"""The before and after report of the check-ins: what must be as it was, that every link is valid, and what was done."""

from __future__ import annotations

from pathlib import Path

from include.trueup.declare.migration import Statement

ALL_LINKS_VALID = "all_links_valid"
"""The statement that the way to `new` asks for."""
_NOT_LEFT_ALONE = "NOT EXISTS (FROM left_alone l WHERE l.target = '{target}' AND l.key = b._key)"
_RESPONSES = f"""
    FROM before_responses b LEFT JOIN after_responses a ON a._key = b._key
    WHERE {_NOT_LEFT_ALONE.format(target="responses")}
"""
_ASSIGNMENTS = f"""
    FROM before_assignments b
    LEFT JOIN after_assignments a ON a._key = b._key
    LEFT JOIN after_responses r ON r.id = a.responseId
    WHERE {_NOT_LEFT_ALONE.format(target="assignments")}
"""
# the response that the assignment carried is linked to another one since (relink)
_MOVED = "EXISTS (FROM after_responses m WHERE m.id = b.responseId AND m.assignmentId <> b.id)"
_KEPT = ("clientId", "formId", "recurringWeek", "score", "answers", "submittedAt", "_extra")
LINKS = Path(__file__).parent / "links.sql"


def _links(when: str) -> str:
    """SQL: every link of both tables as they were `before` or `after` the run, judged."""
    week = "recurringWeek IS NOT NULL OR json_extract(_mistyped, '$.recurringWeek') IS NOT NULL AS has_week"
    return f"""
        WITH responses_here AS (
            SELECT id, clientId, formId, recurringWeek, {week}, nullif(assignmentId, '') AS assignmentId
            FROM {when}_responses
        ), assignments_here AS (
            SELECT id, clientId, formId, {week}, nullif(responseId, '') AS responseId,
                CASE WHEN has_week THEN recurringWeek WHEN isRecurring THEN '1' END AS week
            FROM {when}_assignments
        )
        {LINKS.read_text(encoding="utf-8")}
    """


_WRITTEN_LINKS = """
    SELECT r.id AS response, r.assignmentId AS assignment FROM after_responses r
    SEMI JOIN written w ON w.target = 'responses' AND w.key = r._key
    UNION
    SELECT a.responseId, a.id FROM after_assignments a
    SEMI JOIN written w ON w.target = 'assignments' AND w.key = a._key WHERE a.responseId IS NOT NULL
"""


def _no_row(query: str) -> str:
    return f"SELECT count(*) = 0 {query}"


STATEMENTS = (
    Statement(
        title="All responses preserved",
        query=_no_row(
            f"{_RESPONSES} AND (a._key IS NULL OR {' OR '.join(f'a.{c} IS DISTINCT FROM b.{c}' for c in _KEPT)}"
            " OR json_without(a._mistyped, ['assignmentId'])"
            " IS DISTINCT FROM json_without(b._mistyped, ['assignmentId']))"
        ),
    ),
    Statement(
        title="All scores preserved",
        query=f"""SELECT
            (SELECT count(*) {_RESPONSES} AND (a._key IS NULL OR a.score IS DISTINCT FROM b.score)) = 0
            AND (
                -- of an assignment that was linked, the score of its response, where that has one
                SELECT count(*) {_ASSIGNMENTS} AND (
                    a._key IS NULL OR a.score IS DISTINCT FROM b.score
                    AND CASE WHEN {_MOVED} THEN a.score IS DISTINCT FROM r.score ELSE coalesce(a.score <> r.score, true) END
                )
            ) = 0""",
    ),
    Statement(
        title="All dates preserved",
        query=f"""SELECT
            (SELECT count(*) {_RESPONSES} AND (a._key IS NULL OR a.submittedAt IS DISTINCT FROM b.submittedAt)) = 0
            AND (
                SELECT count(*) {_ASSIGNMENTS} AND (
                    a._key IS NULL OR a.dueDate IS DISTINCT FROM b.dueDate
                    OR a.completedAt IS DISTINCT FROM b.completedAt AND CASE
                        WHEN {_MOVED} THEN a.completedAt IS DISTINCT FROM r.submittedAt
                        ELSE coalesce(a.completedAt <> r.submittedAt, true)
                    END
                )
            ) = 0""",
    ),
    # over every row, whoever made the link; what somebody has to look at fails no run, but keeps the switch from new
    Statement(
        id=ALL_LINKS_VALID,
        title="All links valid",
        code="bad_link",
        query=f"SELECT kind || ' ' || id FROM ({_links('after')}) WHERE wrong IS NOT NULL",
        informative=True,
    ),
    Statement(
        id="run_links_valid",
        title="Links of this run valid",
        code="bad_link",
        # each leads both ways, within a series and a week, to a completed assignment
        query=f"""
            SELECT coalesce('response ' || c.response, 'assignment ' || c.assignment) FROM ({_WRITTEN_LINKS}) c
            LEFT JOIN after_responses r ON r.id = c.response
            LEFT JOIN after_assignments a ON a.id = c.assignment
            WHERE NOT EXISTS (
                FROM left_alone l WHERE l.target = 'responses' AND l.key = c.response
                    OR l.target = 'assignments' AND l.key = c.assignment
            ) AND NOT coalesce(
                r.assignmentId = a.id AND a.responseId = r.id AND a.clientId = r.clientId AND a.formId = r.formId
                AND a.recurringWeek = r.recurringWeek AND a.status = 'completed'
                AND (r.score IS NULL OR a.score = r.score), false
            )""",
    ),
    Statement(
        title="Links that lead nowhere",
        query=f"SELECT count(*) FROM ({_links('after')}) WHERE wrong = 'link_dangling'",
    ),
    Statement(
        title="Assignments created",
        query="""SELECT count(*) FROM after_assignments a ANTI JOIN before_assignments b ON b._key = a._key
            SEMI JOIN written w ON w.target = 'assignments' AND w.key = a._key""",
    ),
    Statement(
        title="Assignments updated",
        query="""SELECT count(*) FROM after_assignments a JOIN before_assignments b ON b._key = a._key
            SEMI JOIN written w ON w.target = 'assignments' AND w.key = a._key
            WHERE (a.responseId, a.status, a.completedAt, a.score, a.recurringWeek)
                IS DISTINCT FROM (b.responseId, b.status, b.completedAt, b.score, b.recurringWeek)""",
    ),
    Statement(
        title="Responses linked",
        query="""SELECT count(*) FROM after_responses a JOIN before_responses b ON b._key = a._key
            SEMI JOIN written w ON w.target = 'responses' AND w.key = a._key
            WHERE a.assignmentId IS DISTINCT FROM b.assignmentId""",
    ),
)
