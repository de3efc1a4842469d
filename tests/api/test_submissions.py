"""A series that is begun and a response that is submitted, over the API: together or not at all, and nothing by a bad request."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from include import cursors
from include.migrations.checkins.serving import compare, get_assignments
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.harness import fastest_engine, items, store_at

from .conftest import Client, exact

CLIENTS = "/trueup/api/v2/clients"
DUE = "2026-02-26T09:30:00.1234567+02:00"
SERIES = {"formId": "f", "totalWeeks": 4, "dueDate": DUE, "title": "Weekly", "weights": [1.5, None, {"a": 10**20}]}
EXACT = "0.12345678901234567890123456789012345678"


@pytest.fixture
def editor(signed_in: Client, checkins: DynamoDBStore) -> Any:
    """A client that may write runs."""
    return signed_in("ada", "user")


def begun(editor: Any, client: str, **changes: Any) -> list[dict[str, Any]]:
    """The assignments that a new series of the client begins with."""
    answer = editor.post(f"{CLIENTS}/{client}/assignments", json={**SERIES, **changes})
    assert answer.status_code == 201, answer.text
    found: list[dict[str, Any]] = exact(answer)["assignments"]
    return found


def sent(editor: Any, client: str, to: str, **given: Any) -> Any:
    return editor.post(f"{CLIENTS}/{client}/assignments/{to}/responses", json={"answers": {"mood": 4}, **given})


def listed(editor: Any, client: str) -> list[dict[str, Any]]:
    """The client's assignments, three a page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = editor.get(
            f"{CLIENTS}/{client}/assignments", params={"limit": 100 if client == "long" else 3, **cursor}
        )
        assert answer.status_code == 200
        page = exact(answer)
        found += page["assignments"]
        if page["next_cursor"] is None:
            return found
        assert len(page["assignments"]) in (3, 100)
        cursor = {"cursor": page["next_cursor"]}


def rows(store: DynamoDBStore) -> dict[str, int]:
    return {table: len(items(store, table)) for table in ("check-in-assignments", "form-responses")}


@pytest.mark.parametrize("state", ["legacy", "new"])
def test_a_series_is_begun_and_its_weeks_are_answered(
    editor: Any, checkins: DynamoDBStore, turn: Callable[[str, str], None], state: str
) -> None:
    if state == "new":
        turn("checkins", "dual")
        turn("checkins", "new")
        assert len(begun(editor, "long", formId="g", totalWeeks=250)) == 250  # in several transactions
        assert listed(editor, "long")[249]["recurringWeek"] == 250
    client = f"new-{state}"
    made = begun(editor, client)
    assert len(made) == (4 if state == "new" else 1)
    weeks = listed(editor, client)
    assert [a["recurringWeek"] for a in weeks] == [1, 2, 3, 4]
    assert [a["dueDate"][:10] for a in weeks] == ["2026-02-26", "2026-03-05", "2026-03-12", "2026-03-19"]
    assert weeks[: len(made)] == made
    assert all(a["weights"] == [Decimal("1.5"), None, {"a": 10**20}] for a in weeks)
    again = editor.post(f"{CLIENTS}/{client}/assignments", json=SERIES)
    assert again.status_code == 409

    one, two, three, _ = (a["id"] for a in weeks)
    body = f'{{"id": "{client}-r2", "answers": {{"note": "", "n": {EXACT}}}, "score": {EXACT}, "submittedAt": "{DUE}"}}'
    for status in (201, 200):
        answer = editor.post(f"{CLIENTS}/{client}/assignments/{two}/responses", content=body)
        assert answer.status_code == status, answer.text
        assert answer.text.count(EXACT) == 3
        done = exact(answer)
        assert done["response"]["assignmentId"] == two == done["assignment"]["id"]
        assert (done["assignment"]["status"], done["assignment"]["completedAt"]) == ("completed", DUE)
        assert listed(editor, client)[1] == done["assignment"]
    assert sent(editor, client, two, id=f"{client}-r2").status_code == 409  # the same id, other content
    assert sent(editor, client, two).status_code == 409  # a second one for that week
    assert sent(editor, client, one).status_code == 201
    assert sent(editor, "somebody", three).status_code == 404
    assert sent(editor, client, "no-such").status_code == 404
    # of many at once for one week, one counts
    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda n: sent(editor, client, three, id=f"{client}-{n}").status_code, range(6)))
    assert sorted(codes) == [201, *[409] * 5]
    assert [a["status"] for a in listed(editor, client)] == [*["completed"] * 3, "pending"]
    if state == "legacy":  # both ways of listing agree on what is stored with the submissions
        generated = get_assignments(checkins, client)
        assert generated[:3] == get_assignments(checkins, client, lambda _: True)
    assert [c for c in compare(checkins) if c.client_id == client and c.different and state == "new"] == []


