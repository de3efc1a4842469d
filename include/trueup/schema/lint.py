"""Lint: what each revision would run, judged by squawk before it runs anywhere.

How bad a finding is, is decided here, by its rule: squawk itself calls every one of them a warning.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DeclarationError
from ..run.records import from_json
from ..run.schema_records import Level, LintFinding
from .history import History, Revision

SECONDS = 60


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
_OURS = ("require-lock-timeout", "require-statement-timeout", "require-timeout-settings")  # set around every revision


@dataclass(frozen=True, kw_only=True)
class _Said:
    """One of squawk's answers; its `line` and `column` (a byte's) count from 0."""

    rule_name: str
    level: str
    line: int
    column: int = 0
    message: str | None = None
    help: str | None = None


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
        return [_judged(step, violation) for violation in _violations(sql)]
    except DeclarationError as error:
        raise DeclarationError(f"{step.name}: {error}") from error


def unparsed(sql: str) -> tuple[int, int, str] | None:
    """Where a script is no SQL of PostgreSQL: the first place, line and byte in it counted from 0, and what squawk's parser says;
    None where it is SQL. Bodies of functions and of DO are not looked into. Raises `DeclarationError` as `lint_sql`."""
    faults = [each for each in _violations(sql) if _unread(each)]
    return next(((each.line, each.column, each.message or each.rule_name) for each in faults), None)


def _violations(sql: str) -> tuple[_Said, ...]:
    arguments = [_squawk(), "--reporter", "json", "--exclude", ",".join(_OURS)]
    try:
        done = subprocess.run(
            arguments, input=sql, capture_output=True, text=True, timeout=SECONDS, check=False, cwd="/"
        )
        violations = from_json(tuple[_Said, ...], (done.stdout or "[]").encode())
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise DeclarationError(f"squawk gave no answer that can be read: {error}") from error
    if done.returncode not in (0, 1) or (done.returncode == 1 and not violations):
        raise DeclarationError(f"squawk ended with status {done.returncode}: {done.stderr.strip()[:500]}")
    return violations


def _judged(step: Revision, violation: _Said) -> LintFinding:
    level = Level.NOT_LINTED if _unread(violation) else LEVELS.get(violation.rule_name, Level.LOCKS)
    message = " ".join(part for part in (violation.message, violation.help) if part)
    return _finding(step, violation.rule_name, level, violation.line + 1, message)


def _unread(violation: _Said) -> bool:
    return violation.rule_name == "syntax-error" or violation.level == "Error"


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


def _squawk() -> str:
    """The program: next to this Python, or on the path."""
    beside = Path(sys.executable).parent / "squawk"
    program = str(beside) if beside.is_file() else shutil.which("squawk")
    if program is None:
        raise DeclarationError("the SQL linter is not installed: pip install squawk-cli")
    return program
