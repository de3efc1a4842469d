"""A client's assignments, generated or pre-created as the switch says."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from include.migrations.checkins.serving import get_assignments
from include.trueup.stores.dynamodb import DynamoDBStore

from .conftest import Client, exact

CLIENTS = "/trueup/api/v2/clients"
MANY = "client-000-000"


def asked(client: Any, id: str) -> Any:
    """The assignments that the API gives."""
    answer = client.get(f"{CLIENTS}/{id}/assignments")
    assert answer.status_code == 200
    said = exact(answer)
    assert said["client_id"] == id
    return said["assignments"]


def test_they_are_generated_until_the_switch_is_new(
    viewer: Any, checkins: DynamoDBStore, turn: Callable[[str, str], None]
) -> None:
    generated, stored = get_assignments(checkins, MANY), get_assignments(checkins, MANY, lambda _: True)
    assert len(generated) > len(stored) > 0
    assert asked(viewer, MANY) == generated
    turn("checkins", "dual")
    assert asked(viewer, MANY) == generated
    turn("checkins", "new")
    assert asked(viewer, MANY) == stored
    old = viewer.get(f"{CLIENTS.replace('v2', 'v1')}/{MANY}/assignments")
    assert exact(old) == {"clientId": MANY, "assignments": stored}
    assert old.headers["link"] == f'<{CLIENTS}/{MANY}/assignments>; rel="successor-version"'
    assert asked(viewer, "nobody") == []


def test_whatever_the_application_put_there_is_said(viewer: Any, checkins: DynamoDBStore) -> None:
    odd: dict[str, Any] = {
        "id": {"S": "odd"},
        "clientId": {"S": "an odd/one"},
        "formId": {"S": "form-odd"},
        "seal": {"B": b"\x00\xff"},
        "seals": {"BS": [b"\x01"]},
        "exact": {"N": "0.12345678901234567890123456789012345678"},
        "deep": {"M": {"l": {"L": [{"BOOL": True}, {"NULL": True}]}}},
    }
    checkins.client.put_item(TableName="check-in-assignments", Item=odd)
    answer = viewer.get(f"{CLIENTS}/an odd%2Fone/assignments")
    assert answer.status_code == 404  # a slash is a slash; ids with one are not to be had
    checkins.client.put_item(TableName="check-in-assignments", Item={**odd, "clientId": {"S": "an odd one"}})
    (found,) = asked(viewer, "an odd one")
    assert found["seal"] == b64encode(b"\x00\xff").decode()
    assert found["seals"] == [b64encode(b"\x01").decode()]
    assert "0.12345678901234567890123456789012345678" in viewer.get(f"{CLIENTS}/an odd one/assignments").text
    assert found["deep"] == {"l": [True, None]}


def test_errors(
    viewer: Any, checkins: DynamoDBStore, signed_in: Client, connections: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trueup_airflow.api import stores

    path = f"{CLIENTS}/{MANY}/assignments"
    assert signed_in().get(path).status_code == 401
    assert signed_in("nobody", None).get(path).status_code == 403
    assert viewer.get(f"{CLIENTS}/{'x' * 2049}/assignments").status_code == 422
    extra = {"endpoint_url": "http://127.0.0.1:1", "region_name": "us-east-1"}
    extra["config_kwargs"] = {"retries": {"total_max_attempts": 1}}  # type: ignore[assignment]
    given = {"conn_type": "aws", "login": "key", "password": "hush", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_CHECKINS_DYNAMODB", json.dumps(given))
    stores.forget()
    answer = viewer.get(path)
    assert answer.status_code == 503
    assert "127.0.0.1" not in answer.text
    monkeypatch.setenv("AIRFLOW_CONN_CHECKINS_DYNAMODB", '{"conn_type": "postgres", "host": "127.0.0.1"}')
    stores.forget()
    answer = viewer.get(path)
    assert answer.status_code == 500
    assert "checkins_dynamodb" not in answer.text  # what an exception says is for the log
    monkeypatch.delenv("AIRFLOW_CONN_CHECKINS_DYNAMODB")
    stores.forget()
    answer = viewer.get(path)
    assert (answer.status_code, "checkins_dynamodb" in answer.text) == (503, False)
    assert "could not give a connection" in answer.json()["detail"]
