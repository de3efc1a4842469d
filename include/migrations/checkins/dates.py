"""ISO 8601 dates and timestamps as serving needs them: as instants, with every fractional digit, and days later."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

_NOTATIONS = (
    (re.compile(r"\d{4}-\d\d-\d\d"), "%Y-%m-%d"),
    (re.compile(r"\d{8}"), "%Y%m%d"),
    (re.compile(r"\d{4}-\d{3}"), "%Y-%j"),
    (re.compile(r"\d{7}"), "%Y%j"),
    (re.compile(r"\d{4}-W\d\d-[1-7]"), "%G-W%V-%u"),
    (re.compile(r"\d{4}W\d\d[1-7]"), "%GW%V%u"),
)
_TIME = re.compile(r"(?:T(\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?)?")


def instant(text: Any) -> tuple[datetime, Decimal] | None:
    """The instant of a date or timestamp, to the second, and its fraction; None for anything else. Without an offset it
    means UTC."""
    apart = _apart(text)
    if apart is None:
        return None
    day, _, rest = apart
    parts = _TIME.fullmatch(rest)
    if parts is None:
        return None
    hours, minutes, seconds, fraction, sign, by_hours, by_minutes = parts.groups()
    shift = timedelta(hours=int(by_hours or 0), minutes=int(by_minutes or 0))
    time = timedelta(hours=int(hours or 0), minutes=int(minutes or 0), seconds=int(seconds or 0))
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    try:
        return at + time + (shift if sign == "-" else -shift), Decimal(f"0.{fraction or 0}")
    except OverflowError:
        return None


def days_later(text: Any, days: int) -> str | None:
    """The date or timestamp so many days later in its own notation, all behind the date byte for byte; None for
    anything else, and past the year 9999."""
    apart = _apart(text)
    if apart is None or _TIME.fullmatch(apart[2]) is None:
        return None
    day, notation, rest = apart
    try:
        moved = day + timedelta(days=days)
    except OverflowError:
        return None
    # strftime of some platforms writes the year 999 in three digits
    return moved.strftime(notation).rjust(len(text) - len(rest), "0") + rest


def _apart(text: Any) -> tuple[date, str, str] | None:
    """The date, its notation, and what stands behind it."""
    day, t, rest = text.partition("T") if isinstance(text, str) else ("", "", "")
    for pattern, notation in _NOTATIONS:
        if pattern.fullmatch(day):
            try:
                moment = datetime.strptime(day, notation).replace(tzinfo=UTC).date()
            except ValueError:
                return None
            return moment, notation, t + rest
    return None
