"""The neighbours of numbers that a double holds as others, what is seen by them, and `json_at`, which keeps every digit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from include.trueup.declare import Type
from include.trueup.rows import duck
from include.trueup.rows.digits import has, long_numbers, lost, neighbours
from include.trueup.rows.values import canonical_number

HELD = (
    "1.0",
    "0.1",
    "1.50",
    "33.333333333333336",
    "5e-324",
    "123456789012345678901234567890",
    "1E400",
    "1e23",
    "0.0",
    "-0",
)
"""Numbers that DuckDB's JSON leaves what they are."""
ANOTHER = (
    *("0.33333333333333333333", "0.12345678901234567", "9007199254740993.0", "12345678901234567890.123", "-0.30000000000000004441"),
    *("12.340000000000000001", "1e-400", "12345678901234567890e0", "2.4999999999999999999", "1.7976931348623157e308"),
    *("0." + "0" * 330 + "1", "0.12345678901234567890123456789012345678", "179769313486231570e291", "1.79769313486231571e308"),
)  # fmt: skip
"""Numbers that become others in it."""
AT = {
    "a member": ('{"a":{"b":0.33333333333333333333}}', "$.a.b", "0.33333333333333333333"),
    "by its name alone": ('{"a":[1.50,{"x":1E400}]}', "a", '[1.50,{"x":1E400}]'),
    "of a list": ('{"a":[1,2,{"b c":"é"}]}', '$.a[2]."b c"', '"é"'),
    "from behind": ("[1,2.00000000000000000001]", "$[#-1]", "2.00000000000000000001"),
    "the whole": ("0.10", "$", "0.10"),
    "nothing": ('{"a":1}', "$.b", None),
    "nothing below a number": ('{"a":1}', "$.a.b", None),
    "no place in an object": ('{"a":1}', "$[0]", None),
    "null": ('{"a":null}', "$.a", None),
    "a name with a dot": ('{"a.b":1}', "a.b", "1"),
}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with duck.connect(Path(tmp_path_factory.mktemp("duck"))) as connected:
        yield connected


@pytest.mark.parametrize("number", [*HELD, *ANOTHER])
def test_a_number_has_neighbours_where_duckdb_makes_another_of_it(
    number: str, connection: duckdb.DuckDBPyConnection
) -> None:
    read = connection.execute("SELECT ($1::JSON -> '$')::VARCHAR", [number]).fetchall()[0][0]
    assert (neighbours(number) is not None) is (canonical(read) != canonical(number))


@pytest.mark.parametrize("number", ["1e-5000", "3.5e-131072", "1." + "0" * 5_000 + "1", "0." + "3" * 9_000])
def test_long_numbers_have_neighbours_of_their_own(number: str) -> None:
    near, far = neighbours(number) or ("", "")
    assert float(near) == float(number) != float(far)


@pytest.mark.parametrize("number", ["1e-99999999999999999999", "1.5e9999999999", "1e" + "9" * 5_000])
def test_what_no_store_has_has_none(number: str) -> None:
    assert neighbours(number) is None


def test_a_number_in_a_word_is_none() -> None:
    words = '{"id":"a0eebc99-123e-4567-1e-5000-6bb9bd380a11","version":"1.0.12345678901234567","day":"2024-0.12345678901234567"}'
    assert [*long_numbers(words)] == []
    inside = [*long_numbers('{"a":-0.33333333333333333333,"b":["0.12345678901234567"]}')]
    assert inside == ["-0.33333333333333333333", "0.12345678901234567"]


@pytest.mark.parametrize(
    "number", ["+0.33333333333333333333", ".33333333333333333333", "-.33333333333333333333", "+.99999999999999999999"]
)
def test_a_number_of_a_text_keeps_its_notation(number: str, connection: duckdb.DuckDBPyConnection) -> None:
    assert [*long_numbers(f'["{number}"]')] == [number]
    assert connection.execute(f"SELECT {has('n', Type.TEXT)} FROM (SELECT $1 AS n)", [number]).fetchall() == [(True,)]
    near, far = neighbours(number) or ("", "")
    assert float(near) == float(number) != float(far)
    assert near[:2] == number[:2]


