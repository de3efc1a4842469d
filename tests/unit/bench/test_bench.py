"""The benchmark compares what is the same: its contestants leave the same rows, and its measures measure."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import data, peers, reads
from bench.contestant import contest
from bench.measure import Fingerprint, Measured, Step, cpu_of, fingerprint, fingerprints
from bench.results import ratios, results, without_import
from bench.trueup_run import IMPORT
from include.migrations.kpi_linking import sample
from tests.harness import fastest_engine

DRIVING = 250
NAMES = {target.name for target in data.TARGETS}


def left_by(name: str, **more: str) -> dict[str, Fingerprint]:
    """What a contestant leaves in the new tables; it says how many rows that is."""
    with fastest_engine() as engine:
        data.fill(engine.endpoint, DRIVING, targets=name != "c")
        said = contest(name, engine.endpoint, **more)
        found = fingerprints(engine.endpoint)
    assert said["rows"] == sum(table.rows for table in found.values())
    assert said["peak_bytes"] > 10_000_000
    return found


@pytest.mark.slow
def test_the_three_contestants_leave_the_same_rows(ledger_uri: str, tmp_path: Path) -> None:
    script = left_by("b")
    assert script.keys() == NAMES
    assert all(table.rows > DRIVING / 20 for table in script.values())
    assert left_by("a") == script
    assert left_by("c", ledger=ledger_uri, workspace=str(tmp_path / "workspace")) == script


def test_the_rows_are_the_clean_ones_and_a_smaller_number_is_a_prefix() -> None:
    small, large = list(data.rows(500)), list(data.rows(2_000))
    assert large[: len(small)] == small
    kpis = {item["kpi_id"]["S"] for _, item in small if "kpi_id" in item}
    assert sum(item.get("kpi_id", {}).get("S") in kpis for _, item in large) == sum(
        "kpi_id" in item for _, item in small
    )
    driving = [item for table, item in large if table not in ("purposepath-kpis", "purposepath-people")]
    assert 2_000 <= len(driving) < 2_100
    assert {item["tenant_id"]["S"].partition("-")[0] for _, item in large} == set(sample.TENANTS)


def test_a_further_link_gets_a_derived_id_and_a_taken_id_is_left() -> None:
    row = {"id": "row", "tenant_id": "acorn", "target_value": None}
    table = "purposepath-kpi-milestones"
    first, second = peers.new_rows(table, row, ["first", "second"], taken=set())
    assert (first["id"], first["kpi_link_id"], second["kpi_link_id"]) == ("row", "first", "second")
    assert second["id"] == "0ab63d30-e823-55e9-a3e3-89941278202a"
    assert "post_value" not in first
    (left,) = peers.new_rows(table, row, ["second"], taken={"row"})
    assert left["id"] == second["id"]


def test_a_fingerprint_knows_content_and_not_order_or_notation() -> None:
    rows = [{"id": {"S": name}, "weight": {"N": weight}} for name, weight in (("a", "1.50"), ("b", "2"))]
    plain = [{"weight": {"N": "1.5"}, "id": {"S": "a"}}, {"id": {"S": "b"}, "weight": {"N": "2.0"}}]
    assert fingerprint(rows) == fingerprint(reversed(plain))
    assert fingerprint(rows).rows == 2
    others = [{**rows[0], "weight": {"N": "1.51"}}, {**rows[0], "weight": {"S": "1.5"}}, {**rows[0], "more": {"S": ""}}]
    assert len({fingerprint([other, rows[1]]).sha256 for other in [rows[0], *others]}) == 4
    swapped = [{**rows[0], "id": rows[1]["id"]}, {**rows[1], "id": rows[0]["id"]}]
    assert fingerprint(swapped).sha256 != fingerprint(rows).sha256


def test_cpu_time_is_that_of_a_process_and_its_children() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert 0.3 <= cpu_of(process.pid) < 3
        process.communicate(b"\n")


def measured(name: str, **more: object) -> Measured:
    figures = dict.fromkeys(("driving", "source_rows", "rows"), 1_000) | dict.fromkeys(
        ("store_cpu", "ledger_cpu", "other_cpu"), 0.1
    )
    return replace(
        Measured(**figures, name=name, wall=4.0, client_cpu=2.0, peak_bytes=100 << 20, found={}),  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )


def test_results_show_the_figures_and_their_ratios() -> None:
    steps = (Step(name=IMPORT, wall=1.0, cpu=0.5), Step(name="plan", wall=1.0, cpu=0.5))
    c = measured("c", wall=2.0, client_cpu=1.0, steps=steps, parts="3 partitions")
    found = {"a": measured("a", rows=100, wall=2.0), "b": measured("b"), "c": c}
    assert (without_import(c).wall, without_import(c).client_cpu) == (1.0, 0.5)
    assert ratios(found) == [
        "wall time, (c) to (b): 0.50 (without the import 0.25)",
        "client CPU, (c) to (b): 0.50 (without the import 0.25)",
        "rows a second, (c) to (a): 10.0",
    ]
    text = results(found, measured("c", source_rows=10_000, peak_bytes=120 << 20), ["a machine"], ["--memory"])
    for part in (
        "`python -m bench --memory` on ",
        "- a machine",
        "| 500 |",
        "| 2,000 µs |",
        "| plan | 1.00 s | 0.50 s |",
    ):
        assert part in text
    assert "is 1.20 times as much over 10.0 times the rows" in text


@pytest.mark.parametrize("only", ["b,d", ""])
def test_an_unknown_contestant_is_refused(only: str, capsys: pytest.CaptureFixture[str]) -> None:
    from bench.__main__ import main

    with pytest.raises(SystemExit):
        main(["--only", only])
    assert "there is no contestant" in capsys.readouterr().err


def test_contestants_that_differ_are_named(tmp_path: Path) -> None:
    from bench.__main__ import _differing

    one = {"table": Fingerprint(rows=1, sha256="0")}
    other = {"table": Fingerprint(rows=1, sha256="1")}
    same = {"b": [measured("b", found=one)], "c": [measured("c", found=one)]}
    assert _differing(same, tmp_path) == ""
    assert _differing({**same, "c": [measured("c", found=other)]}, tmp_path) == "(b), (c)"


def test_reads_take_turns_and_are_said_as_ratios() -> None:
    asked: list[str] = []
    names = (reads.NEW, reads.KEPT, reads.ALONE, reads.CHECKINS)
    ways = [
        reads.Way(name=name, shape=shape, read=asked.append, ids=(f"{name} {shape}",))
        for name in names
        for shape in (reads.BEFORE, reads.AFTER)
    ]
    reads.measure(ways, 2 * reads.ROUNDS)
    assert [len(way.seconds) for way in ways] == [2 * reads.ROUNDS] * 8
    assert asked[14:18] == [ways[0].ids[0]] * 4, (
        "the round that warms up begins with the last one, the next with the first"
    )
    for number, way in enumerate(ways):
        way.seconds[:] = [0.001 * (8 - number)] * 10
    text = reads.results(ways, ["--write"])
    assert f"| {reads.KEPT} | 6.00 | 5.00 | 6.00 | 5.00 | 1.20 |" in text
    assert "(p50): 1.33 before, 1.40 after." in text
    assert "one row: 1.60." in text
