"""What a report states about a whole run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement about a whole run that its report makes, answered when the run is judged: `query` is a DuckDB query
    for one value, a boolean (YES or NO; NO fails the run) or a whole number. With `code`, it is one for the keys of the rows
    that break the statement: YES where there is none, else NO, and the rows are listed under that code. An `informative`
    one fails no run, whatever its answer.

    It sees, as relations over whole tables: every source, as it was read; `before_<target>` and `after_<target>`, the
    rows of each target as they were before the run and as they were last read back; `written` (target, key), the rows that
    this run wrote; and `left_alone` (target, key), the rows that apply left alone as conflicts, and those that others
    changed meanwhile though no phase meant to write them.
    The macro `in_window(instant)` says whether the run is about an instant.
    """

    title: str
    query: str
    id: str = ""
    code: str | None = None
    informative: bool = False
