"""The DynamoDB store against an endpoint that fails: nothing lost, nothing doubled, and an end to trying."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pytest

from include.trueup.declare.migration import Table
from include.trueup.errors import StoreRejectedError, StoreUnavailableError
from include.trueup.stores import Outcome
from tests.contract.subject import arrow, by_key
from tests.harness import store_at

from .proxy import (
    Answer,
    Forward,
    Proxy,
    Request,
    ResetError,
    Rule,
    error,
    forwards,
    ok,
    page_of_a_load_balancer,
    read_only,
    refused,
)
from .rows import TIMEOUT, row, store_behind, stored

pytestmark = pytest.mark.usefixtures("short_pauses")


# what does not depend on what a request asks for


def reset(request: Request, forward: Forward) -> Answer:
    raise ResetError


def reset_when_done(request: Request, forward: Forward) -> Answer:
    forward(request)
    raise ResetError


def silence(request: Request, forward: Forward) -> Answer:
    time.sleep(TIMEOUT + 0.1)
    raise ResetError


def wrong_checksum(request: Request, forward: Forward) -> Answer:
    answer = forward(request)
    return Answer(body=answer.body, headers={"x-amz-crc32": "1"})


def cut_short(request: Request, forward: Forward) -> Answer:
    answer = forward(request)
    return Answer(body=answer.body[:-1], headers={"Content-Length": str(len(answer.body)), "Connection": "close"})


PASSING = {
    "ProvisionedThroughputExceeded": refused("ProvisionedThroughputExceededException"),
    "Throttling": refused("ThrottlingException"),
    "RequestLimitExceeded": refused("RequestLimitExceeded"),
    "TransactionInProgress": refused("TransactionInProgressException"),
    "InternalServerError": refused("InternalServerError", 500),
    "a load balancer's page": page_of_a_load_balancer,
    "reset before": reset,
    "reset after": reset_when_done,
    "timeout": silence,
    "wrong checksum": wrong_checksum,
    "cut short": cut_short,
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_passes_is_retried_until_all_is_done(fault: Rule, proxy: Proxy, engine: str, table: Table) -> None:
    """Every operation meets the fault at its first request and at every fourth."""
    proxy.rule = lambda request, forward: (fault if request.number % 4 == 1 else forwards)(request, forward)
    store, outcomes = store_behind(proxy), list[Outcome]()
    before, after = [row(number) for number in range(60)], [row(number, label="new") for number in range(60)]

    assert store.create(table) is False
    outcomes += [store.add(table, arrow(table, before)), store.add(table, arrow(table, before))]
    outcomes.append(store.change(table, arrow(table, after[:12]), arrow(table, before[:12])))
    outcomes.append(store.remove(table, arrow(table, before[50:])))

    expected = by_key(table, arrow(table, after[:12] + before[12:50]))
    assert [(outcome.written, outcome.conflicts) for outcome in outcomes] == [(60, []), (60, []), (12, []), (10, [])]
    assert all(outcome.retries for outcome in outcomes)
    assert by_key(table, pa.Table.from_batches(store.read(table, 0, 1))) == expected
    assert by_key(table, store.get(table, arrow(table, before).select(["id"]))) == expected
    assert stored(engine, table) == expected


def half_of_the_statements(request: Request, forward: Forward) -> Answer:
    """Every second statement of a batch fails, in one of the ways that AWS names."""
    if request.operation != "BatchExecuteStatement" or len(request.json["Statements"]) < 2:
        return forward(request)
    codes = itertools.cycle(
        ("ProvisionedThroughputExceeded", "ThrottlingError", "InternalServerError", "TransactionConflict")
    )
    carried_out = iter(forward(request.having(Statements=request.json["Statements"][::2])).json["Responses"])
    responses = [
        {"Error": {"Code": next(codes), "Message": "injected"}} if position % 2 else next(carried_out)
        for position in range(len(request.json["Statements"]))
    ]
    return ok(Responses=responses)


def half_of_the_keys(request: Request, forward: Forward) -> Answer:
    """A BatchGetItem leaves half of its keys unprocessed."""
    if request.operation != "BatchGetItem":
        return forward(request)
    ((name, asked),) = request.json["RequestItems"].items()
    half = len(asked["Keys"]) // 2
    answer = forward(request.having(RequestItems={name: {**asked, "Keys": asked["Keys"][half:]}}))
    return ok(**answer.json | ({"UnprocessedKeys": {name: {**asked, "Keys": asked["Keys"][:half]}}} if half else {}))


@pytest.mark.parametrize("rule", [half_of_the_statements, half_of_the_keys])
def test_what_was_left_unprocessed_is_asked_for_again(rule: Rule, proxy: Proxy, engine: str, table: Table) -> None:
    proxy.rule = rule
    store, rows = store_behind(proxy), arrow(table, [row(number) for number in range(130)])
    first, second = store.add(table, rows), store.add(table, rows)
    assert (first.written, second.written) == (130, 130)
    assert first.retries + second.retries > 5
    assert by_key(table, store.get(table, rows.select(["id"]))) == stored(engine, table) == by_key(table, rows)


def test_slow_progress_is_progress(proxy: Proxy, engine: str, table: Table) -> None:
    """One row a request gets through: more failures than attempts, but never that many in a row."""

    def one_at_a_time(request: Request, forward: Forward) -> Answer:
        if request.operation != "BatchExecuteStatement":
            return forward(request)
        first, *rest = request.json["Statements"]
        (done,) = forward(request.having(Statements=[first])).json["Responses"]
        throttled = {"Error": {"Code": "ProvisionedThroughputExceeded", "Message": "injected"}}
        return ok(Responses=[done, *(throttled for _ in rest)])

    proxy.rule = one_at_a_time
    rows = arrow(table, [row(number) for number in range(26)])
    outcome = store_behind(proxy).add(table, rows)
    assert (outcome.written, outcome.retries) == (26, 24)
    assert stored(engine, table) == by_key(table, rows)


def test_every_read_is_consistent_and_every_page_limited(proxy: Proxy, table: Table) -> None:
    store, rows = store_behind(proxy), arrow(table, [row(number) for number in range(3)])
    for _ in range(2):
        store.add(table, rows)
    store.remove(table, rows.slice(1))
    store.get(table, rows.select(["id"]))
    list(store.read(table, 1, 2))
    scans = [request.json for request in proxy.requests if request.operation == "Scan"]
    gets = [
        request.json["RequestItems"][table.name] for request in proxy.requests if request.operation == "BatchGetItem"
    ]
    assert len(scans) >= 1
    assert len(gets) >= 3
    assert all(each["ConsistentRead"] for each in scans + gets)
    assert all(0 < each["Limit"] <= 2_000 for each in scans)


def test_throttling_without_end_is_unavailable_and_the_work_done_is_kept(
    proxy: Proxy, engine: str, table: Table
) -> None:
    def throttled(request: Request, forward: Forward) -> Answer:
        late = request.operation == "BatchExecuteStatement" and request.number > 3
        return error("ProvisionedThroughputExceededException") if late else forward(request)

    proxy.rule = throttled
    store, rows = store_behind(proxy), [row(number) for number in range(200)]
    with pytest.raises(
        StoreUnavailableError, match=rf"BatchExecuteStatement.*{table.name}.*ProvisionedThroughput.*kept"
    ):
        store.add(table, arrow(table, rows))
    kept = stored(engine, table)
    assert 0 < len(kept) < len(rows)
    assert proxy.count("BatchExecuteStatement") == 3 + 8

    proxy.rule = forwards
    assert store.add(table, arrow(table, rows)).written == 200
    assert stored(engine, table) == by_key(table, arrow(table, rows))


def test_statements_throttled_without_end_are_unavailable(proxy: Proxy, engine: str, table: Table) -> None:
    def throttled(request: Request, forward: Forward) -> Answer:
        if request.operation != "BatchExecuteStatement":
            return forward(request)
        failed = {"Error": {"Code": "ProvisionedThroughputExceeded", "Message": "injected"}}
        return ok(Responses=[failed for _ in request.json["Statements"]])

    proxy.rule = throttled
    with pytest.raises(StoreUnavailableError, match=f"25 rows left unwritten.*{table.name}|{table.name}.*25 rows left"):
        store_behind(proxy).add(table, arrow(table, [row(number) for number in range(40)]))
    assert len(stored(engine, table)) == 1


@pytest.mark.parametrize("operation", ["change", "remove"])
def test_rows_written_one_by_one_are_over_when_one_fails(
    operation: str, proxy: Proxy, engine: str, table: Table
) -> None:
    """When the error is raised nothing is under way any more, so that nothing changes after it."""

    def first_refused(request: Request, forward: Forward) -> Answer:
        first = request.json.get("Key", {}).get("id", {}).get("S") == "id-000"
        return error("AccessDeniedException") if first else forward(request)

    before, after = [row(number) for number in range(60)], [row(number, label="new") for number in range(60)]
    store_at(engine).add(table, arrow(table, before))
    proxy.rule = first_refused
    store = store_behind(proxy)
    write: Callable[[], Outcome] = {
        "change": lambda: store.change(table, arrow(table, after), arrow(table, before)),
        "remove": lambda: store.remove(table, arrow(table, before)),
    }[operation]
    with pytest.raises(StoreRejectedError, match=table.name):
        write()
    asked, kept = len(proxy.requests), stored(engine, table)
    time.sleep(0.2)
    assert (len(proxy.requests), stored(engine, table)) == (asked, kept)


def test_an_endpoint_that_is_not_there_is_unavailable(table: Table) -> None:
    store = store_at("http://127.0.0.1:9", connect_timeout=TIMEOUT)
    with pytest.raises(StoreUnavailableError, match=f"Scan.*{table.name}.*kept"):
        list(store.read(table, 0, 1))


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "Surprise"])
def test_what_cannot_pass_is_refused_at_once(code: str, proxy: Proxy, engine: str, table: Table) -> None:
    proxy.rule = refused(code)
    with pytest.raises(StoreRejectedError, match=f"{table.name}.*injected by a test"):
        store_behind(proxy).add(table, arrow(table, [row(number) for number in range(100)]))
    assert len(proxy.requests) == 1
    assert stored(engine, table) == {}


@pytest.mark.parametrize("code", ["AccessDenied", "ResourceNotFound"])
def test_a_statement_that_cannot_pass_is_refused_at_once(code: str, proxy: Proxy, table: Table) -> None:
    def one_bad(request: Request, forward: Forward) -> Answer:
        if request.operation != "BatchExecuteStatement":
            return forward(request)
        return ok(Responses=[{}] * 7 + [{"Error": {"Code": code, "Message": "injected"}}] + [{}] * 17)

    proxy.rule = one_bad
    with pytest.raises(StoreRejectedError, match=f"id-008.*{table.name}.*{code}"):
        store_behind(proxy).add(table, arrow(table, [row(number) for number in range(26)]))
    assert proxy.count("BatchExecuteStatement") == 1


@pytest.mark.parametrize("code", ["ValidationException", "ItemCollectionSizeLimitExceededException"])
def test_a_row_that_is_refused_stops_no_other(code: str, proxy: Proxy, engine: str, table: Table) -> None:
    def one_bad(request: Request, forward: Forward) -> Answer:
        if request.operation == "PutItem":
            return error(code) if request.json["Item"]["id"]["S"] == "id-030" else forward(request)
        if request.operation != "BatchExecuteStatement":
            return forward(request)
        statements = request.json["Statements"]
        good = [each for each in statements if {"S": "id-030"} not in each["Parameters"]]
        answers = iter(forward(request.having(Statements=good)).json["Responses"])
        bad = {"Error": {"Code": code.removesuffix("Exception"), "Message": "injected"}}
        return ok(Responses=[next(answers) if each in good else bad for each in statements])

    proxy.rule = one_bad
    outcome = store_behind(proxy).add(table, arrow(table, [row(number) for number in range(60)]))
    assert (outcome.written, [refused.key for refused in outcome.refused]) == (59, ["id-030"])
    assert code.removesuffix("Exception") in outcome.refused[0].reason
    assert len(stored(engine, table)) == 59


def test_a_put_that_cannot_pass_is_refused_with_the_rows_key(proxy: Proxy, engine: str, table: Table) -> None:
    """Such a row is no INSERT's fault: it is put, and the store says what is wrong with it."""
    outcome = store_behind(proxy).add(
        table, arrow(table, [row(number, label="" if number == 30 else "x") for number in range(60)])
    )
    assert (outcome.written, [refused.key for refused in outcome.refused]) == (59, ["id-030"])
    assert re.search(f"PutItem.*{table.name}.*Validation.*id-030", outcome.refused[0].reason)
    assert len(stored(engine, table)) == 59
    assert proxy.count("PutItem") == 2  # the first row's, and the bad one's


def test_credentials_that_may_only_read_write_nothing(proxy: Proxy, engine: str, table: Table) -> None:
    rows = arrow(table, [row(number) for number in range(30)])
    store_at(engine).add(table, rows.slice(0, 20))
    before = stored(engine, table)
    proxy.rule = read_only
    store = store_behind(proxy)
    new = replace(table, name="not-there")
    for write in (
        lambda: store.create(new),
        lambda: store.add(table, rows),
        lambda: store.change(table, arrow(table, [row(1, label="new")]), arrow(table, [row(1)])),
        lambda: store.remove(table, rows),
    ):
        with pytest.raises(StoreRejectedError, match="AccessDenied"):
            write()
    assert set(proxy.forwarded) <= {"BatchGetItem"}
    assert store.describe(table) is not None
    assert by_key(table, pa.Table.from_batches(store.read(table, 0, 1))) == before == stored(engine, table)
