"""1.1.0 ↔ 2.0.0: the sixth dimension, growth. Where a response has none, the index is the mean of the other five."""

from __future__ import annotations

from .base import NewWeights

STEPS = (
    NewWeights(from_version="1.1.0", to_version="2.0.0"),
    NewWeights(from_version="2.0.0", to_version="1.1.0"),
)
