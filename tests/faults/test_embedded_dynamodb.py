"""The DynamoDB engines that run on this machine: they start, say why they did not, keep their state, and leave nothing."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.embedded import dynamodb
from include.trueup.declare.migration import Table, Type
from include.trueup.errors import StoreUnavailableError
from tests.contract.subject import arrow
from tests.harness import store_at

TABLE = Table(name="embedded", connection="c", key=("id",), columns={"id": Type.TEXT})


def test_ministack_keeps_its_tables_in_the_state_folder(tmp_path: Path) -> None:
    for expected in (0, 1):
        with dynamodb.ministack(dynamodb.free_port(), tmp_path / "state", tmp_path / "logs" / "engine.log") as engine:
            store = store_at(engine.endpoint)
            store.create(TABLE)
            assert sum(batch.num_rows for batch in store.read(TABLE, 0, 1)) == expected
            store.add(TABLE, arrow(TABLE, [{"id": "kept"}]))
        assert engine.process.returncode is not None
        assert engine.log.is_file()


def test_without_a_state_folder_or_a_log_nothing_is_left() -> None:
    with dynamodb.ministack(dynamodb.free_port(), None) as engine:
        assert engine.log.is_file()
        assert store_at(engine.endpoint).describe(TABLE) is None
    assert not engine.log.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(engine.process.pid, 0)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    port = dynamodb.free_port()
    with dynamodb.ministack(port, None, tmp_path / "first.log"):
        with pytest.raises(StoreUnavailableError, match=f"port {port} of 127.0.0.1 is in use"):
            dynamodb.ministack(port, None, tmp_path / "second.log")


def test_a_failed_start_quotes_its_log(tmp_path: Path) -> None:
    program = tmp_path / "dynoxide"
    program.write_text("#!/bin/sh\necho no such option >&2\nexit 3\n")
    program.chmod(0o755)
    log = tmp_path / "engine.log"
    with pytest.raises(StoreUnavailableError, match=rf"exit code 3.*{log}.*no such option"):
        dynamodb.dynoxide(dynamodb.free_port(), program, log)


def test_only_a_signed_request_of_a_dynamodb_client_gets_through() -> None:
    with dynamodb.ministack(dynamodb.free_port(), None) as engine:
        host = engine.endpoint.removeprefix("http://")
        signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/dynamodb/aws4_request"}
        asked = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0", **signed}

        def status(headers: dict[str, str], path: str = "/", method: str = "POST") -> int:
            connection = http.client.HTTPConnection(host, timeout=10)
            connection.request(method, path, body=b"{}", headers=headers)
            answer = connection.getresponse()
            assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
            connection.close()
            return answer.status

        assert status(asked) == 200
        assert status({**asked, "Origin": "https://a-page.example"}) == 403
        assert status({**asked, "Host": "rebound.example:80"}) == 403
        assert status({name: value for name, value in asked.items() if name not in signed}) == 403
        assert status({**signed, "Content-Type": "text/plain"}, "/_ministack/reset") == 403
        assert status({**signed}, "/_ministack/config") == 403
        assert status({"Origin": "https://a-page.example"}, method="OPTIONS") == 403
        assert status({}, "/_ministack/health", "GET") == 403


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="only root on Linux can be another user")
def test_a_process_of_another_user_does_not_get_through() -> None:
    asks = (
        "import http.client, sys; c = http.client.HTTPConnection(sys.argv[1]); "
        "c.request('POST', '/', '{}', {'X-Amz-Target': 'DynamoDB_20120810.ListTables', "
        "'Authorization': 'AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/dynamodb/aws4_request'}); "
        "print(c.getresponse().status)"
    )
    with dynamodb.ministack(dynamodb.free_port(), None) as engine:
        command = ["/usr/bin/env", "python3", "-S", "-c", asks, engine.endpoint.removeprefix("http://")]
        answers = [
            subprocess.run(command, user=user, cwd="/", capture_output=True, text=True, check=True).stdout.strip()
            for user in ("root", "nobody")
        ]
    assert answers == ["200", "403"]
