"""What an installation is called, for people: forms, questions, pages and reports say it."""

from __future__ import annotations

import os

ENVIRONMENT = "TRUEUP_ENVIRONMENT"
"""Environment variable: what this installation is called."""
LIVE = frozenset({"production", "prod", "live"})
"""Environments in which a mistake is one in earnest: shown in red."""


def environment() -> str:
    """What this installation is called."""
    return os.environ.get(ENVIRONMENT, "").strip() or "local"


def is_live(name: str) -> bool:
    """Whether a mistake there is one in earnest."""
    return name.casefold() in LIVE
