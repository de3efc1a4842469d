"""For the tests of a migration. `check`: what its rules make of a few rows, in memory, without a store, a ledger or Airflow.
`there_and_back`: all of a run over real stores, and the whole way back.

    from include.migrations.people.migration import migration

    def test_names(check) -> None:
        check(
            migration,
            rows={"customers": [{"id": "a", "name": "Ada"}, {"id": "b", "name": None}]},
            gives={"people": [{"id": "a", "full_name": "Ada"}]},
            rejects={"b": "no_name"},
        )

`include.pytest_plugin` gives both as fixtures. Nothing of the engine imports it.
"""

from __future__ import annotations

from .checking import Finding as Finding
from .checking import Made as Made
from .checking import Planned as Planned
from .checking import check as check
from .checking import make as make
from .checking import make_of as make_of
from .checking import parted as parted
from .literal import Row as Row
from .trip import Stage as Stage
from .trip import there_and_back as there_and_back

__all__ = ["Finding", "Made", "Planned", "Row", "Stage", "check", "make", "make_of", "parted", "there_and_back"]
