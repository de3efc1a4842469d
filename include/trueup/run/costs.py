"""What a transform costs, as a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CostRecord:
    """`cost.json`: what a run's transform costs, estimated before it runs. `sha256` is the hash of all that is paid for (`paid`
    rows), `figures` are their counts, `words` what a person is told, by name; `snapshot`: a hash of what it was estimated from."""

    sha256: str
    created_at: str
    paid: int
    figures: Mapping[str, int]
    words: Mapping[str, str]
    snapshot: str
