"""What a script brings from text into another type as it is, is noted with its line, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.console.bare_texts import bare_texts
from include.trueup.declare import Migration, Phase, Source, Table, Target, columns

NOTED: dict[str, dict[float, str]] = {
    "CREATE VIEW rows AS\nSELECT id,\n    total AS amount, day, _key AS _source FROM old": {
        3: "no number",
        3.1: "no date",
    },
    "-- one\nCREATE VIEW rows AS SELECT id, o.total AS amount,\n day::DATE AS day, _key AS _source FROM old o": {
        2: "no number"
    },
    "CREATE VIEW rows AS SELECT id, try_cast(total AS DECIMAL(9, 2)) AS amount, NULL AS day, _key AS _source FROM old": {},
    "CREATE VIEW rows AS SELECT id, exact AS amount, NULL AS day, _key AS _source FROM old": {},
    "CREATE VIEW c AS FROM old; CREATE VIEW rows AS SELECT id, total AS amount, NULL AS day, _key AS _source FROM c": {},
    "SELECT nonsense FROM": {},
}
"""Scripts, and the lines that are noted."""


@pytest.mark.parametrize("script", NOTED)
def test_texts_as_they_are(script: str, tmp_path: Path) -> None:
    (tmp_path / "rows.sql").write_text(script)
    old = Table(name="old", connection="c_postgres", key=("id",), columns=columns(text="id total day", number="exact"))
    new = Table(
        name="new", connection="c_postgres", key=("id",), columns=columns(text="id", number="amount", date="day")
    )
    phase = Phase(source="old", target="new", transform=tmp_path / "rows.sql")
    migration = Migration(
        id="m", owner="o", sources=(Source(table=old),), targets=(Target(table=new),), phases=(phase,)
    )
    noted = [*bare_texts(migration)]
    assert [each.line for each in noted] == [int(line) for line in NOTED[script]]
    for each, words in zip(noted, NOTED[script].values(), strict=True):
        assert f"{words} rejects its row, unwritable" in each.message
