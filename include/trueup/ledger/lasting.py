"""How long a lease lasts that nobody renews."""

from __future__ import annotations

import os

from ..errors import OptionsError

LEASE = "TRUEUP_LEASE_SECONDS"
"""Environment variable: a lease that nobody renews for so long has expired. The same for every worker."""
_DEFAULT = 60.0


def lease_seconds() -> float:
    """How long a lease lasts that nobody renews. Raises `OptionsError` for a setting that is not a number above 0."""
    setting = os.environ.get(LEASE) or _DEFAULT
    try:
        seconds = float(setting)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise OptionsError(f"{LEASE} is {setting!r}; it must be a number of seconds above 0")
    return seconds


def presumed_seconds() -> float:
    """The same for who takes none: that the setting is wrong is said where one is taken; the ledger is still read, and reports
    are written."""
    try:
        return lease_seconds()
    except OptionsError:
        return _DEFAULT
