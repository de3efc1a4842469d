"""The DynamoDB store where INSERT cannot be used, and where somebody else writes at the same time."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from include.trueup.declare.migration import Table
from include.trueup.declare.names import EXTRA
from include.trueup.stores import Outcome
from include.trueup.stores.dynamodb import DynamoDBStore
from tests.contract.subject import Row, arrow, by_key
from tests.harness import store_at

from .proxy import (
    Answer,
    Forward,
    Proxy,
    Request,
    Rule,
    error,
    ok,
    page_of_a_load_balancer,
)
from .rows import row, store_behind, stored

pytestmark = pytest.mark.usefixtures("short_pauses")


# endpoints on which INSERT cannot be used


PARTIQL = ("BatchExecuteStatement", "ExecuteTransaction")


def unknown(request: Request, forward: Forward) -> Answer:
    return error("UnknownOperationException") if request.operation in PARTIQL else forward(request)


def not_allowed(request: Request, forward: Forward) -> Answer:
    return error("AccessDeniedException") if request.operation in PARTIQL else forward(request)


def not_allowed_in_batches(request: Request, forward: Forward) -> Answer:
    return error("AccessDeniedException") if request.operation == PARTIQL[0] else forward(request)


def broken(request: Request, forward: Forward) -> Answer:
    return page_of_a_load_balancer(request, forward) if request.operation in PARTIQL else forward(request)


def cancelled(*codes: str) -> Answer:
    """The answer to a transaction that is cancelled for these reasons."""
    body = {**error("TransactionCanceledException").json, "CancellationReasons": [{"Code": code} for code in codes]}
    return Answer(status=400, body=json.dumps(body).encode())


def insert_overwrites(request: Request, forward: Forward) -> Answer:
    """An engine whose INSERT replaces the row that is there."""
    if request.operation == "ExecuteTransaction":
        return cancelled("None", "ConditionalCheckFailed")
    if request.operation != "BatchExecuteStatement":
        return forward(request)
    for statement in request.json["Statements"]:
        name = statement["Statement"].split('"')[1]
        attributes = [part.split("'")[1] for part in statement["Statement"].split("{")[1].split(",")]
        item = dict(zip(attributes, statement["Parameters"], strict=True))
        put = {"TableName": name, "Item": item}
        headers = {**request.headers, "X-Amz-Target": "DynamoDB_20120810.PutItem"}
        forward(Request(operation="PutItem", number=0, headers=headers, body=json.dumps(put).encode()))
    return ok(Responses=[{} for _ in request.json["Statements"]])


@pytest.mark.parametrize("rule", [unknown, not_allowed, not_allowed_in_batches, broken, insert_overwrites])
def test_rows_are_put_one_by_one_where_insert_does_not_serve(
    rule: Rule, proxy: Proxy, engine: str, table: Table
) -> None:
    theirs = [row(number, label="theirs") for number in (0, 5, 40)]
    store_at(engine).add(table, arrow(table, theirs))
    proxy.rule = rule
    store, ours = store_behind(proxy), arrow(table, [row(number) for number in range(60)])
    for _ in range(2):
        outcome = store.add(table, ours)
        assert (outcome.written, len(outcome.conflicts)) == (57, 3)
    assert stored(engine, table) == by_key(table, ours) | by_key(table, arrow(table, theirs))
    assert proxy.count("BatchExecuteStatement") <= 3  # found out once, and remembered


def test_what_somebody_deletes_while_insert_is_tried_stays_deleted(proxy: Proxy, engine: str, table: Table) -> None:
    """Finding out whether INSERT refuses a key that is there writes nothing, though the key is gone by then."""
    other, first = store_at(engine), arrow(table, [row(0)])

    def deleting(request: Request, forward: Forward) -> Answer:
        if request.operation == "ExecuteTransaction" and request.number == 1:
            other.remove(table, first)
        return forward(request)

    proxy.rule = deleting
    store, ours = store_behind(proxy), arrow(table, [row(number) for number in range(60)])
    store.add(table, ours)
    assert stored(engine, table) == by_key(table, ours.slice(1))
    assert proxy.count("BatchExecuteStatement") == 0  # not known yet
    assert store.add(table, ours).written == 60
    assert store.add(table, arrow(table, [row(number) for number in range(60, 90)])).written == 30
    assert proxy.count("BatchExecuteStatement") > 0


@pytest.mark.parametrize("busy", [error("ThrottlingException"), cancelled("ThrottlingError", "None")])
def test_a_busy_table_does_not_turn_batches_off(busy: Answer, proxy: Proxy, table: Table) -> None:
    proxy.rule = lambda request, forward: (
        busy if request.operation == "ExecuteTransaction" and request.number <= 3 else forward(request)
    )
    store, rows = store_behind(proxy), arrow(table, [row(number) for number in range(200)])
    for start in range(0, 200, 50):
        assert store.add(table, rows.slice(start, 50)).written == 50
    assert proxy.count("BatchExecuteStatement") >= 2


def request_is_invalid(request: Request, forward: Forward) -> Answer:
    """An engine that takes no more than 5 statements a request."""
    too_many = request.operation == "BatchExecuteStatement" and len(request.json["Statements"]) > 5
    return error("ValidationException") if too_many else forward(request)


def statements_are_invalid(request: Request, forward: Forward) -> Answer:
    """An engine that finds every third statement hard to understand."""
    if request.operation != "BatchExecuteStatement" or len(request.json["Statements"]) == 1:
        return forward(request)
    statements = request.json["Statements"]
    good = [statement for number, statement in enumerate(statements) if number % 3]
    answers = iter(forward(request.having(Statements=good)).json["Responses"])
    bad = {"Error": {"Code": "ValidationError", "Message": "injected"}}
    return ok(Responses=[next(answers) if number % 3 else bad for number in range(len(statements))])


@pytest.mark.parametrize("rule", [request_is_invalid, statements_are_invalid])
def test_rows_that_insert_does_not_take_are_put(rule: Rule, proxy: Proxy, engine: str, table: Table) -> None:
    theirs = [row(number, label="theirs") for number in (3, 4, 40)]
    store_at(engine).add(table, arrow(table, theirs))
    proxy.rule = rule
    store, ours = store_behind(proxy), arrow(table, [row(number) for number in range(60)])
    for _ in range(2):
        outcome = store.add(table, ours)
        assert (outcome.written, len(outcome.conflicts)) == (57, 3)
    assert stored(engine, table) == by_key(table, ours) | by_key(table, arrow(table, theirs))


# somebody else writes at the same time


def between(operation: str, write: Callable[[], object]) -> Rule:
    """A rule by which somebody writes just before the next request of that operation is carried out, once."""
    writes = [write]

    def rule(request: Request, forward: Forward) -> Answer:
        if request.operation == operation and writes:
            writes.pop()()
        return forward(request)

    return rule


NOTE = '{"note":{"S":"x"}}'


@pytest.mark.parametrize("operation", ["UpdateItem", "DeleteItem"])
@pytest.mark.parametrize(
    "theirs",
    [{"label": "theirs"}, {"amount": "9"}, {"more": '{"a":{"N":"2"}}'}, {"more": None}, {EXTRA: '{"note":{"S":"y"}}'}],
    ids=["what we change", "what was null", "a map", "what is null now", "what is undeclared"],
)
def test_a_row_changed_between_read_and_write_is_left_alone(
    operation: str, theirs: Row, proxy: Proxy, engine: str, table: Table
) -> None:
    other, was = store_at(engine), row(1, amount=None, _extra=NOTE)
    other.add(table, arrow(table, [was, row(2)]))
    changed = arrow(table, [{**was, **theirs}])
    proxy.rule = between(operation, lambda: other.change(table, changed, arrow(table, [was])))
    store = store_behind(proxy)
    if operation == "UpdateItem":
        outcome = store.change(table, arrow(table, [{**was, "label": "ours"}]), arrow(table, [was]))
    else:
        outcome = store.remove(table, arrow(table, [was]))
    assert (outcome.written, [conflict.key for conflict in outcome.conflicts]) == (0, ["id-001"])
    assert stored(engine, table) == by_key(table, changed) | by_key(table, arrow(table, [row(2)]))


def test_a_row_added_by_somebody_else_meanwhile_is_left_alone(proxy: Proxy, engine: str, table: Table) -> None:
    store, theirs = store_behind(proxy), arrow(table, [row(7, label="theirs")])
    store.add(table, arrow(table, [row(99)]))
    proxy.rule = between("BatchExecuteStatement", lambda: store_at(engine).add(table, theirs))
    outcome = store.add(table, arrow(table, [row(number) for number in range(20)]))
    assert (outcome.written, [conflict.key for conflict in outcome.conflicts]) == (19, ["id-007"])
    assert stored(engine, table)[("id-007",)]["label"] == "theirs"


def leaves_out_once(request: Request, forward: Forward) -> Answer:
    """A store whose first answer to a BatchGetItem has no items."""
    if (request.operation, request.number) != ("BatchGetItem", 1):
        return forward(request)
    return ok(Responses={name: [] for name in request.json["RequestItems"]}, UnprocessedKeys={})


def test_a_row_that_is_not_in_one_answer_is_not_gone(proxy: Proxy, engine: str, table: Table) -> None:
    ours, changed = arrow(table, [row(1)]), arrow(table, [row(1, label="new")])
    store_at(engine).add(table, ours)  # by an earlier try, which was killed
    writes: list[Callable[[DynamoDBStore], Outcome]] = [
        lambda store: store.add(table, ours),
        lambda store: store.change(table, changed, ours),
        lambda store: store.remove(table, changed),
    ]
    for write in writes:
        proxy.rule, proxy.requests[:] = leaves_out_once, []
        outcome = write(store_behind(proxy))
        assert (outcome.written, outcome.conflicts) == (1, [])
    assert stored(engine, table) == {}


def test_a_row_that_keeps_changing_is_a_conflict_in_the_end(proxy: Proxy, engine: str, table: Table) -> None:
    other = store_at(engine)
    other.add(table, arrow(table, [row(1)]))

    def there_and_back(request: Request, forward: Forward) -> Answer:
        return error("ConditionalCheckFailedException") if request.operation == "UpdateItem" else forward(request)

    proxy.rule = there_and_back
    outcome = store_behind(proxy).change(table, arrow(table, [row(1, label="ours")]), arrow(table, [row(1)]))
    assert (outcome.written, len(outcome.conflicts)) == (0, 1)
    assert stored(engine, table) == by_key(table, arrow(table, [row(1)]))


DEEP = '{"a":{"L":[{"M":{"x y":{"S":"z"}}},{"NULL":true},{"SS":["p","q"]}]},"b":{"M":{}}}'


def no_maps(request: Request, forward: Forward) -> Answer:
    """An engine on which no map equals another."""
    values = request.json.get("ExpressionAttributeValues", {}).items()
    maps = [placeholder for placeholder, value in values if {"M", "L"} & set(value)]
    compared = [each.partition("=")[2] for each in request.json.get("ConditionExpression", "").split(" AND ")]
    return error("ConditionalCheckFailedException") if set(maps) & set(compared) else forward(request)


def test_an_engine_that_cannot_compare_maps_is_asked_member_by_member(proxy: Proxy, engine: str, table: Table) -> None:
    proxy.rule = no_maps
    before = arrow(table, [row(number, more=DEEP) for number in range(8)])
    after = arrow(table, [row(number, more=DEEP if number % 2 else None, amount="2") for number in range(8)])
    store = store_behind(proxy)
    store.add(table, before)
    assert store.change(table, after, before).written == 8
    assert stored(engine, table) == by_key(table, after)
    assert store.remove(table, after).written == 8
    assert stored(engine, table) == {}


@pytest.mark.parametrize(
    ("part", "theirs"),
    [('"z"', '"Z"'), ('{"M":{}}', '{"M":{"new":{"S":""}}}'), ('{"NULL":true},', ""), ('["p","q"]', '["p"]')],
)
def test_a_map_that_changed_in_between_is_seen_member_by_member(
    part: str, theirs: str, proxy: Proxy, engine: str, table: Table
) -> None:
    other, was, changed = store_at(engine), row(1, more=DEEP), row(1, more=DEEP.replace(part, theirs))
    other.add(table, arrow(table, [was]))

    def late(request: Request, forward: Forward) -> Answer:
        if request.operation == "DeleteItem" and request.number == 2:  # the first one compared whole maps
            other.change(table, arrow(table, [changed]), arrow(table, [was]))
        return no_maps(request, forward)

    proxy.rule = late
    outcome = store_behind(proxy).remove(table, arrow(table, [was]))
    assert (outcome.written, len(outcome.conflicts)) == (0, 1)
    assert stored(engine, table) == by_key(table, arrow(table, [changed]))
