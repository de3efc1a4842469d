"""The before and after report of the check-ins: what must be as it was, that every link is valid, and what was done."""

from __future__ import annotations

from include.trueup.declare.migration import Statement

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
_KEPT = ("clientId", "formId", "recurringWeek", "score", "answers", "submittedAt", "_extra")
_CHANGED_LINKS = """
    SELECT r.id AS response, r.assignmentId AS assignment FROM after_responses r
    LEFT JOIN before_responses b ON b._key = r._key WHERE r.assignmentId IS DISTINCT FROM b.assignmentId
    UNION
    SELECT a.responseId, a.id FROM after_assignments a
    LEFT JOIN before_assignments b ON b._key = a._key WHERE a.responseId IS DISTINCT FROM b.responseId
"""


def _no_row(query: str) -> str:
    return f"SELECT count(*) = 0 {query}"


def _nowhere(when: str) -> str:
    """Links that lead to no row, of both kinds."""
    return f"""
        SELECT 'response' AS of, id, assignmentId AS leads_to FROM {when}_responses r
        WHERE assignmentId IS NOT NULL AND NOT EXISTS (FROM {when}_assignments a WHERE a.id = r.assignmentId)
        UNION ALL
        SELECT 'assignment', id, responseId FROM {when}_assignments a
        WHERE responseId IS NOT NULL AND NOT EXISTS (FROM {when}_responses r WHERE r.id = a.responseId)
    """


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
                    a._key IS NULL OR a.score IS DISTINCT FROM b.score AND coalesce(a.score <> r.score, true)
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
                    OR a.completedAt IS DISTINCT FROM b.completedAt AND coalesce(a.completedAt <> r.submittedAt, true)
                )
            ) = 0""",
    ),
    Statement(
        title="All links valid",
        query=f"""SELECT
            -- every link that is new leads both ways, within a series and a week, to a completed assignment
            (
                SELECT count(*) FROM ({_CHANGED_LINKS}) c
                LEFT JOIN after_responses r ON r.id = c.response
                LEFT JOIN after_assignments a ON a.id = c.assignment
                WHERE NOT EXISTS (
                    FROM left_alone l WHERE l.target = 'responses' AND l.key = c.response
                        OR l.target = 'assignments' AND l.key = c.assignment
                ) AND NOT coalesce(
                    r.assignmentId = a.id AND a.responseId = r.id AND a.clientId = r.clientId AND a.formId = r.formId
                    AND a.recurringWeek = r.recurringWeek AND a.status = 'completed'
                    AND (r.score IS NULL OR a.score = r.score), false
                )
            ) = 0
            -- and none leads nowhere that did not before
            AND (SELECT count(*) FROM (({_nowhere("after")}) EXCEPT ({_nowhere("before")}))) = 0""",
    ),
    Statement(
        title="Links that led nowhere before and are as they were",
        query=f"SELECT count(*) FROM ({_nowhere('after')})",
    ),
    Statement(
        title="Assignments created",
        query="SELECT count(*) FROM after_assignments a ANTI JOIN before_assignments b ON b._key = a._key",
    ),
    Statement(
        title="Assignments updated",
        query="""SELECT count(*) FROM after_assignments a JOIN before_assignments b ON b._key = a._key
            WHERE (a.responseId, a.status, a.completedAt, a.score, a.recurringWeek)
                IS DISTINCT FROM (b.responseId, b.status, b.completedAt, b.score, b.recurringWeek)""",
    ),
    Statement(
        title="Responses linked",
        query="""SELECT count(*) FROM after_responses a JOIN before_responses b ON b._key = a._key
            WHERE a.assignmentId IS DISTINCT FROM b.assignmentId""",
    ),
)
