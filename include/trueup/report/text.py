"""Foreign text made fit to be shown: keys, messages and values of rows may hold anything at all."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

CUT = 300
"""Longest piece of foreign text that is shown, in characters."""
ERROR = 600
"""Most characters of an error that a headline has."""

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#!|~]|(?<=www)\.|:(?=//)|^[-+=>]|^\d+(?=[.)])")


def shown(value: Any, limit: int = CUT) -> str:
    """The value as text: cut to `limit` characters with a note of its length, and with a visible stand-in for every
    character that is not seen or would turn the text around (`⏎`, `‹U+202E›`)."""
    text = "–" if value is None else str(value)
    note = f"… (the first {limit:,} of {len(text):,} characters)" if len(text) > limit else ""
    return _UNSEEN.sub(_stand_in, text[:limit]) + note


def _stand_in(match: re.Match[str]) -> str:
    character = match.group()
    if character == "\n":
        return "⏎"
    if character == "\t":
        return "⇥"
    if unicodedata.category(character) == "Cs":
        return "\ufffd"
    return f"‹U+{ord(character):04X}›"


def html(value: Any, limit: int = CUT) -> Markup:
    """For HTML: escaped, and isolated from the direction of the text around it."""
    return Markup("<bdi>{}</bdi>").format(shown(value, limit))


def code(value: Any, limit: int = CUT) -> Markup:
    """For HTML, as a key, a name or a hash."""
    return Markup("<code>{}</code>").format(html(value, limit))


def block(value: Any, limit: int = 20_000) -> Markup:
    """For HTML, as a script: line by line, each shown as it is."""
    text = str(value)
    note = f"\n… (the first {limit:,} of {len(text):,} characters)" if len(text) > limit else ""
    lines = "\n".join(shown(line, limit) for line in text[:limit].strip().split("\n"))
    return Markup('<pre dir="ltr" tabindex="0">{}{}</pre>').format(lines, note)


def markdown(value: Any, limit: int = CUT) -> str:
    """For Markdown prose and table cells: shown as it is, mentions nobody, links nowhere."""
    text = _MARKDOWN.sub(
        lambda m: "\\" + m.group() if not m.group().isdigit() else m.group() + "\\", shown(value, limit)
    )
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("@", "@\u200b")


def markdown_code(value: Any, limit: int = CUT) -> str:
    """For Markdown, as a code span; not for tables, where a pipe would end the cell."""
    text = shown(value, limit).replace("`", "ˋ")
    return f"`{text}`" if text.strip() else "` `"


def number(value: Any) -> str:
    """`1,234,567`; a dash for nothing."""
    return f"{value:,}" if isinstance(value, int) else shown(value)


def size(value: Any) -> str:
    """Bytes in the unit that suits them: `1.3 MB`."""
    if not isinstance(value, int | float):
        return shown(value)
    if value < 1000:
        return f"{value} B"
    power = min((len(str(int(value))) - 1) // 3, 4)
    amount = value / 1000**power
    return f"{amount:,.1f} {' kMGT'[power]}B" if amount < 99.95 else f"{amount:,.0f} {' kMGT'[power]}B"


def duration(seconds: float | None) -> str:
    """`0.3 s`, `14 s`, `3 min 05 s`, `2 h 07 min`."""
    if seconds is None:
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def instant(value: Any) -> datetime | None:
    """An ISO 8601 instant in UTC; None for what is none."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def moment(value: Any) -> str:
    """`20 Nov 2026, 10:18:09 UTC`; what is not an instant is shown as it is."""
    at = instant(value)
    return shown(value) if at is None else f"{at.day} {at:%b %Y, %H:%M:%S} UTC"


def time(value: Any) -> Markup:
    """For HTML: the moment as a `time` element."""
    at = instant(value)
    if at is None:
        return html(value)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), moment(value))


def sentence(error: str) -> str:
    """The error as the beginning of a headline: a sentence, cut where it is long."""
    text = " ".join(error.split())
    text = text if len(text) <= ERROR else f"{text[:ERROR].rsplit(' ', 1)[0]} …"
    first = text.split(" ", 1)[0]
    if first.isalpha() and first.islower() and len(first) < 20:  # a word, and not the name of a host or a column
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "…", "!", "?")) else f"{text}."


def untold(error: str, headline: str) -> str | None:
    """The error, where the headline does not have the whole of it."""
    message = sentence(error)
    return None if headline.startswith(message) and not message.endswith("…") else error


def rows(number: int, what: str = "row") -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def were(number: int) -> str:
    """`was` of one, `were` of more."""
    return "was" if number == 1 else "were"
