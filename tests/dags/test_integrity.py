"""House rules over every DAG file."""

from __future__ import annotations

import ast
import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from include import project

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "dags").glob("*.py"))
HEAVY = ("fastapi", "duckdb", "pyarrow", "pandas", "boto3", "great_expectations", "sqlalchemy", "numpy")


def test_every_file_parses_to_a_dag_of_its_name(dag_bag: Any) -> None:
    assert dag_bag.import_errors == {}
    assert {file.stem for file in FILES} <= set(dag_bag.dags)
    assert {*project.migration_ids()} <= {file.stem for file in FILES}, "a migration that has no DAG"


def test_a_migration_without_settings_has_no_switch_to_turn(dag_bag: Any) -> None:
    from include.migrations.scoring_models.migration import migration
    from include.trueup.errors import DeclarationError
    from trueup_airflow.dags.cutover import build_cutover

    for id in project.migration_ids():
        shadow = getattr(project.load_migration(id), "shadow", None)
        assert shadow is None or "comparison" in dag_bag.dags[shadow.comparison].tags, id
    cutovers = {id.removesuffix("_cutover") for id in dag_bag.dags if id.endswith("_cutover")}
    assert cutovers == {"kpi_linking", "scoring_results", "checkins"}
    with pytest.raises(DeclarationError, match="'scoring_models' declares no settings"):
        build_cutover(migration)


def test_every_dag_says_whose_it_is_and_what_it_does(dag_bag: Any) -> None:
    for dag in dag_bag.dags.values():
        assert dag.doc_md
        assert dag.owner != "airflow"
        assert "trueup" in dag.tags
        assert dag.catchup is False


def test_every_param_is_titled_described_and_bounded(dag_bag: Any) -> None:
    for dag in dag_bag.dags.values():
        for name in dag.params:
            param = dag.params.get_param(name)
            schema = param.schema
            assert schema.get("title"), name
            assert param.description, name
            types = schema.get("type", [])
            if {"integer", "number"} & {*([types] if isinstance(types, str) else types)}:
                assert {"minimum", "exclusiveMinimum"} & set(schema), name
        params = copy.deepcopy(dag.params)
        if "cutover" in dag.tags:  # a reason that nobody gave is none: the form wants one
            with pytest.raises(ParamValidationError, match="why"):
                params.validate()
            params["why"] = "seen by two"
        if "restore" in dag.tags:  # nor is there a backup that is put back unless it is named
            with pytest.raises(ParamValidationError, match="run"):
                params.validate()
            params["run"], params["database"] = "manual__a", "specs"
        params.validate()  # the defaults are legal: the form can be sent as it is


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_a_dag_file_is_an_address_not_a_program(file: Path) -> None:
    tree = ast.parse(file.read_text())
    assert len(file.read_text().splitlines()) < 20
    assert not any(isinstance(node, ast.For | ast.FunctionDef | ast.ClassDef) for node in ast.walk(tree))
    assert "airflow" in file.read_text(), "Airflow skips files without the word"


def test_parsing_the_dags_imports_nothing_heavy() -> None:
    # DAG files are parsed every few seconds, and once more by every task
    code = f"""
import sys
before = set(sys.modules)
import airflow.sdk
base = set(sys.modules)
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "plugins")!r}]
for name in {[f.stem for f in FILES]!r}:
    __import__("dags." + name)
new = set(sys.modules) - base
print([m for m in {HEAVY!r} if m in new])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_a_broken_migration_breaks_its_own_dag_alone(tmp_path: Path, airflow_database: None) -> None:
    from airflow.dag_processing.dagbag import DagBag

    for file in FILES:
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "broken.py").write_text(
        "from airflow.sdk import dag\nraise ValueError('a migration that does not parse')\n"
    )
    bag = DagBag(str(tmp_path))
    assert set(bag.import_errors) == {str(tmp_path / "broken.py")}
    assert {file.stem for file in FILES} <= set(bag.dags)
