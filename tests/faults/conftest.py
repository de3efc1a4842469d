"""A DynamoDB engine behind a proxy that can make it go wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from include.trueup.declare.migration import Index, Table, Type
from include.trueup.stores.dynamodb import wire
from tests.harness import fastest_engine, store_at

from .proxy import Proxy

_names = itertools.count()


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    """The endpoint of a real engine."""
    with fastest_engine() as running:
        yield running.endpoint


@pytest.fixture
def proxy(engine: str) -> Iterator[Proxy]:
    """A proxy before the engine that, as yet, changes nothing."""
    with Proxy(engine) as running:
        yield running


@pytest.fixture
def table(engine: str) -> Table:
    """A table of its own, empty. `rows.row` makes rows for it."""
    columns = {"id": Type.TEXT, "label": Type.TEXT, "amount": Type.NUMBER, "more": Type.JSON}
    index = Index(name="label-index", key=("label",))
    declared = Table(name=f"faults-{next(_names)}", connection="c", key=("id",), columns=columns, indexes=(index,))
    store_at(engine).create(declared)
    return declared


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same backoff, a hundred times as fast."""
    monkeypatch.setattr(wire, "FIRST_PAUSE_SECONDS", 0.0005)
