"""What PostgreSQL does beside what every store does, and its twin as well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.trueup.declare.migration import Index, Type

from .subject import Subject, asked


@pytest.mark.parametrize("lacks", [False, True])
def test_the_ledger_is_asked_once_about_a_table_that_is_there_and_again_where_it_lacks_an_index(
    relational: Subject, lacks: bool
) -> None:
    columns = {"id": Type.TEXT, "label": Type.TEXT}
    table = relational.table(columns, ("id",), (Index(name="by-label", key=("label",)),))
    relational.store.create(replace(table, indexes=()) if lacks else table)
    assert asked(lambda: relational.store.create(table)) == ([0, 0, 1, 1] if lacks else [0])
    assert asked(lambda: relational.store.create(table)) == [0]
