"""The client that is generated from the description, against the application that it describes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from .conftest import client_of
from .test_results import session


@pytest.fixture(scope="module")
def package(application: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Imports a module of a client that was generated."""
    from trueup_airflow.api.client import PACKAGE, generate

    folder = generate(tmp_path_factory.mktemp("client") / "trueup")
    sys.path.insert(0, str(folder))
    yield lambda name: import_module(f"{PACKAGE}.{name}")
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_it_gets_what_the_api_gives(
    package: Callable[[str], Any], application: Any, viewer: Any, results: str, surveys: str
) -> None:
    transport = client_of(application, "vera", "viewer")
    token = transport.headers["Authorization"].removeprefix("Bearer ")
    transport.base_url = "http://testserver/trueup/api"
    client = package("client").AuthenticatedClient(base_url=str(transport.base_url), token=token)
    client.set_httpx_client(transport)

    found = package("api.results.get_results_v2").sync(session(), client=client)
    assert str(found.session.id) == session()
    assert [each.rank for each in found.types] == sorted(each.rank for each in found.types)
    old = package("api.results.get_results_v1").sync_detailed(session(), client=client)
    assert old.headers["deprecation"]
    assert [row.type_code for row in old.parsed.types] == [each.type_code for each in found.types]
    missing = package("api.results.get_results_v2").sync(str(session()).replace("-", "0", 1)[:-1] + "0", client=client)
    assert (missing.status, missing.type_) in [(404, "urn:problem-type:trueup:no-results"), (422, missing.type_)]

    first = package("api.scores.get_scores_v2").sync(client=client, model="1.1.0", limit=3)
    then = package("api.scores.get_scores_v2").sync(client=client, model="1.1.0", limit=3, cursor=first.next_cursor)
    ids = [str(each.response_id) for page in (first, then) for each in page.scores]
    assert ids == sorted({*ids})
    assert len(ids) == 6
    switch = package("api.migrations.get_switch").sync("checkins", client=client)
    assert (switch.state, switch.since) == ("legacy", None)
    used = package("api.description.get_deprecations").sync(client=client)
    assert {each.route: each.calls for each in used.deprecations}["GET /v1/results/{session_id}"] == 1
    assert Path(package("client").__file__).read_text(encoding="utf-8")
