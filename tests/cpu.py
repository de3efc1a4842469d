"""A plugin that says what each test costs in CPU seconds, where the machine is too busy for its clock to tell:
`pytest -p tests.cpu`. Of this process, of those that it waited for, and of the tests' PostgreSQL server."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest

_spent: dict[str, float] = defaultdict(float)
_server: list[psutil.Process] = []
MOST = 40


def _so_far() -> float:
    times = os.times()
    total = times.user + times.system + times.children_user + times.children_system
    for process in _server:
        with suppress(psutil.NoSuchProcess):  # the last test's fixtures are the session's
            of = process.cpu_times()
            total += of.user + of.system + of.children_user + of.children_system
    return total


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Count while a test runs, its fixtures included."""
    before = _so_far()
    yield
    _spent[item.nodeid] += _so_far() - before


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
    """Note the server once it runs; sessions that are open are counted when they end."""
    yield
    if fixturedef.argname == "postgres_server" and fixturedef.cached_result and not fixturedef.cached_result[2]:
        _server.append(psutil.Process(fixturedef.cached_result[0].pid))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The sums by file, then the dearest tests."""
    files: dict[str, list[float]] = defaultdict(list)
    for nodeid, seconds in _spent.items():
        files[nodeid.split("::")[0]].append(seconds)
    write = terminalreporter.write_line
    terminalreporter.section("CPU seconds")
    for file, each in sorted(files.items(), key=lambda item: -sum(item[1])):
        write(f"{sum(each):8.1f}  {len(each):4}  {file}")
    write(f"{sum(_spent.values()):8.1f}  {len(_spent):4}  in all")
    for nodeid, seconds in sorted(_spent.items(), key=lambda item: -item[1])[:MOST]:
        write(f"{seconds:8.1f}  {nodeid}")
