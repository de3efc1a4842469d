"""What a jsonb of PostgreSQL can hold, and a numeric."""

from __future__ import annotations

import re

WHOLE_DIGITS, FRACTION_DIGITS = 131_072, 16_383
"""Of a number before and behind its point, also of one in a jsonb."""
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_NUMBER = re.compile(r"([0-9]+)(?:\.([0-9]+))?")


def json_fault(text: str | None) -> bool:
    """Whether canonical JSON has a number that is too long for a jsonb."""
    numbers = _NUMBER.finditer(_TEXT.sub('""', text or ""))
    return any(len(n[1]) > WHOLE_DIGITS or len(n[2] or "") > FRACTION_DIGITS for n in numbers)
