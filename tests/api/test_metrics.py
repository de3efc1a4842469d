"""The counters of the services' routes, as Prometheus reads them, summed over processes."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from prometheus_client.parser import text_string_to_metric_families

from include.trueup.ledger import Ledger

from .conftest import client_of
from .test_results import V2, session

METRICS = "/trueup/metrics"


def values(client: Any) -> dict[str, float]:
    answer = client.get(METRICS)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-store"
    return {s.name: s.value for family in text_string_to_metric_families(answer.text) for s in family.samples}


def test_what_is_counted_is_summed_over_processes(application: Any, viewer: Any, results: str, ledger: Ledger) -> None:
    reader = client_of(application, "vera", "viewer")
    before = values(reader)
    assert before.keys() == {
        "trueup_persist_results_unified_success_total",
        "trueup_persist_results_unified_failed_total",
        "trueup_persist_results_legacy_failed_non_fatal_total",
        "trueup_results_unified_hit_total",
        "trueup_results_legacy_fallback_total",
        "trueup_results_not_found_total",
    }
    viewer.get(f"{V2}/{session()}")
    viewer.get(f"{V2}/{uuid4()}")
    ledger.usage.count({"results.not_found": 40})  # by another process
    now = values(reader)
    assert now["trueup_results_legacy_fallback_total"] == before["trueup_results_legacy_fallback_total"] + 1
    assert now["trueup_results_not_found_total"] == before["trueup_results_not_found_total"] + 41
    assert values(reader) == now


def test_it_is_for_those_who_may_read(application: Any, viewer: Any) -> None:
    assert client_of(application).get(METRICS).status_code == 401
    assert client_of(application, "nobody", None).get(METRICS).status_code == 403
