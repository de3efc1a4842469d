"""A DAG file in whose process the models that a second thread configures take four seconds to import, once: long enough
for the main thread to import models of its own meanwhile. It changes no lock and no order."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import airflow.models
from airflow.sdk import dag, task

_import: Callable[[str], Any] = airflow.models.__getattr__
_waited = threading.Event()


def _slowly(name: str) -> Any:
    if threading.current_thread() is not threading.main_thread() and not _waited.is_set():
        _waited.set()
        time.sleep(4)
    return _import(name)


vars(airflow.models)["__getattr__"] = _slowly
vars(sys.modules["__main__"])["POLL_SECONDS"] = 0.0  # the other thread looks at once


@dag(schedule=None)
def stub() -> None:
    @task
    def work() -> int:
        return 1

    work()


stub()
