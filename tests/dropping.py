"""A plugin that drops what a test has made for itself alone. A plugin, since of fixtures of the session no conftest is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from tests.harness import drop_databases, keeping_databases


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
    """Databases that a fixture of several tests makes outlive the one that asked for it first."""
    with nullcontext() if fixturedef.scope == "function" else keeping_databases():
        return (yield)


@pytest.fixture(autouse=True)
def dropped_databases() -> Iterator[None]:
    """A test's databases are gone after all else of it."""
    yield
    drop_databases()
