"""Options and windows: what a run may be asked for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from include.trueup.errors import OptionsError
from include.trueup.run import MAX_ID, Mode, Options, Window, run_id


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("partitions", 0),
        ("partitions", 257),
        ("segments", 0),
        ("segments", 257),
        ("write_rate", 0),
        ("write_rate", -1.5),
        ("max_reject_share", -0.01),
        ("max_reject_share", 1.01),
        ("max_rejects", -1),
        ("max_critical", -1),
    ],
)
def test_an_option_out_of_bounds_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(OptionsError, match=f"{option} is {value}"):
        Options(**{option: value})


def test_options_survive_json() -> None:
    window = Window.parse("2025-01-01T00:00:00+02:00", "2025-01-02")
    options = Options(mode=Mode.PLAN, partitions=3, window=window, write_rate=10.5, max_rejects=2)
    assert Options.from_json(options.to_json()) == options
    assert Options.from_json(Options().to_json()) == Options()


def test_a_date_is_its_midnight_utc() -> None:
    window = Window.parse("2025-01-01", "2025-01-02")
    assert window is not None
    assert window.start.isoformat() == "2025-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2025-01-01", None, "both"),
        (None, "2025-01-01", "both"),
        ("2025-01-02", "2025-01-02", "empty"),
        ("2025-01-03", "2025-01-02", "empty"),
        ("2025-01-01T00:00:00", "2025-01-02", "time zone"),
        ("yesterday", "today", "ISO 8601"),
    ],
)
def test_a_window_that_means_nothing_is_refused(start: str | None, end: str | None, said: str) -> None:
    with pytest.raises(OptionsError, match=said):
        Window.parse(start, end)


def test_no_window_is_the_whole_table() -> None:
    assert Window.parse(None, None) is None
    assert Window.parse("", "") is None


def test_a_plain_id_stays_as_it_is() -> None:
    assert run_id("kpi_linking", "audit-1") == "kpi_linking--audit-1"


def test_a_run_id_is_a_harmless_folder_name() -> None:
    for text in ("manual__2026-11-20T10:00:00+00:00", "../../etc", "..", "a/b\\c", "x\n", "é" * 90, "a" * 250):
        made = run_id("kpi_linking", text)
        assert re.fullmatch(r"kpi_linking--[A-Za-z0-9_.-]*-[0-9a-f]{8}", made)
        assert len(made) <= MAX_ID


def test_two_runs_of_airflow_never_have_one_id() -> None:
    odd = [
        "audit:1",
        "audit+1",
        "audit~1",
        "audit-1",
        "audit_1",
        "audit.1",
        "Audit-1",
        "AUDIT-1",
        "audit-1\n",
        "audit-1-",
    ]
    odd += [run_id("m", text).removeprefix("m--") for text in odd] + ["a" * 300, "a" * 301, "b--c"]
    pairs = [("m", text) for text in odd] + [("m--b", "c"), ("m-", "b"), ("m", "-b"), ("M", "audit-1")]
    # also where names of folders know no case
    assert len({run_id(*pair).lower() for pair in pairs}) == len(set(pairs))
