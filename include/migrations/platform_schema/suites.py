"""What each phase must have changed: the tables that are new, and nothing but them; and what must be there afterwards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from include.trueup.schema import SchemaPhase

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

ADDED: dict[int, tuple[str, ...]] = {
    1: ("specs.user_rules",),
    2: ("specs.test_results",),
    3: ("auth.api_keys", "specs.llm_usage_tracking"),
    4: ("specs.generated_projects", "specs.generated_files"),
    5: ("specs.user_behavior_patterns", "specs.question_effectiveness", "specs.knowledge_base_documents"),
    6: ("auth.teams", "auth.team_members", "auth.team_invitations", "specs.project_shares"),
}
"""The tables that each phase adds."""
THERE: dict[int, tuple[str, ...]] = {
    0: ("auth: table users: ordinary", "specs: table projects: ordinary", "specs: table specifications: ordinary"),
    5: (
        "specs: column knowledge_base_documents.embedding: vector(384)",
        "specs: column knowledge_base_documents.embedding_model: text",
        "specs: column knowledge_base_documents.content_sha256: text",
    ),
}
"""What must be there once a phase is reached, whoever brought it."""


def changes(number: int) -> list[Expectation]:
    """The expectations on what going up to that phase changed."""
    import great_expectations.expectations as gxe

    expectations: list[Expectation] = []
    if number in ADDED:
        expectations.append(
            gxe.ExpectColumnDistinctValuesToEqualSet(
                column="added_table",
                value_set=list(ADDED[number]),
                description=f"Phase {number} adds {', '.join(ADDED[number])}, and no other table",
                meta={"rule": f"P{number}.tables"},
            )
        )
    if number in THERE:
        expectations.append(
            gxe.ExpectColumnDistinctValuesToContainSet(
                column="there",
                value_set=list(THERE[number]),
                description=f"What phase {number} brings is there",
                meta={"rule": f"P{number}.there"},
            )
        )
    return expectations


def phase(number: int, title: str) -> SchemaPhase:
    """A phase with its suite."""
    return SchemaPhase(number=number, title=title, suite=partial(changes, number))
