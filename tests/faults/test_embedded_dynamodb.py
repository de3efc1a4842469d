"""The DynamoDB engines that run on this machine: they start, say why they did not, keep their state, and leave nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from include.embedded import dynamodb
from include.trueup.errors import StoreUnavailableError
from include.trueup.model import Table, Type
from tests.contract.subject import arrow
from tests.engines import store_at

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
