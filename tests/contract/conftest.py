"""The stores that the contract suite runs on.

A store joins by an entry in `STORES`: a context manager that gets the test session's request, starts the engine, and gives
a `Subject` (subject.py says what that is). A test with the fixture `subject` runs on every store, one with the
fixture `dynamodb` on every DynamoDB engine, one with `relational` on PostgreSQL and on its twin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest

from . import dynamodb_subject, postgres_subject, twin_subject
from .dynamodb_subject import DynamoDBSubject
from .subject import Subject

STORES: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Subject]]] = {
    "dynamodb-ministack": dynamodb_subject.ministack,
    "dynamodb-dynoxide": dynamodb_subject.dynoxide,
    "postgres": postgres_subject.embedded,
    "twin-relational": twin_subject.relational,
    "twin-documents": twin_subject.documents,
}


FIXTURES: dict[str, tuple[str, ...]] = {
    "subject": (*STORES,),
    "dynamodb": ("dynamodb-ministack", "dynamodb-dynoxide"),
    "relational": ("postgres", "twin-relational"),
}
"""The stores that a test with such a fixture runs on."""


def available() -> list[str]:
    """The names of the stores that this platform can run."""
    return [name for name in STORES if name != "dynamodb-dynoxide" or dynamodb_subject.dynoxide_binary()]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The stores of each fixture, those that this platform can run."""
    for fixture, stores in FIXTURES.items():
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, [name for name in available() if name in stores], indirect=True)


@pytest.fixture(scope="session")
def started(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Subject]]:
    """Starts a store when it is first asked for; all are stopped at the end of the session."""
    subjects: dict[str, Subject] = {}
    with ExitStack() as running:

        def start(name: str) -> Subject:
            if name not in subjects:
                subjects[name] = running.enter_context(STORES[name](request))
            return subjects[name]

        yield start


@pytest.fixture
def subject(request: pytest.FixtureRequest, started: Callable[[str], Subject]) -> Subject:
    """A store on a running engine."""
    return started(request.param)


@pytest.fixture
def dynamodb(request: pytest.FixtureRequest, started: Callable[[str], Subject]) -> DynamoDBSubject:
    """A DynamoDB store on a running engine."""
    subject = started(request.param)
    assert isinstance(subject, DynamoDBSubject)
    return subject


@pytest.fixture
def relational(request: pytest.FixtureRequest, started: Callable[[str], Subject]) -> Subject:
    """PostgreSQL, or its twin."""
    return started(request.param)
