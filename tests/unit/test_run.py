"""Options and windows: what a run may be asked for."""

from __future__ import annotations

from typing import Any

import pytest

from include.trueup.errors import OptionsError
from include.trueup.run import Mode, Options, Window, run_id


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kpi_linking--manual__2026-11-20T10:00:00+00:00", "kpi_linking--manual__2026-11-20T10-00-00-00-00"),
        ("../../etc", "-..-etc"),
        ("..", "-"),
        ("a/b\\c", "a-b-c"),
    ],
)
def test_a_run_id_is_a_harmless_folder_name(text: str, expected: str) -> None:
    assert run_id(text) == expected