BAD_SERIES: list[tuple[Any, str]] = [
    ({"totalWeeks": 0}, "/totalWeeks"), ({"totalWeeks": 521}, "/totalWeeks"), ({"totalWeeks": 2.5}, "/totalWeeks"),
    ({"totalWeeks": True}, "/totalWeeks"), ({"totalWeeks": "4"}, "/totalWeeks"), ({"totalWeeks": None}, "/totalWeeks"),
    ({"dueDate": "soon"}, "/dueDate"), ({"dueDate": "9999-12-30"}, "/dueDate"), ({"dueDate": 5}, "/dueDate"),
    ({"dueDate": "2026-02-26T25:00:00Z"}, "/dueDate"), ({"dueDate": "2026-02-26T09:30:00+24:00"}, "/dueDate"),
    ({"formId": ""}, "/formId"), ({"formId": "x" * 1025}, "/formId"), ({"formId": 7}, "/formId"), ({"id": ""}, "/id"),
    ({"status": "completed"}, "/status"), ({"responseId": "r"}, "/responseId"), ({"recurringWeek": 2}, "/recurringWeek"),
    ({"clientId": "another"}, "/clientId"), ({"more": {"": 1}}, "/more"), ({"more": 10**40 + 1}, "/more"),
    ({"text": "x" * 30_001}, ""),
]  # fmt: skip
BAD_RESPONSES: list[tuple[Any, str]] = [
    ({"answers": None}, "/answers"), ({"answers": [1]}, "/answers"), ({"answers": {"": 1}}, "/answers"),
    ({"score": "7"}, "/score"), ({"score": True}, "/score"), ({"submittedAt": "yesterday"}, "/submittedAt"),
    ({"submittedAt": "2026-02-26T09:60:00Z"}, "/submittedAt"),
    ({"id": ""}, "/id"), ({"id": "x" * 2049}, "/id"), ({"formId": "f"}, "/formId"), ({"answers": {"a": "x" * 350_000}}, ""),
]  # fmt: skip
NO_JSON = (
    b"",
    b"{",
    b"[]",
    b'"x"',
    b"\xff",
    b'{"answers": {"a": NaN}}',
    b'{"answers": {"a": "\\ud800"}}',
    b"[" * 5_000,
)
DEEP = b'{"answers": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}"


def test_a_bad_request_writes_nothing(editor: Any, viewer: Any, signed_in: Client, checkins: DynamoDBStore) -> None:
    (base,) = begun(editor, "hostile")
    before = rows(checkins)
    for change, pointer in BAD_SERIES:
        answer = editor.post(f"{CLIENTS}/other/assignments", json={**SERIES, **change})
        assert answer.status_code == 422, (change, answer.text)
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer], change
    for change, pointer in BAD_RESPONSES:
        answer = sent(editor, "hostile", base["id"], **change)
        assert answer.status_code == 422, (change, answer.text)
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer], change
    paths = (f"{CLIENTS}/other/assignments", f"{CLIENTS}/hostile/assignments/{base['id']}/responses")
    for path in paths:
        for content in (*NO_JSON, DEEP):
            assert editor.post(path, content=content).status_code == 422, content[:30]
        assert editor.post(path, content=b" " * 1_048_577).status_code == 413
        for nobody, status in ((signed_in(), 401), (viewer, 403)):
            assert nobody.post(path, json={}).status_code == status
    for wrong in ({"limit": 0}, {"limit": 101}, {"cursor": "none"}, {"cursor": cursors.written("x", "hostile")}):
        assert editor.get(f"{CLIENTS}/hostile/assignments", params=wrong).status_code == 422
    given = {"id": "taken", "answers": {}}
    assert editor.post(f"{CLIENTS}/{'x' * 2049}/assignments", json=SERIES).status_code == 422
    checkins.client.put_item(TableName="form-responses", Item={"id": {"S": "taken"}})
    assert editor.post(paths[1], json=given).status_code == 409
    assert rows(checkins) == {**before, "form-responses": before["form-responses"] + 1}


def test_without_its_index_the_legacy_way_asks_to_wait(editor: Any, connections: Any) -> None:
    from include.migrations.checkins import sample
    from trueup_airflow.api import stores

    with fastest_engine() as engine:
        for table in sample.TABLES:
            sample._create(store_at(engine.endpoint).client, table)
        connections("checkins_dynamodb", engine.endpoint)
        stores.forget()
        (base,) = begun(editor, "early")
        for answer in (editor.get(f"{CLIENTS}/early/assignments"), sent(editor, "early", base["id"])):
            assert answer.status_code == 503
            assert json.loads(answer.text)["type"].endswith(":index-missing")
            assert answer.headers["Retry-After"]
    stores.forget()
