"""What crosses a module is a record: a count of the places whose types say nothing, and who may have them."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.house import ROOT

HOLES = re.compile(
    r"\b(?:dict|Mapping|MutableMapping)\[str, (?:Any|object)\]|\blist\[Any\]|\btotal=False\b|^\w+(?:: TypeAlias)? = Any$"
)
"""One a line: a mapping of anything, a list of anything, a `TypedDict` that may be empty, another name for `Any`."""
MOST = 60
ALLOWED = {
    "include/trueup/declare/": 3,  # whatever keywords an author wrote, in words of the first release
    "include/trueup/gate/": 2,  # an author's suite, and what Great Expectations raised
    "include/trueup/ledger/": 1,  # the driver's connection hook
    "include/trueup/plan/": 1,  # the types of a DuckDB function's parameters
    "include/trueup/rows/": 5,  # JSON and DynamoDB's values while they are read: of any depth
    "include/trueup/run/": 5,  # the facts of a manifest, an author's params, an endpoint's settings
    "include/trueup/stores/": 8,  # DynamoDB's requests and answers, as they go over the wire
    "include/trueup/testing/": 3,  # rows as an author writes them down
    "plugins/": 16,  # what Airflow gives and takes: params, default args, plugin declarations, tasks
}
"""By what a path begins with, how many lines at most, and why."""


def holes() -> Counter[str]:
    found: Counter[str] = Counter()
    for folder in ("include/trueup", "plugins"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            number = sum(bool(HOLES.search(line)) for line in file.read_text(encoding="utf-8").splitlines())
            if number:
                found[str(file.relative_to(ROOT))] = number
    return found


@pytest.mark.parametrize("where", [*ALLOWED, "elsewhere"])
def test_untyped_records_stand_where_they_may(where: str) -> None:
    found = {file: n for file, n in holes().items() if _place(file) == where}
    assert sum(found.values()) <= ALLOWED.get(where, 0), found


def test_there_are_few_untyped_records() -> None:
    assert holes().total() <= MOST


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("def f(facts: dict[str, Any]) -> None:", True),
        ("facts: Mapping[str, object]", True),
        ("class Facts(TypedDict, total=False):", True),
        ("Facts = Any", True),
        ("facts: dict[str, JsonValue]", False),
        ("class Facts(TypedDict):", False),
    ],
)
def test_what_counts(line: str, counts: bool) -> None:
    assert bool(HOLES.search(line)) is counts


def _place(file: str) -> str:
    return next((place for place in ALLOWED if file.startswith(place)), "elsewhere")
