"""The configuration of an expectation, made once where Great Expectations makes it again at each look.

It looks at it some thirty times for each expectation that it validates, once for each key, and each time all fields are copied:
a quarter of what a small gate computes. While a frame is validated, an expectation whose fields are the same objects as before
has the same configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

_kept: ContextVar[dict[int, Any] | None] = ContextVar("kept", default=None)
_made_anew: Any = Expectation.configuration.fget  # type: ignore[attr-defined]


@contextmanager
def kept() -> Iterator[None]:
    """Within the block, in this thread, configurations are kept; they are forgotten at its end."""
    before = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(before)


def _configuration(expectation: Expectation) -> ExpectationConfiguration:
    kept = _kept.get()
    if kept is None:
        return _made_anew(expectation)
    fields = {**vars(expectation)}
    entry = kept.get(id(expectation))
    if (
        entry is not None
        and len(entry[1]) == len(fields)
        and all(entry[1].get(n, kept) is v for n, v in fields.items())
    ):
        return entry[2]
    made = _made_anew(expectation)
    kept[id(expectation)] = (expectation, fields, made)  # held, so that its id is no other's
    return made


Expectation.configuration = property(_configuration)  # type: ignore[assignment,method-assign]
