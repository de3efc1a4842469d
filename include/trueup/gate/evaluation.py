"""Great Expectations gates that fail closed.

A suite is evaluated over frames, one partition at a time, so that memory stays that of the largest frame; the results
are merged to one per expectation. A gate passes only if every expectation was evaluated on every frame without an
error and no more critical ones failed than allowed. Whatever cannot be judged fails: an empty suite, no frame, no row,
an unknown column, an exception anywhere.

What a suite does *not* see: most expectations leave null values out ("values in a set" holds for a column of nulls),
so a suite that means "there and right" says both.

Great Expectations is imported when a suite is first built, which takes seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from ..declare.migration import SuiteFactory, Table
from ..declare.names import KEY
from ..errors import DeclarationError
from .result import Expected, GateResult, Native

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.expectations import Expectation

    from .tally import Judge, Tally

BUDGETS = {
    "max_reject_share": ("rejected_share", "budget.share", "At most {:.12g} % of the source rows are rejected"),
    "max_rejects": ("rejected", "budget.count", "At most {:,} source rows are rejected"),
    "max_remove_share": (
        "removed_share",
        "budget.removals",
        "At most {:.12g} % of the target rows that earlier runs added are removed",
    ),
    "max_skip_share": (
        "skipped_share",
        "budget.skips",
        "At most {:.12g} % of a phase's source rows are skipped by a rule that it does not expect",
    ),
    "max_left_alone": (
        "left_alone",
        "budget.left_alone",
        "At most {:,} rows that somebody else changed are left alone",
    ),
    "allow_lost_baseline": (
        "baseline_lost",
        "budget.baseline",
        "What earlier runs wrote is known, so that what others changed since can be found",
    ),
}
"""Of each option that limits something: the figure, the rule, and what it asks for."""


def columns(suite: SuiteFactory) -> set[str]:
    """The columns that the suite's expectations name, in conditions too: what a frame must hold besides its key.

    Raises `DeclarationError` when the suite cannot be built, or filters rows by a text condition, whose columns
    cannot be known."""
    with _quiet():
        from .tally import named_columns

        try:
            given = suite()
            expectations = list(given or ())
        except Exception as error:
            raise DeclarationError(f"the suite could not be built: {_words(error)}") from error
        if given is None:
            raise DeclarationError("the suite gives None: return the list of its expectations")
        if strangers := _strangers(expectations):
            raise DeclarationError(strangers)
        return {column for expectation in expectations for column in named_columns(expectation)}


def evaluate(
    suite: SuiteFactory,
    frames: Iterable[pd.DataFrame],
    *,
    gate: str,
    output: str | None = None,
    key: str = KEY,
    unique_by: tuple[str, ...] = (),
    allow_empty: bool = False,
    max_critical: int = 0,
) -> GateResult:
    """The suite's verdict on all frames together. Errors of the suite and its checks fail the gate; errors that
    `frames` itself raises go through.

    `key` is the column that names a row in examples. A value of `key` or of a column in `unique_by` that comes back in
    a later frame breaks an expectation that it be unique (values are remembered by 64-bit hashes, eight bytes a row).

    Raises `DeclarationError` when there is more than one frame and the suite asks what frames cannot answer one by
    one: that another column be unique, or anything about the whole of a column (its sum, maximum, distinct values).
    """
    with _quiet(), _judge() as judge:
        tallies, errors = _declared(suite, (key, *unique_by))
        by_frame = [tally for tally in tallies if not tally.at_end]
        seen = rows = 0
        for frame in frames:
            if seen == 1:
                for tally in by_frame:
                    tally.check_mergeable()
            seen += 1
            rows += len(frame)
            errors += _judged(judge, by_frame, frame.reset_index(drop=True), f"frame {seen}", key)
        if not seen:
            errors.append("there was nothing to check: no frame was given")
        elif not rows and not allow_empty:
            errors.append("there was nothing to check: no rows, and this gate may not be empty")
        errors += _judge_at_end(judge, [tally for tally in tallies if tally.at_end], rows) if seen else []
        expectations = tuple(tally.expected(seen) for tally in tallies)
        own, unwritable = _native(tallies, expectations, key, judge.loaded_at if seen else None)
        errors += unwritable
    errors += [f"{e.rule}: {e.error}" for e in expectations if e.error]
    critical = sum(e.severity == "critical" and not e.passed for e in expectations)
    return GateResult(
        gate=gate,
        output=output,
        rows=rows,
        passed=not errors and critical <= max_critical,
        critical_failures=critical,
        expectations=expectations,
        errors=tuple(errors),
        native=own,
    )


def row_suite(table: Table, also: SuiteFactory | None) -> SuiteFactory:
    """The expectations on the planned rows of a table: those that every table gets, and `also`."""

    def suite() -> list[Expectation]:
        from . import suites

        return suites.rows(table, also)

    return suite


def proof_suite() -> list[Expectation]:
    """On a frame of one row per phase (phase, compared, missing, different, extra, unverified): nothing missing,
    different or unverified (critical), nothing extra (warning)."""
    from . import suites

    return suites.proof()


def statement_suite() -> list[Expectation]:
    """The expectations on the answers to a migration's statements: a frame with one row per statement, `holds`."""
    from .suites import statements

    return statements()


