"""The page of points names every one, and tests that exist."""

from __future__ import annotations

import re

from tests.coverage_page import ROOT, Line

from .test_coverage import has

PAGE = ROOT / "docs" / "pages.md"
POINTS = [*(str(n) for n in range(1, 17)), *(f"D{n}" for n in range(1, 14))]


def points() -> list[Line]:
    """Every row of the two tables."""
    rows = re.findall(r"^\| (D?\d+)\. .*? \| (.+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [Line(document="", asked=point, status="", where=now, shown_by=shown) for point, now, shown in rows]


def test_every_point_is_there_with_tests_that_exist() -> None:
    found = points()
    assert [each.asked for each in found] == POINTS
    assert [each.asked for each in found if not each.tests] == []
    absent = [f"{path}::{name}" for each in found for path, name in each.tests if not has(path, name)]
    assert absent == []
    assert [name for each in found for _, name in each.tests if not name.startswith("test_")] == []
