"""Gates that judge each time: they are what is tested here."""

from __future__ import annotations

import pytest

from tests import verdicts


@pytest.fixture(autouse=True)
def judged_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken from memory."""
    monkeypatch.setattr(verdicts, "MOST_ROWS", -1)