def count_suite() -> list[Expectation]:
    """On a frame of one row per phase (phase, source_rows, written, kept, rejected, skipped, unaccounted): every source
    row is accounted for, and the four add up to the source rows (critical)."""
    from . import suites

    return suites.counts()


def value_suite() -> list[Expectation]:
    """On a frame of one row per source and column (source, column, undeclared, unread): rows that have an attribute
    which nobody accounts for, and values of a joined source that nobody reads (critical)."""
    from . import suites

    return suites.values()


def budget_suite(limits: Mapping[str, float]) -> list[Expectation]:
    """On a frame of one row (`budgets.FIGURES`): no figure is above the limit that is given for it, by the option's name
    (critical)."""
    from . import suites

    return suites.budget(limits)


def _declared(suite: SuiteFactory, tracked: tuple[str, ...]) -> tuple[list[Tally], list[str]]:
    """A tally for each expectation of the suite, and what is wrong with the suite itself."""
    from .tally import Tally

    try:
        expectations: list[Any] = list(suite())  # whatever an author gave
    except Exception as error:  # noqa: BLE001  an author's code: whatever it raises, the gate is not passed, and says why
        return [], [f"the suite could not be built: {_words(error)}"]
    if not expectations:
        return [], ["the suite is empty, so it would pass whatever the rows contain"]
    if strangers := _strangers(expectations):
        return [], [strangers]
    return [Tally(position, expectation, tracked) for position, expectation in enumerate(expectations)], []


def _strangers(made: Iterable[object]) -> str:
    """What in a suite is no expectation, in words; empty where each is one."""
    from great_expectations.expectations import Expectation

    strangers = [repr(each)[:100] for each in made if not isinstance(each, Expectation)]
    return f"the suite contains something that is not an expectation: {', '.join(strangers)}" if strangers else ""


def _judged(judge: Judge, tallies: list[Tally], frame: pd.DataFrame, what: str, key: str) -> list[str]:
    """Count the frame into the tallies: all of them in brief first, then only the broken ones for examples.

    Returns what went wrong with the frame as a whole."""
    try:
        results = judge.validate(tallies, frame, "BASIC")
        if len(results) != len(tallies):
            return [f"{what}: {len(results)} of {len(tallies)} expectations were evaluated"]
        for tally in tallies:
            tally.count(frame, results[tally.position], key)
        broken = {tally.position: tally for tally in tallies if tally.wants_examples}
        for position, result in judge.validate(list(broken.values()), frame, "SUMMARY").items():
            broken[position].add_examples(frame, result.result.get("partial_unexpected_index_list") or [], key)
    except Exception as error:  # noqa: BLE001  whatever a check raises, the gate is not passed, and says why
        return [f"{what} could not be checked: {_words(error)}"]
    return []


def _judge_at_end(judge: Judge, tallies: list[Tally], rows: int) -> list[str]:
    """Evaluate what is about the number of all rows on a frame with that many rows and no column."""
    import pandas as pd

    return _judged(judge, tallies, pd.DataFrame(index=pd.RangeIndex(rows)), "the number of rows", key="")


def _native(
    tallies: list[Tally], expectations: tuple[Expected, ...], key: str, loaded_at: str | None
) -> tuple[Native | None, list[str]]:
    """The same as Great Expectations writes it, or why it cannot: evidence that cannot be kept is none."""
    from .native import native

    if not tallies:
        return None, []
    try:
        return native(tallies, expectations, key, loaded_at), []
    except (TypeError, ValueError) as error:
        return None, [f"Great Expectations cannot write the suite and its results as JSON: {_words(error)}"]


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def _judge() -> AbstractContextManager[Judge]:
    from .tally import judge

    return judge()


@contextmanager
def _quiet() -> Iterator[None]:
    """Great Expectations logs 214 lines at INFO while it is imported, and one for each context, from a logger that
    sets its own level. Warnings and errors still come through, and its loggers are left as they were."""
    whole = logging.getLogger("great_expectations")
    own_level = logging.getLogger("great_expectations.data_context.types.base")
    before, loud = whole.level, whole.isEnabledFor(logging.INFO)
    if loud:  # each change of a level has all loggers of the process work theirs out again
        whole.setLevel(logging.WARNING)
    own_level.addFilter(_is_warning)
    try:
        yield
    finally:
        if loud:
            whole.setLevel(before)
        own_level.removeFilter(_is_warning)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
