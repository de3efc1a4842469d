"""Making a DynamoDB table where that takes its time, or where not everything can be had."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from include.trueup.declare.migration import Table
from include.trueup.errors import StoreRejectedError, StoreUnavailableError
from include.trueup.stores.dynamodb import tables
from tests.harness import store_at

from .proxy import Answer, Forward, Proxy, Request, Rule, error, ok
from .rows import store_behind

pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.fixture
def new(table: Table) -> Table:
    """A table that does not exist yet."""
    return replace(table, name=f"{table.name}-new")


def slowly(until: int, table_status: str, index_status: str) -> Rule:
    """An endpoint on which the table is not ready before the DescribeTable of that number."""

    def rule(request: Request, forward: Forward) -> Answer:
        answer = forward(request)
        if request.operation != "DescribeTable" or request.number >= until:
            return answer
        described = answer.json
        described["Table"]["TableStatus"] = table_status
        described["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"] = index_status
        return Answer(body=json.dumps(described).encode())

    return rule


@pytest.mark.parametrize(("table_status", "index_status"), [("CREATING", "CREATING"), ("ACTIVE", "CREATING")])
def test_a_new_table_is_waited_for(table_status: str, index_status: str, proxy: Proxy, new: Table) -> None:
    proxy.rule = slowly(4, table_status, index_status)
    assert store_behind(proxy).create(new) is True
    assert proxy.count("DescribeTable") == 4


def test_a_table_that_is_never_ready_is_unavailable(proxy: Proxy, new: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ACTIVE_SECONDS", 0.3)
    proxy.rule = slowly(1_000, "CREATING", "CREATING")
    with pytest.raises(StoreUnavailableError, match=f"{new.name}.*CREATING"):
        store_behind(proxy).create(new)


def test_recovery_is_asked_for_until_backups_are_set_up(
    proxy: Proxy, new: Table, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tables, "RECOVERY_PAUSE_SECONDS", 0.01)

    def not_yet(request: Request, forward: Forward) -> Answer:
        if request.operation != "UpdateContinuousBackups":
            return forward(request)
        assert request.json["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        return error("ContinuousBackupsUnavailableException") if request.number < 3 else ok()

    proxy.rule = not_yet
    with caplog.at_level(logging.WARNING):
        assert store_behind(proxy).create(new) is True
    assert (proxy.count("UpdateContinuousBackups"), caplog.messages) == (3, [])


@pytest.mark.parametrize("code", ["UnknownOperationException", "UnsupportedOperationException"])
def test_an_endpoint_without_recovery_is_warned_about(
    code: str, proxy: Proxy, new: Table, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.rule = lambda request, forward: error(code) if "Backups" in request.operation else forward(request)
    with caplog.at_level(logging.WARNING):
        assert store_behind(proxy).create(new) is True
    assert len(caplog.messages) == 1
    assert f"{new.name!r} is without point-in-time recovery" in caplog.text


def test_recovery_that_is_not_allowed_is_refused(proxy: Proxy, new: Table) -> None:
    proxy.rule = lambda request, forward: (
        error("AccessDeniedException") if "Backups" in request.operation else forward(request)
    )
    with pytest.raises(StoreRejectedError, match=f"UpdateContinuousBackups.*{new.name}.*AccessDenied"):
        store_behind(proxy).create(new)


def test_a_table_that_was_there_keeps_its_settings_and_is_warned_about(
    proxy: Proxy, engine: str, table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    off = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"}}
    proxy.rule = lambda request, forward: (
        ok(ContinuousBackupsDescription=off) if "Backups" in request.operation else forward(request)
    )
    store_at(engine).create(table)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert store_behind(proxy).create(table) is False
    assert "was there already, is without point-in-time recovery" in caplog.text
    assert proxy.count("UpdateContinuousBackups") == 0
