"""What is computed from nothing but its inputs, remembered while one process plays histories: what DuckDB answers (`answers.py`),
and a suite's verdict on frames. The name of what is remembered is the whole of what it depends on. No effect is remembered."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from include.trueup import gate, prove, rows
from include.trueup.gate import evaluation
from include.trueup.rows import duck

from .answers import Database, Memory
from .lent import Databases, in_one_thread

_COMPUTING = (rows, gate)
"""The rooms of the engine whose code computes what is remembered; all other code asks for it, and is run."""

_NOTED = "__slotnames__"
"""What `pickle` writes into a class; it is no code."""


class Code:
    """What the rooms that compute hold, as it was at the beginning."""

    def __init__(self) -> None:
        self._modules = [each for room in _COMPUTING for each in _modules(room)]
        self._then = dict(self._now())
        self._held: list[object] = []

    def _now(self) -> Iterator[tuple[tuple[str, ...], object]]:
        for module in self._modules:
            for name, value in vars(module).items():
                yield (module.__name__, name), value
                if isinstance(value, type) and value.__module__ == module.__name__:
                    held = vars(value).items()
                    yield from (((module.__name__, name, each), of) for each, of in held if each != _NOTED)

    def other(self) -> bytes:
        """What is another now; nothing where all is as it was."""
        changed = [(name, value) for name, value in self._now() if self._then.get(name, self) is not value]
        self._held += [value for _, value in changed]  # so that nothing else gets their ids
        return repr(sorted((*name, id(value)) for name, value in changed)).encode() if changed else b""


def _modules(room: ModuleType) -> list[ModuleType]:
    return [
        room,
        *(importlib.import_module(each.name) for each in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")),
    ]


def _remember_verdicts(patch: pytest.MonkeyPatch, memory: Memory) -> None:
    """A suite's verdict on frames, whatever gate asks for it; and what Great Expectations gives for one expectation."""
    real = evaluation.evaluate

    def evaluate(suite: Any, frames: Any, *, gate: str, output: str | None = None, **more: Any) -> Any:
        every = list(frames)
        if not memory.on:
            return real(suite, every, gate=gate, output=output, **more)
        try:
            name = memory.name([(type(each), vars(each)) for each in suite()], every, more)
        except Exception:
            return real(suite, every, gate=gate, output=output, **more)
        if name not in memory.answers:
            memory.keep(name, real(suite, every, gate=gate, **more), 20_000)
        return replace(memory.answers[name], gate=gate, output=output)

    _modules(prove)  # all who have it are there
    for module in [*sys.modules.values()]:
        if getattr(module, "__name__", "").startswith("include.trueup") and vars(module).get("evaluate") is real:
            patch.setattr(module, "evaluate", evaluate)
    tally = importlib.import_module("include.trueup.gate.tally")
    patch.setattr(tally.Judge, "validate", _validate(memory, tally.Judge.validate, tally.named_columns))


def _validate(memory: Memory, real: Any, named_columns: Any) -> Any:
    """What a judge gives for each expectation: by the expectation, what the frame holds in the columns that it names, and the
    names of all columns."""

    def names(tallies: list[Any], frame: Any, result_format: str) -> Iterator[bytes]:
        every, held = {*frame.columns}, {}
        for tally in tallies:
            named = named_columns(tally.expectation)
            columns = sorted(named if named and named <= every else every)
            for column in columns:
                if column not in held:
                    held[column] = str(frame[column].dtype), frame[column].tolist()
            asked = {**vars(tally.expectation), "meta": tally.merged.expectation.meta}
            shape = len(frame), [*frame.columns], result_format
            yield memory.name(type(tally.expectation), asked, shape, [held[column] for column in columns])

    def validate(judge: Any, tallies: list[Any], frame: Any, result_format: str) -> dict[int, Any]:
        try:
            named = [*names(tallies, frame, result_format)] if memory.on else []
        except Exception:
            named = []
        if not named:
            return real(judge, tallies, frame, result_format)
        results = {each.position: memory.answers.get(name) for each, name in zip(tallies, named, strict=True)}
        missing = [each for each in tallies if results[each.position] is None]
        made = real(judge, missing, frame, result_format)
        for each, name in zip(tallies, named, strict=True):
            if each.position in made:
                memory.keep(name, made[each.position], 5_000)
        return {at: result for at, result in {**results, **made}.items() if result is not None}

    return validate


@contextmanager
def remembering(folder: Path) -> Iterator[Database]:
    """While the block runs, what histories compute is remembered; gives a database that all their processes share."""
    memory = Memory()
    with pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
        database = opened.enter_context(in_one_thread(duck.connect(folder, 8)))
        _remember_verdicts(patch, memory)
        patch.setattr(duck, "connect", Databases(memory, folder, duck.connect, opened).connect)
        yield Database(memory, folder, database, Code().other)


def shared(folder: Path, *, plain: bool) -> Any:
    """`remembering`, or, `plain`, a database with which nothing is."""
    return duck.connect(folder, 8) if plain else remembering(folder)
