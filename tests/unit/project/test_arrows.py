"""Who may import whom: dags → plugins → include; inside, migrations → trueup, and stores know nothing of verbs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from include.trueup.run import files, workspace
from tests.house import ROOT, floors, house, imports

ROOMS = {
    "errors": "",
    "declare": "errors",
    "model": "declare",
    "gate": "declare errors",
    "rows": "declare errors",
    "steps": "declare",
    "stores": "rows declare errors",
    "ledger": "stores steps errors",
    "run": "ledger gate stores rows steps declare errors",
    "read": "run stores rows declare errors",
    "plan": "run ledger stores gate rows declare errors",
    "write": "plan run ledger stores rows steps declare errors",
    "prove": "plan run stores gate rows declare errors",
    "cutover": "run ledger stores declare errors",
    "report": "prove write plan run ledger gate rows declare errors",
    "walk": "report write plan read run ledger stores rows steps declare errors",
    "schema": "report write plan run ledger stores gate steps errors",
}
"""For each room of include/trueup, the rooms that it may import."""
FORMATS = {".json", ".jsonl", ".csv", ".html", ".md"}
OUTSIDE = (
    *("time", "random", "uuid.uuid1", "uuid.uuid4", "secrets", "socket", "threading", "multiprocessing", "asyncio"),
    *(f"concurrent.futures.{n}" for n in ("ThreadPoolExecutor", "ProcessPoolExecutor", "wait", "as_completed")),
)
"""Modules that read a clock, wait, draw at random, do several things at once or say which machine this is:
`stores/effects.py` alone asks them."""
READ_THE_CLOCK = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "os.getpid", "os.urandom"}
HONEST = {
    "stores/effects.py": "it is the seam",
    "gate/tally.py": "Great Expectations is made ready for each thread: no two see the other's, whatever their order",
    "report/lens/shelf.py": "pages look at files of runs from several threads of a web server; no run waits for them",
    "stores/postgres/pool.py": "services read by several threads, and close what nobody uses; no run has a pool",
    "stores/dynamodb/place.py": "it asks the resolver where an endpoint is, which is a question to the network",
}
"""Files of the engine that may, each with the reason."""
DRIVERS = {"boto3", "botocore", "psycopg", "psycopg2", "adbc_driver_postgresql", "adbc_driver_manager", "asyncpg"}


def modules(folder: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*.py") if "__pycache__" not in p.parts)


def starts(name: str, *packages: str) -> bool:
    return any(name == p or name.startswith(f"{p}.") for p in packages)


def offenders(folder: str, *forbidden: str, except_in: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules(folder)
        if not any(str(file.relative_to(ROOT)).startswith(prefix) for prefix in except_in)
        for name in imports(file)
        if starts(name, *forbidden)
    ]


def test_only_plugins_and_dags_import_airflow() -> None:
    assert offenders("include", "airflow", "trueup_airflow") == []


def test_nothing_imports_dags() -> None:
    assert offenders("include", "dags") + offenders("plugins", "dags") == []


def test_only_stores_import_drivers() -> None:
    assert offenders("include/trueup", *DRIVERS, except_in=("include/trueup/stores/",)) == []
    assert offenders("include/migrations", *DRIVERS) == []


def test_only_the_seam_reads_clocks_waits_and_draws() -> None:
    found = set()
    for file in modules("include/trueup"):
        named = {name for name in imports(file) if starts(name, *OUTSIDE)}
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                named |= {f"{node.value.id}.{node.attr}"} & READ_THE_CLOCK
        if named:
            found.add(str(file.relative_to(ROOT / "include/trueup")))
    assert found == HONEST.keys()


def test_only_the_map_knows_paths_of_a_runs_folder() -> None:
    places = {each.folder for each in vars(files).values() if isinstance(each, files.Place)}
    beginnings = tuple(f"{folder}/" for folder in {*places, files.GATES, workspace.MANIFESTS, "runs"})
    names = {name for name in vars(files).values() if isinstance(name, str) and Path(name).suffix in FORMATS}
    found = set()
    for file in modules("include/trueup") + modules("plugins"):
        maps = ("files.py", "gate_files.py", "report_files.py", "schema_files.py", "workspace.py", "run_folder.py")
        if file.name in maps and file.parent.name == "run":
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
                text = node.value
                if text in names or (text.startswith(beginnings) and " " not in text):
                    found.add(f"{file.relative_to(ROOT)}: {text}")
    assert found == set()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_it_may(room: str) -> None:
    assert house()[room] <= {*ROOMS[room].split()}


def test_every_room_is_known_and_none_is_too_high() -> None:
    arrows = house()
    assert arrows.keys() == ROOMS.keys()
    assert max(floors(arrows).values()) <= 10
    assert sum(map(len, arrows.values())) <= 80


def test_nobody_looks_at_what_is_for_tests() -> None:
    for folder in ("include", "plugins", "dags"):
        assert (
            offenders(
                folder,
                "include.trueup.testing",
                except_in=("include/console/", "include/pytest_plugin.py", "include/trueup/testing/"),
            )
            == []
        )


def test_a_circle_is_found() -> None:
    with pytest.raises(ValueError, match="a circle: a -> b -> a"):
        floors({"a": {"b"}, "b": {"a"}})


@pytest.mark.parametrize(("store", "other"), [("dynamodb", "postgres"), ("postgres", "dynamodb")])
def test_stores_know_nothing_of_each_other(store: str, other: str) -> None:
    assert offenders(f"include/trueup/stores/{store}", f"include.trueup.stores.{other}", "include.migrations") == []


def test_the_engine_knows_no_migration_and_no_embedded_store() -> None:
    assert offenders("include/trueup", "include.migrations", "include.embedded") == []


def test_a_migration_knows_no_other() -> None:
    for folder in (p for p in (ROOT / "include/migrations").iterdir() if (p / "migration.py").is_file()):
        others = [f"include.migrations.{p.name}" for p in folder.parent.iterdir() if p.is_dir() and p != folder]
        assert offenders(f"include/migrations/{folder.name}", *others, "include.embedded") == []


def test_a_dag_file_imports_its_migration_and_the_builder_only() -> None:
    for file in modules("dags"):
        own = [name for name in imports(file) if not starts(name, "trueup_airflow")]
        folders = {tuple(name.split(".")[:3]) for name in own}
        assert len(folders) == 1, file
        ((*place, migration),) = folders
        assert place == ["include", "migrations"], file
        assert f"{file.stem}_".startswith(f"{migration}_"), file


def test_the_reader_of_imports_sees_what_it_must() -> None:
    file = ROOT / "include" / "trueup" / "ledger" / "upgrading.py"
    found = set(imports(file))
    assert "include.trueup.errors.OptionsError" in found
    assert "sqlalchemy" in found
    assert "alembic.command" in found