def test_numbers_that_differ_have_neighbours_that_differ() -> None:
    for head in ("20240101123456789", "0.333333333333333333", "-99999999999999999999"):
        numbers = [f"{head}{'' if '.' in head else '.'}{n}" for n in range(1, 40) if n % 10]
        pairs = [neighbours(each) or (each, each) for each in numbers]
        assert len({*pairs}) == len({near for near, _ in pairs}) == len({far for _, far in pairs}) == len(numbers)
        assert all(float(near) == float(one) != float(far) for one, (near, far) in zip(numbers, pairs, strict=True))


def test_the_cheap_look_finds_every_number_that_has_neighbours(connection: duckdb.DuckDBPyConnection) -> None:
    chance = random.Random(16)
    texts = ["".join(chance.choices("0123456789", k=n)) for n in range(2, 30) for _ in range(20)]
    numbers = [f"{each[:at]}.{each[at:]}" for each in texts for at in [chance.randint(1, len(each) - 1)]]
    long = [each for each in [*numbers, *ANOTHER] if neighbours(each)]
    found = connection.execute(f"SELECT count(*) FROM unnest($1) t(n) WHERE {has('n', Type.TEXT)}", [long]).fetchall()
    assert found == [(len(long),)]
    assert len(long) > 200


def test_one_neighbour_has_the_same_double_and_the_other_the_next_one() -> None:
    chance, seen = random.Random(15), 0
    for _ in range(2_000):
        digits = "".join(chance.choices("0123456789", k=chance.randint(14, 40)))
        point = chance.randint(1, len(digits) - 1)
        number = f"{chance.choice(['', '-'])}{digits[:point]}.{digits[point:]}"
        if (pair := neighbours(number)) is None:
            assert Decimal(repr(float(number))) == Decimal(number)
            continue
        near, far = pair
        seen += 1
        assert float(near) == float(number) != float(far), number
        assert len({Decimal(number), Decimal(near), Decimal(far)}) == 3
        assert all("e" not in each.lower() for each in pair)
    assert seen > 1_000


@pytest.mark.parametrize(
    ("value", "near", "far", "found"),
    [
        ("0.3", "0.3", "0.4", "0.3"),
        ("0.33", "0.34", "0.35", None),
        ("x", "x", "x", None),
        ('{"a":1,"b":0.3}', '{"a":1,"b":0.3}', '{"a":1,"b":0.4}', "0.3"),
        ('{"a":0.33,"b":0.3}', '{"a":0.34,"b":0.3}', '{"a":0.35,"b":0.4}', "0.3"),
        ("much", "much", "little", "much"),
        ("1 a", "1 a", "1 b", "1 a"),
        ("1 a", "1 c", "1 b", None),
    ],
)
def test_what_is_the_same_of_one_neighbour_and_another_of_the_other_was_made_of_a_double(
    value: str, near: str, far: str, found: str | None
) -> None:
    assert lost(value, near, far) == found


@pytest.mark.parametrize("case", AT)
def test_json_at_keeps_every_digit(case: str, connection: duckdb.DuckDBPyConnection) -> None:
    document, path, value = AT[case]
    assert connection.execute("SELECT json_at($1, $2)", [document, path]).fetchall() == [(value,)]


def test_json_at_refuses_what_is_no_path(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.InvalidInputException, match=r"'\$\.\*' is no path"):
        connection.execute("SELECT json_at('{}', '$.*')").fetchall()


def canonical(number: str) -> str:
    """The number's value as text; one beyond what any store holds as it is."""
    return number if abs(Decimal(number).adjusted()) > 100_000 else canonical_number(number)
