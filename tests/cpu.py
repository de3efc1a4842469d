"""A plugin that says what each test costs in CPU seconds, where the machine is too busy for its clock to tell:
`pytest -p tests.cpu`. Of this process, of those that it waited for, and of the tests' PostgreSQL server."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator

import psutil
import pytest

_spent: dict[str, float] = defaultdict(float)
_server: list[psutil.Process] = []
MOST = 40


def _so_far() -> float:
    times = os.times()
    total = times.user + times.system + times.children_user + times.children_system
    for process in _server:
        of = process.cpu_times()
        total += of.user + of.system + of.children_user + of.children_system
    return total


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Count while a test runs, its fixtures included."""
    before = _so_far()
    yield
    if not _server and "postgres_server" in (funcargs := getattr(item, "funcargs", None) or {}):
        _server.append(psutil.Process(funcargs["postgres_server"].pid))
    _spent[item.nodeid] += _so_far() - before


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
