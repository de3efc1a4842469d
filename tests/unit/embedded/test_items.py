"""`make dynamodb`: items of a file go into the embedded DynamoDB, and come out as they went in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from include.embedded import servers
from include.embedded.home import Home
from include.embedded.items import items
from include.trueup.errors import OptionsError

PLAIN = '{"id":"a","more":{"deep":[1,null,{"x":true}]},"total":12345678901234567890123456789012345678}'
TYPED = '{"Item": {"id": {"S": "b"}, "tags": {"SS": ["x", "y"]}, "B": {"B": "AP8="}}}'
ODD = [
    ("{", "no JSON"),
    ("[1]", "one item, a JSON object"),
    ('{"id": "a", "n": NaN}', "has no place"),
    ('{"no": 1}', "the key id is not there; say KEY=…, one or two of: no"),
    ('{"id": true}', "the key id is no text, number or binary"),
    ('{"id": "a"}\n\n{"id": 2}', "items.jsonl:3: .*The items before this one were put"),
]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home whose engine stays up until the test ends."""
    home, told = Home(tmp_path / "home"), list[str]()
    with servers.in_use(home, {}, need_postgres=False, need_dynamodb=True, say=told.append):
        with servers.in_use(home, {}, need_postgres=False, need_dynamodb=True, say=told.append):
            assert told == ["Starting DynamoDB …"]  # whoever waits for it is told, and nobody else
        yield home


def test_there_and_back(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "items.jsonl"

    def said(table: str = "", source: str = "", key: str = "", text: str | None = None) -> str:
        if text is not None:
            file.write_text(text, encoding="utf-8")
        assert items(home, {}, "shop_dynamodb", table, source, key) == 0
        return capsys.readouterr().out.strip()

    assert "no tables" in said()
    made = said("orders", str(file), "", f"{PLAIN}\n{TYPED}\n")
    assert made == "orders: 2 items put; the table was made, with the key id"
    assert sorted(said("orders").splitlines()) == sorted([PLAIN, TYPED])
    lines = '{"at": 1, "tenant": "t"}\n{"at": 2, "tenant": "t"}'
    assert said("events", str(file), "tenant at", lines).endswith("with the key tenant at")
    assert said("events", str(file), "", lines) == "events: 2 items put"
    assert [json.loads(line)["at"] for line in said("events").splitlines()] == [1, 2]
    assert said() == "events\norders"
    with pytest.raises(OptionsError, match="no table 'order'; did you mean 'orders'"):
        said("order")
    for at, (text, reason) in enumerate(ODD):
        with pytest.raises(OptionsError, match=reason):
            said(f"odd-{at}", str(file), "", text)
    with pytest.raises(OptionsError, match="has no items, so it does not say what the key is: say KEY=id"):
        said("none", str(file), "", "")
    assert said("none", "", "tenant at:N") == "none: 0 items put; the table was made, with the key tenant at"
    assert said("none", "", "tenant at:N") == ""  # as it is, since it is there
    assert said("none", str(file), "", '{"tenant": "t", "at": 1}') == "none: 1 item put"
    assert said("also", str(file), "id:B", "").endswith("made, with the key id")


@pytest.mark.parametrize(
    ("given", "asked", "reason"),
    [
        ({}, ("crm_postgres", "", "", ""), "no connection to DynamoDB, .*; make psql ON=crm_postgres"),
        ({"AIRFLOW_CONN_KPI_DYNAMODB": "aws://"}, ("kpi_dynamodb", "", "", ""), "use the AWS CLI"),
        ({}, ("kpi_dynamodb", "", "items.jsonl", ""), "say which table"),
        ({}, ("kpi_dynamodb", "orders", "none.jsonl", ""), "none.jsonl cannot be read: No such file"),
    ],
)
def test_no_other_store_is_touched(
    tmp_path: Path, given: Mapping[str, str], asked: tuple[str, str, str, str], reason: str
) -> None:
    with pytest.raises(OptionsError, match=reason):
        items(Home(tmp_path), given, *asked)
    assert [*tmp_path.iterdir()] == []
