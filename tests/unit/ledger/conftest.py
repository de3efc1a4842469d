"""The ledger's tests run on PostgreSQL and on the twin that the simulation has, in memory; those that need a database's address
run on PostgreSQL alone."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from include.trueup.ledger import Ledger
from tests.simulation.twins.ledger import LedgerTwin


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Both, for `ledger`."""
    if "ledger" in metafunc.fixturenames:
        real_only = "ledger_uri" in inspect.signature(metafunc.function).parameters
        metafunc.parametrize("ledger", ["postgres"] if real_only else ["postgres", "twin"], indirect=True)


@pytest.fixture
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """An empty ledger."""
    made = LedgerTwin() if request.param == "twin" else Ledger(request.getfixturevalue("ledger_uri"))
    yield made
    made.close()
