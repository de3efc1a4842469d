"""The switch of a migration over the API: what an application reads its settings from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Client

SWITCHES = "/trueup/api/v2/switches"


def test_it_says_what_is_set_since_when_by_whom_and_why(viewer: Any, turn: Callable[[str, str], None]) -> None:
    never = viewer.get(f"{SWITCHES}/checkins")
    assert never.json() == {
        "migration": "checkins",
        "state": "legacy",
        "settings": {"checkins.use_pre_created": False},
        **dict.fromkeys(("since", "by", "reason")),
    }
    assert never.headers["cache-control"] == "private, no-cache"

    turn("checkins", "dual")
    turn("checkins", "new")
    turned = viewer.get(f"{SWITCHES}/checkins", headers={"If-None-Match": never.headers["etag"]})
    said = turned.json()
    assert said.pop("since").endswith("+00:00")
    assert said == {
        "migration": "checkins",
        "state": "new",
        "settings": {"checkins.use_pre_created": True},
        "by": "vera",
        "reason": "a test",
    }
    tag = turned.headers["etag"].removeprefix("W/")
    for known in (turned.headers["etag"], tag, f'"x", W/{tag}', "*"):
        again = viewer.get(f"{SWITCHES}/checkins", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", turned.headers["etag"])


@pytest.mark.parametrize("id", ["scoring_models", "platform_schema", "nothing", "%00", "..%2f"])
def test_a_migration_without_settings_has_no_switch(viewer: Any, id: str) -> None:
    assert viewer.get(f"{SWITCHES}/{id}").status_code == 404


def test_it_is_for_those_who_may_read_the_migrations_runs(signed_in: Client) -> None:
    for name, status in (((), 401), (("nobody", None), 403)):
        for id in ("checkins", "nothing"):
            assert signed_in(*name).get(f"{SWITCHES}/{id}").status_code == status
