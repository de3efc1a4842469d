"""What the README and its pages say is so: commands, params, tasks, files and code exist."""

from __future__ import annotations

import re
from pathlib import Path

from include.migrations.kpi_linking.migration import migration
from include.trueup.steps import steps

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str, text: str = README) -> str:
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str, title: str) -> set[str]:
    """What the first column of a section's tables names."""
    cells = (row.split("|")[0] for row in section(title, text).split("\n|")[3:])
    return {name for cell in cells for name in re.findall(r"`([a-z_]+)`", cell)}


def declared(file: str) -> list[str]:
    return re.findall(r'^        "([a-z_]+)": (?:Param\(|shared\()', file, re.M)


def test_every_param_is_described_and_no_other() -> None:
    page = (ROOT / "docs/params.md").read_text(encoding="utf-8")
    plugin = ROOT / "plugins/trueup_airflow/dags"
    forward, backward = ((plugin / file).read_text() for file in ("params.py", "rollback_params.py"))
    shared = re.findall(r'"([a-z_]+)"', backward.split("for name in (")[1].split(")")[0])
    params = {
        "A migration": [*declared(forward), *declared((plugin / "range_params.py").read_text())],
        "A rollback": [*declared(backward), *shared],
        "A cutover": declared((plugin / "cutover.py").read_text()),
        "Schemas": declared((plugin / "schema.py").read_text()),
        "A restore": declared((plugin / "schema_restore.py").read_text()),
    }
    assert len(params["A migration"]) > 5
    assert {title: rows(page, title) for title in params} == {title: {*names} for title, names in params.items()}


def test_every_task_is_described_and_no_other() -> None:
    tasks = {f"<phase>.{s.id}" if s.phase else s.id for s in steps(migration)} | {"preflight", "report", "verdict"}
    rows = section("How it works").split("\n| `")[1:]
    described = {
        name
        for row in rows
        for name in re.findall(r"^([a-z_<>.]+)|`([a-z_]+)`", row.split("|")[0])
        for name in name
        if name
    }
    assert described == tasks


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"\bmake ([a-z-]+[a-z])", README)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_no_variable_of_the_makefile_has_two_meanings() -> None:
    """What one types after a command is fixed by `override`; a list of that name would silently be empty."""
    plain = re.findall(r"^([A-Z_]+) *[:?]?=", (ROOT / "Makefile").read_text(), re.M)
    assert len(plain) > 15
    assert sorted(plain) == sorted(set(plain))


def test_every_file_and_link_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    paths = re.findall(r"`((?:include|tests|dags|plugins|docs|bench)/[A-Za-z0-9_./<>-]*)`", README)
    for path in {p for p in (*links, *paths) if "<" not in p and "://" not in p}:
        assert (ROOT / path).exists(), path


def test_the_dag_file_is_shown_as_it_is() -> None:
    assert (ROOT / "dags/kpi_linking.py").read_text() in README
