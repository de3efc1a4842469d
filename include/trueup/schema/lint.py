"""Lint: what each revision would run, judged by squawk before it runs anywhere.

How bad a finding is, is decided here, by its rule: squawk itself calls every one of them a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import DeclarationError
from ..run.schema_records import Level, LintFinding
from .history import History, Revision
from .squawk import Violation, violations

_LEVELS: dict[Level, str] = {
    Level.BREAKING: "renaming-column renaming-table renaming-object ban-drop-column ban-drop-table ban-drop-database ban-drop-view "
    "ban-drop-function ban-drop-type ban-drop-schema ban-drop-sequence ban-drop-domain ban-drop-extension ban-drop-not-null "
    "ban-truncate-cascade ban-set-schema changing-column-type ban-drop-generated-expression ban-replace-view-function "
    "ban-drop-constraint adding-required-field ban-revoke",
    Level.LOCKS: "require-concurrent-index-creation require-concurrent-index-deletion require-concurrent-partition-detach "
    "require-concurrent-reindex constraint-missing-not-valid adding-field-with-default adding-foreign-key-constraint "
    "adding-not-nullable-field adding-serial-primary-key-field disallowed-unique-constraint prefer-repack "
    "ban-concurrent-index-creation-in-transaction ban-create-domain-with-constraint ban-alter-domain-with-add-constraint",
    Level.NOTE: "prefer-bigint-over-int prefer-bigint-over-smallint prefer-identity prefer-robust-stmts prefer-text-field "
    "prefer-timestamp-tz ban-char-field transaction-nesting require-enum-value-ordering identifier-too-long unused-ignore "
    "ban-uncommitted-transaction require-table-schema",
}
LEVELS = {rule: level for level, rules in _LEVELS.items() for rule in rules.split()}
"""The level of every rule; one that is not here is new to us and counts as `LOCKS`."""


@dataclass(frozen=True, kw_only=True)
class Linted:
    """A step, the SQL it runs, and what was found in it."""

    step: Revision
    sql: str
    findings: tuple[LintFinding, ...]


def lint(history: History, heads: Sequence[str], steps: Sequence[Revision]) -> list[Linted]:
    """Lint each of the steps that follow each other from those heads. A revision that cannot be rendered or parsed is
    `not linted`, which is a finding that cannot be excused."""
    linted = []
    for step in steps:
        try:
            sql = history.sql(step, heads)
        except DeclarationError as error:
            unknown = _finding(step, "not-rendered", Level.NOT_LINTED, 0, str(error))
            linted.append(Linted(step=step, sql="", findings=(unknown,)))
        else:
            linted.append(Linted(step=step, sql=sql, findings=tuple(lint_sql(sql, step))))
        heads = history.after(heads, step)
    return linted


def lint_sql(sql: str, step: Revision) -> list[LintFinding]:
    """What squawk finds in the SQL of a step. Raises `DeclarationError` when squawk is missing or does not answer."""
    try:
        return [_judged(step, violation) for violation in violations(sql)]
    except DeclarationError as error:
        raise DeclarationError(f"{step.name}: {error}") from error


def _judged(step: Revision, violation: Violation) -> LintFinding:
    level = Level.NOT_LINTED if violation.unread else LEVELS.get(violation.rule_name, Level.LOCKS)
    message = " ".join(part for part in (violation.message, violation.help) if part)
    return _finding(step, violation.rule_name, level, violation.line + 1, message)


def _finding(step: Revision, rule: str, level: Level, line: int, message: str) -> LintFinding:
    going_down = None if step.up else "the run goes down, which asks for approval"
    excuse = {Level.BREAKING: step.breaking or going_down, Level.LOCKS: step.locks or going_down}.get(level)
    return LintFinding(
        database=step.database,
        revision=step.revision,
        way=step.way,
        rule=rule,
        level=level,
        line=line,
        message=message,
        excuse=excuse,
        refused=level is not Level.NOTE and excuse is None,
    )


def refusals(linted: Sequence[Linted]) -> list[str]:
    """Why the run may not go on, in words; nothing if it may."""
    messages = []
    for one in linted:
        for finding in one.findings:
            if finding.refused:
                what = f"{one.step.name}, line {finding.line}: {finding.level}, {finding.rule}: {finding.message}"
                way = (
                    ""
                    if finding.level is Level.NOT_LINTED
                    else f' If it is right, say why in the revision: {finding.level} = "…".'
                )
                messages.append(what + way)
    return messages
