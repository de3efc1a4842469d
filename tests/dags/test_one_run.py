"""`make run` reads the file of the DAG that it is asked for, and the others only where that file does not make it."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.embedded.dag_ids import files_of
from include.trueup.errors import OptionsError
from trueup_airflow.process import one_run

DAGS = {
    "people": "from airflow.sdk import DAG\n\na, b = DAG('people'), DAG('people_rollback')\n",
    "people_shadow": "from airflow.sdk import DAG\n\ns = DAG('people_shadow')\n",
    "elsewhere": "from airflow.sdk import DAG\n\no = DAG('other' + '_one')\n",
    "broken": "# a dag of airflow\nraise RuntimeError('this file was read')\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in DAGS.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path))
    return tmp_path


def test_the_likeliest_file_is_the_first(folder: Path) -> None:
    names = {id: [file.stem for file in files_of(id, folder)] for id in ("people", "people_shadow", "people_rollback")}
    assert names == {
        "people": ["people"],
        "people_shadow": ["people_shadow", "people"],
        "people_rollback": ["people"],
    }


@pytest.mark.parametrize("dag_id", ["people", "people_rollback", "people_shadow"])
def test_no_other_file_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch, dag_id: str) -> None:
    from airflow.dag_processing import dagbag

    read: list[str] = []
    bag = dagbag.DagBag

    def reading(place: str) -> dagbag.DagBag:
        read.append(Path(place).name)
        return bag(place)

    monkeypatch.setattr(dagbag, "DagBag", reading)
    assert one_run._find(dag_id).dag_id == dag_id
    assert len(read) == 1


def test_a_dag_that_no_name_leads_to_is_found(folder: Path) -> None:
    assert one_run._find("other_one").dag_id == "other_one"


def test_what_is_not_there_is_said_with_what_could_not_be_read(folder: Path) -> None:
    with pytest.raises(OptionsError, match=r"did you mean 'people'\?[\s\S]*this file was read"):
        one_run._find("peple")
