"""Live progress of a run: one calm line per finished step, and on a terminal a last line that says what is going on."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TextIO

_NOT_RUN = {"skipped", "upstream_failed", "removed"}
_ENDED = {"success", "failed", *_NOT_RUN}
_AT_WORK = {"queued", "running", "up_for_retry", "scheduled", "restarting", "deferred"}
_AT_MOST = 5
"""Counts shown of a step; where it has more, their sum is."""
_WIDTH = 79


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A task of a run, or one of its mapped parts (`part` 0 …; -1 for a task that is not mapped, or not yet).
    `state` is Airflow's, None before it is scheduled; `attempt` counts from 1."""

    step: str
    part: int
    state: str | None
    started: datetime | None
    ended: datetime | None
    attempt: int = 1


@dataclass
class Progress:
    """Says what changed since it was last told. `counts` gives what a part returned (ids and counts, nested or not)."""

    counts: Callable[[Instance], Any]
    out: TextIO = field(default_factory=lambda: sys.stdout)
    _reported: set[str] = field(default_factory=set)
    _retried: set[tuple[str, int, int]] = field(default_factory=set)

    def update(self, instances: Iterable[Instance]) -> None:
        """Tell of the steps that have ended, in the order in which they did, and of parts that are tried again. Steps
        that were left out are not told of."""
        steps: dict[str, list[Instance]] = {}
        for instance in instances:
            steps.setdefault(instance.step, []).append(instance)
            self._tell_retry(instance)
        new = {name: parts for name, parts in steps.items() if name not in self._reported and _ended(parts)}
        for name in sorted(new, key=lambda name: _last_end(new[name])):
            self._reported.add(name)
            if {part.state for part in new[name]} - _NOT_RUN:
                self.say(self._line(name, new[name]))
        if self.out.isatty():
            at_work = ", ".join(_at_work(name, parts) for name, parts in steps.items() if _any_at_work(parts))
            self.out.write(f"\r\033[K{f'  … {at_work}'[:_WIDTH]}" if at_work else "\r\033[K")
            self.out.flush()

    def say(self, line: str) -> None:
        """Write a line, over the line that says what is going on."""
        self.out.write(f"\r\033[K{line}\n" if self.out.isatty() else f"{line}\n")
        self.out.flush()

    def _tell_retry(self, instance: Instance) -> None:
        this_try = (instance.step, instance.part, instance.attempt)
        if instance.state == "up_for_retry" and this_try not in self._retried:
            self._retried.add(this_try)
            part = f" part {instance.part}" if instance.part >= 0 else ""
            self.say(f"  {instance.step:<24}{part} failed at try {instance.attempt} and is tried again")

    def _line(self, name: str, parts: list[Instance]) -> str:
        seconds = _seconds(parts)
        number = "1 part" if len(parts) == 1 else f"{len(parts)} parts"
        if failed := sum(part.state == "failed" for part in parts):
            of = f" ({failed} of {number})" if len(parts) > 1 else ""
            return f"  {name:<24} FAILED after {seconds:.1f} s{of}"
        counted = _counted(self.counts(part) for part in parts if part.state == "success")
        return f"  {name:<24} {number:>9} {seconds:7.1f} s   {counted}".rstrip()


def _any_at_work(parts: list[Instance]) -> bool:
    return any(part.state in _AT_WORK for part in parts)


def _ended(parts: list[Instance]) -> bool:
    return all(part.state in _ENDED for part in parts)


def _last_end(parts: list[Instance]) -> float:
    return max((part.ended.timestamp() for part in parts if part.ended), default=float("inf"))


def _seconds(parts: list[Instance]) -> float:
    starts = [part.started for part in parts if part.started]
    ends = [part.ended for part in parts if part.ended]
    return (max(ends) - min(starts)).total_seconds() if starts and ends else 0.0


def _at_work(name: str, parts: list[Instance]) -> str:
    done = sum(part.state in _ENDED for part in parts)
    return f"{name} {done}/{len(parts)}" if len(parts) > 1 else name


def _counted(values: Iterable[Any]) -> str:
    total: Counter[str] = Counter()
    for value in values:
        _add(total, value)
    shown = {name: number for name, number in total.items() if number}
    if len(shown) > _AT_MOST:
        return f"{sum(shown.values()):,} rows"
    return ", ".join(f"{name} {number:,}" for name, number in shown.items())


def _add(total: Counter[str], value: Any, name: str = "") -> None:
    if isinstance(value, Mapping):
        for inner, content in value.items():
            _add(total, content, str(inner))
    elif name and isinstance(value, int) and not isinstance(value, bool):
        total[name] += value
