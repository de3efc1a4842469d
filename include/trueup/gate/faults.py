"""What gates that did not pass have found, in one sentence a fault: how many rows of which table, such as which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..declare.names import KEY
from .result import Expected, GateResult

EXAMPLES = 3
_NAMES = (KEY, "phase", "title")
"""What names a row of a frame."""


def in_words(results: Sequence[GateResult], words: Mapping[str, str]) -> str:
    """What broke the results that are not passed, with `words` (by rule) for what can be said better than by the
    expectation's own."""
    texts = []
    for result in (r for r in results if not r.passed):
        where = f"{result.gate} of {result.output}" if result.output else result.gate
        critical = [e for e in result.expectations if not e.passed and e.severity == "critical"]
        texts += [words[e.rule] for e in critical if e.rule in words]
        broken = [f"{e.rule} ({e.description}){_rows(e)}" for e in critical if e.rule not in words and not e.error]
        if rest := [*result.errors, *broken]:
            texts.append(f"{where}: {'; '.join(rest)}")
    return " | ".join(text.rstrip(".") for text in dict.fromkeys(texts))


def _rows(broken: Expected) -> str:
    if not broken.unexpected:
        return f": found {broken.observed}" if broken.observed is not None else ""
    rows = f"{broken.unexpected:,} row{'s' if broken.unexpected != 1 else ''}"
    keys = dict.fromkeys(e[name] for e in broken.examples for name in _NAMES if name in e)
    return f": {rows}, such as {', '.join([*keys][:EXAMPLES])}" if keys else f": {rows}"
