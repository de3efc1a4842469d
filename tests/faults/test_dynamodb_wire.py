"""How the DynamoDB store waits between tries, and signs what it sends."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from include.trueup.declare.migration import Table
from include.trueup.errors import StoreRejectedError, StoreUnavailableError
from include.trueup.stores.dynamodb import DynamoDBStore, client, wire
from include.trueup.stores.effects import Effects
from tests.harness import store_at

from .proxy import (
    Proxy,
    refused,
)

pytestmark = pytest.mark.usefixtures("short_pauses")


def test_pauses_grow_with_jitter_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "FIRST_PAUSE_SECONDS", 0.05)
    pauses: list[float] = []
    for _ in range(200):
        backoff = wire.Backoff(16, Effects(sleep=pauses.append))
        for _ in range(15):
            backoff.pause("Scan", "t", "it throttled")
        with pytest.raises(StoreUnavailableError, match="16 attempts"):
            backoff.pause("Scan", "t", "it throttled")
    tries = [pauses[number::15] for number in range(15)]
    for number, each in enumerate(tries):
        bound = min(20.0, 0.05 * 2 ** (number + 1))
        assert 0 <= min(each) < bound / 10
        assert bound * 0.9 < max(each) <= bound


def test_progress_counts_failures_anew() -> None:
    backoff = wire.Backoff(3, Effects(sleep=lambda seconds: None))
    for _ in range(10):
        backoff.pause("Scan", "t", "it throttled")
        backoff.progress()


@pytest.mark.parametrize(("configured", "attempts"), [(None, 8), ({"max_attempts": 2}, 8), ({"max_attempts": 10}, 11)])
def test_the_clients_number_of_attempts_is_used(
    configured: dict[str, int] | None, attempts: int, proxy: Proxy, table: Table
) -> None:
    proxy.rule = refused("ThrottlingException")
    with pytest.raises(StoreUnavailableError, match=f"{attempts} attempts"):
        store_at(proxy.endpoint, **({"retries": configured} if configured else {})).describe(table)
    assert len(proxy.requests) == attempts


def test_requests_are_signed_with_the_clients_credentials(proxy: Proxy, table: Table) -> None:
    """Checked by a second implementation of AWS's Signature Version 4, on what went over the wire."""
    made = client(
        endpoint_url=proxy.endpoint,
        region_name="eu-west-3",
        aws_access_key_id="AKID",
        aws_secret_access_key="SECRET",
        aws_session_token="TOKEN",
    )
    DynamoDBStore(made).describe(table)
    sent = {name.lower(): value for name, value in proxy.requests[0].headers.items()}
    day, scope = sent["x-amz-date"][:8], f"{sent['x-amz-date'][:8]}/eu-west-3/dynamodb/aws4_request"
    signed = sent["authorization"].split("SignedHeaders=")[1].split(",")[0]
    headers = "".join(f"{name}:{sent[name]}\n" for name in signed.split(";"))
    canonical = f"POST\n/\n\n{headers}\n{signed}\n{hashlib.sha256(proxy.requests[0].body).hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{sent['x-amz-date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4SECRET"
    for part in (day, "eu-west-3", "dynamodb", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    assert sent["authorization"].endswith(f"Signature={signature}")
    assert {"host", "x-amz-date", "x-amz-target", "x-amz-security-token"} <= set(signed.split(";"))
    assert (sent["x-amz-security-token"], f"Credential=AKID/{scope}" in sent["authorization"]) == ("TOKEN", True)


def test_without_credentials_nothing_is_sent(proxy: Proxy, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    made = client(
        endpoint_url=proxy.endpoint, region_name="us-east-1", aws_access_key_id=None, aws_secret_access_key=None
    )
    with pytest.raises(StoreRejectedError, match="no AWS credentials"):
        DynamoDBStore(made).describe(table)
    assert proxy.requests == []
