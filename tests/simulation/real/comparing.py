"""What a history came to over the twins and over real servers: where they first differ, effect by effect, and how it ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest

from ..playing import Played

_SAID = re.compile(r"(: \w+Error): .*", re.DOTALL)
"""What an error says is the server's to choose; of which kind it is, is not."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first line of the logs that is not the same (None: the other one has ended), and the line before it."""

    before: str
    twin: str | None
    real: str | None


def first_difference(twin: Played, real: Played) -> Difference | None:
    """Where the two first differ; None: nowhere."""
    before = ""
    for one, other in zip_longest(map(_plain, twin.log), map(_plain, real.log)):
        if one != other:
            return Difference(before=before, twin=one, real=other)
        before = one or ""
    return None


def ends(twin: Played, real: Played) -> list[str]:
    """How the states of runs, and the rows of the target, differ at the end."""
    said = [f"{run}: {twin.states.get(run)} / {real.states.get(run)}" for run in sorted({*twin.states, *real.states})]
    wrong = [line for line in said if len({*line.partition(": ")[2].split(" / ")}) > 1]
    rows = {key: (twin.target.get(key), real.target.get(key)) for key in sorted({*twin.target, *real.target})}
    return [*wrong, *(f"{key}: {one} / {other}" for key, (one, other) in rows.items() if one != other)]


def _plain(line: str) -> str:
    return _SAID.sub(r"\1", line)
