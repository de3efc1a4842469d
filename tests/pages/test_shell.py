"""What a page waits for: one file of scripts, one of styles, and its first data asked for with them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from .conftest import PAGES, RUN

VIEWS = sorted(
    {"migrations", "run", "history", "turn", "cutover", "rollback"}
    | {"backfills", "start", "lens", "schemas", "expectation"}
)


@pytest.mark.parametrize("view", VIEWS)
def test_a_views_scripts_are_one_file_in_the_order_in_which_they_need_each_other(
    airflow_database: None, view: str
) -> None:
    from trueup_airflow.pages import bundles

    text = bundles.script(view)
    assert not re.findall(r"^(?:import|export)\b.*", text, re.MULTILINE)
    made = re.findall(r"^const \$(\w+) = ", text, re.MULTILINE)
    assert len(made) == len({*made})
    needed = {name: text.index(f" }} = ${name};") for name in made}
    assert all(text.index(f"const ${name} = ") < at for name, at in needed.items())
    modules = {file.stem for file in Path(bundles.STATIC).glob("*.js")}
    assert {*made} < modules


def test_a_page_asks_for_three_files_and_for_its_data_at_once(viewer: Any) -> None:
    from trueup_airflow.pages.shell import FIRST, TITLES

    assert {*VIEWS} == {*TITLES}
    asked = {"run_id": RUN}
    dags = dict.fromkeys(TITLES, "kpi_linking") | {"schemas": "platform_schema", "turn": "kpi_linking_cutover"}
    for view in FIRST:
        address = {"migrations": "", "turn": "run"}.get(view, view)
        page = viewer.get(f"{PAGES}/{address}", params={"dag_id": dags[view], **(asked if address == "run" else {})})
        assert 'data-title="' in page.text
        assert view == "migrations" or 'data-title="kpi_linking' not in page.text, "it is called by its title"
        tags = re.findall(r"<(?:script|link)[^>]+>", page.text)
        assert len([tag for tag in tags if "icon.svg" not in tag and "preload" not in tag]) == 3, view
        (data,) = (re.findall(r'href="([^"]+)"', tag)[0] for tag in tags if "preload" in tag)
        if view != "turn":  # there is no such run
            assert viewer.get(f"{PAGES}/{data}").status_code == 200, data


def test_windows_are_told_in_utc_wherever_one_looks_from() -> None:
    from trueup_airflow.pages import bundles

    texts = {file.stem: file.read_text(encoding="utf-8") for file in Path(bundles.STATIC).glob("*.js")}
    assert {name for name, text in texts.items() if "window.start" in text} == {"words"}
    assert "toISOString" in next(line for line in texts["words"].splitlines() if line.startswith("const bound ="))
