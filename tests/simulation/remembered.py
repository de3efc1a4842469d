"""What is computed from nothing but its inputs, remembered while one process plays histories: a suite's verdict on frames. The
key is the whole of what it depends on. No effect is remembered."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from include.trueup.gate import evaluation
from include.trueup.prove import verify
from include.trueup.rows import duck

MOST = 20_000


def _remember_verdicts(patch: pytest.MonkeyPatch) -> None:
    said: dict[bytes, Any] = {}
    real = evaluation.evaluate

    def evaluate(suite: Any, frames: Any, **more: Any) -> Any:
        every = list(frames)
        try:
            of_suite = [(type(each), vars(each)) for each in suite()]
            key = pickle.dumps((of_suite, every, more))
        except Exception:
            return real(suite, every, **more)
        if key not in said:
            if len(said) >= MOST:
                said.clear()
            said[key] = real(suite, every, **more)
        return replace(said[key])

    patch.setattr(evaluation, "evaluate", evaluate)
    for module in _importers("evaluate", real):
        patch.setattr(module, "evaluate", evaluate)


def _importers(name: str, thing: object) -> Iterator[Any]:
    import sys

    for module in [*sys.modules.values()]:
        if getattr(module, "__name__", "").startswith("include.trueup") and vars(module).get(name) is thing:
            yield module


@contextmanager
def remembering(folder: Path, *, verdicts: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """While the block runs, verdicts are remembered; gives a database of DuckDB that all processes share."""
    import include.trueup.prove.gates  # noqa: F401  it is patched

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "REREAD_AFTER", verify.REREAD_AFTER)
        if verdicts:
            _remember_verdicts(patch)
        with duck.connect(folder, 8) as database:
            yield database
