"""What Great Expectations said and made, remembered while the tests of one process run: it takes a quarter of a small
run, and most runs of the tests give it frames and suites that it has judged before."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

MOST_ROWS = 2_000
"""Larger frames are judged each time."""
MOST = 2_000
"""How many verdicts are kept."""
AGAIN = 10
"""Each so manieth verdict that is known is asked for all the same, and must be the one that is known."""

_said: dict[bytes, Any] = {}
_known = 0


def remember(patch: pytest.MonkeyPatch) -> None:
    """Give the gates a memory. What a verdict depends on is the whole of its key: class and fields of each expectation,
    the format of the answer, and the frame with its types."""
    from include.trueup.gate.tally import Judge

    real_validate = Judge.validate

    def validate(self: Judge, tallies: list[Any], frame: Any, result_format: str) -> Any:
        global _known
        if len(frame) > MOST_ROWS:
            return real_validate(self, tallies, frame, result_format)
        suite = [(type(t.expectation), vars(t.expectation), t.position) for t in tallies]
        try:
            key = pickle.dumps((suite, result_format, frame))
        except (pickle.PicklingError, AttributeError, TypeError):  # an expectation that a test makes for itself
            return real_validate(self, tallies, frame, result_format)
        if key not in _said:
            if len(_said) >= MOST:
                _said.clear()
            _said[key] = real_validate(self, tallies, frame, result_format)
            return _said[key]
        _known += 1
        if _known % AGAIN == 0:
            said, again = (
                {at: result.to_json_dict() for at, result in results.items()}
                for results in (_said[key], real_validate(self, tallies, frame, result_format))
            )
            assert said == again, "a verdict depends on something that is not remembered"
        return _said[key]

    patch.setattr(Judge, "validate", validate)
