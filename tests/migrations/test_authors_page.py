"""What docs/authors.md shows is what one writes: its blocks are taken from the page and run."""

from __future__ import annotations

import re
import sys
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from include.console.check import problems
from include.trueup.testing import check

PAGE = (Path(__file__).parent.parent.parent / "docs" / "authors.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SQL = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def module(file: Path, text: str, name: str) -> ModuleType:
    file.write_text(text)
    spec = util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    made = util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there_and_back: Any) -> None:
    declaration, test = PYTHON
    (tmp_path / "rows.sql").write_text(SQL[0])
    migration = module(tmp_path / "migration.py", declaration, "include.migrations.people.migration").migration
    assert problems(migration, tmp_path) == []
    check(
        migration, rows={"customers": [{"id": "a", "name": "Ada"}]}, gives={"people": [{"id": "a", "full_name": "Ada"}]}
    )
    (tmp_path / "rows.sql").write_text(SQL[1])
    declared = module(tmp_path / "migration.py", declaration, "include.migrations.people.migration")
    monkeypatch.setitem(sys.modules, "include.migrations.people", ModuleType("include.migrations.people"))
    monkeypatch.setitem(sys.modules, "include.migrations.people.migration", declared)
    tests = module(tmp_path / "test_names.py", test, "test_names")
    tests.test_names(check)
    tests.test_there_and_back(there_and_back)
