"""ISO 8601 dates and timestamps as serving needs them: as instants, with every fractional digit, and days later."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

_NOTATIONS = (
    (re.compile(r"\d{4}-\d\d-\d\d", re.ASCII), "%Y-%m-%d"),
    (re.compile(r"\d{8}", re.ASCII), "%Y%m%d"),
    (re.compile(r"\d{4}-\d{3}", re.ASCII), "%Y-%j"),
    (re.compile(r"\d{7}", re.ASCII), "%Y%j"),
    (re.compile(r"\d{4}-W\d\d-[1-7]", re.ASCII), "%G-W%V-%u"),
    (re.compile(r"\d{4}W\d\d[1-7]", re.ASCII), "%GW%V%u"),
)
_HOUR, _SIXTY = r"([01]\d|2[0-3])", r"([0-5]\d)"
_TIMES = {
    by: re.compile(
        rf"(?:T(?:{_HOUR}(?:{by}{_SIXTY}(?:{by}{_SIXTY}(?:[.,](\d+))?)?)?|24(?:{by}00(?:{by}00(?:[.,]0+)?)?)?)"
        rf"(?:Z|([+-]){_HOUR}(?::?{_SIXTY})?)?)?",
        re.ASCII,
    )
    for by in (":", "")
}
"""What stands behind a date, by what parts its hours and minutes: as in the date, all of it in extended or in basic form."""


def instant(text: Any) -> tuple[datetime, Decimal] | None:
    """The instant of a date or timestamp, to the second, and its fraction; None for anything else. Without an offset it
    means UTC."""
    apart = _apart(text)
    if apart is None:
        return None
    day, notation, rest = apart
    parts = _time(notation, rest)
    if parts is None:
        return None
    hours, minutes, seconds, fraction, sign, by_hours, by_minutes = parts.groups()
    shift = timedelta(hours=int(by_hours or 0), minutes=int(by_minutes or 0))
    whole_day = 24 if rest.startswith("T24") else 0
    time = timedelta(hours=int(hours or whole_day), minutes=int(minutes or 0), seconds=int(seconds or 0))
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    try:
        return at + time + (shift if sign == "-" else -shift), Decimal(f"0.{fraction or 0}")
    except OverflowError:
        return None


def days_later(text: Any, days: int) -> str | None:
    """The date or timestamp so many days later in its own notation, all behind the date byte for byte; None for
    anything else, and past the year 9999."""
    apart = _apart(text)
    if apart is None or _time(*apart[1:]) is None:
        return None
    day, notation, rest = apart
    try:
        moved = day + timedelta(days=days)
    except OverflowError:
        return None
    # strftime of some platforms writes the year 999 in three digits
    return moved.strftime(notation).rjust(len(text) - len(rest), "0") + rest


def _time(notation: str, rest: str) -> re.Match[str] | None:
    return _TIMES[":" if "-" in notation else ""].fullmatch(rest)


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
