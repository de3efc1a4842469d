"""Canonical form: exact, the same by the quick way and by the long one, and no value stops a column."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.trueup.errors import UnreadableValueError
from include.trueup.rows import values
from include.trueup.rows.json_column import UNREADABLE, canonical_column, readable_column, readable_text, say_unreadable
from include.trueup.rows.values import canonical_json, canonical_number, json_text

digits = st.text("0123456789", min_size=1, max_size=25)
whole = digits.map(lambda text: text.lstrip("0") or "0")
numbers = st.tuples(
    st.sampled_from(["", "-"]), whole, st.none() | digits | st.just("0"), st.sampled_from(["", "", "e-7", "E+2"])
).map(lambda parts: f"{parts[0]}{parts[1]}{'' if parts[2] is None else '.' + parts[2]}{parts[3]}")
strings = st.text(st.sampled_from('.0,]}:"\\ 15e-é😀\x01\n') | st.characters(exclude_categories=["Cs"]))
scalars = (
    numbers
    | strings.map(lambda text: json.dumps(text, ensure_ascii=False))
    | st.sampled_from(["true", "false", "null"])
)


def array(members: list[str]) -> str:
    return f"[{', '.join(members)}]"


def object_(members: dict[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {value}" for key, value in members.items()) + "}"


documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5).map(array) | st.dictionaries(strings, inner, max_size=5).map(object_),
    max_leaves=20,
)


def exactly(text: str) -> str:
    """Canonical JSON by Python's own decimals: slow, and short enough to be believed."""

    def number(written: str) -> str:
        plain = format(Decimal(written), "f")
        plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
        return "0" if plain in ("-0", "") else plain

    def dump(value: Any) -> str:
        if isinstance(value, tuple):
            return number(value[0])
        if isinstance(value, dict):
            return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{dump(value[k])}" for k in sorted(value)) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(dump, value)) + "]"
        return json.dumps(value, ensure_ascii=False)

    return dump(json.loads(text, parse_float=lambda t: (t,), parse_int=lambda t: (t,)))


@settings(deadline=None)
@given(st.lists(st.none() | documents, max_size=6))
@example(["1.0", None, '"1.0"', "-0.0", "[-0]", "[0.00001]", "123456789012345.6", "1234567890123456.5", '{"a.0,":1.0}'])
@example(
    ["99999999999999999999", "0.0000001", "[0.0000001]", "-0.0000001", "[0.0000,0.00]", "1e5", "-1.5E-3", "0e99999999"]
)
@example(['"\\u002e0,"', '["\\"1.0,"]', '"\\u00e4\\u0001\\/"', '{"\\u0061":1,"a":2}', " [ ] ", "{}", "[[],{}]"])
def test_a_column_is_what_its_values_are_one_by_one(texts: list[str | None]) -> None:
    expected = [None if text is None else exactly(text) for text in texts]
    found: list[Any] = canonical_column(pa.array(texts, pa.string())).to_pylist()
    assert found == expected
    assert [None if text is None else values._long_way(text).decode() for text in texts] == expected


@settings(deadline=None)
@given(st.text(st.sampled_from('[]{},:"\\ 01.e-9atruefalsn\n')) | documents.map(lambda text: text[:-1]))
@example("[1,]")
@example('{"a":1,}')
@example('{"a"}')
@example("[1 2]")
@example("1 2")
@example("[}")
@example("")
@example("01")
@example("[,1]")
@example("{1:2}")
@example("NaN")
@example("]")
def test_what_is_no_json_is_said_by_both_ways(text: str) -> None:
    def by(way: Any) -> Any:
        try:
            return way(text)
        except UnreadableValueError:
            return "unreadable"

    assert by(values.canonical_bytes) == by(values._long_way)


def test_no_notation_of_a_number_goes_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros at the end, small fractions, long numbers, exponents, escapes: each cost fifteen times as much once."""

    def refuse(text: str) -> bytes:
        raise AssertionError(f"the long way: {text}")

    monkeypatch.setattr(values, "_long_way", refuse)
    odd = ["0.0000", "0.00001", "1" * 25, "0." + "12" * 20, "1e300", "-0.0", "1E-7", '"\\u00e4"', "1.0"]
    canonical_column(pa.array([f'{{"a":[{text},0],"b":{text}}}' for text in odd]))


@pytest.mark.parametrize("levels", [300, 1_500, 50_000])
def test_any_depth_goes_through(levels: int) -> None:
    arrays, objects = "[" * levels + "1.0" + "]" * levels, '{"b":0,"a":' * levels + "1.0" + "}" * levels
    found = canonical_column(pa.array([arrays, objects])).to_pylist()
    assert found[0] == arrays.replace("1.0", "1")
    assert found[1] == '{"a":' * levels + "1" + ',"b":0}' * levels


def test_a_deep_value_is_written_without_recursion() -> None:
    value: Any = Decimal("1.50")
    for _ in range(5_000):
        value = {"a": [value]}
    assert json_text(value) == '{"a":[' * 5_000 + "1.5" + "]}" * 5_000


NO_FORM = ["1e400000000", "-1E-131073", "[1e99999999999999999999]", '"\\ud800"', '{"\\udc00":1}', "[1", "x"]
MANY_DIGITS = f"[{','.join(f'{i}e131072' for i in range(1, 20))}]"


@pytest.mark.parametrize("text", [*NO_FORM, MANY_DIGITS, "[" * 100_002 + "]" * 100_002])
def test_what_has_no_form_is_said_of_its_row_alone(text: str) -> None:
    raw = pa.array(['{"a":1.0}', text, None, "0.00"])
    made, reasons = readable_column(raw)
    assert made.to_pylist() == ['{"a":1}', None, None, "0"]
    assert [*reasons] == [1]
    assert reasons[1]
    with pytest.raises(UnreadableValueError):
        canonical_column(raw)
    said = say_unreadable(pa.array([None, '{"b":1.25}', None, None], pa.string()), raw, "a", reasons).to_pylist()
    assert said[0] is said[2] is said[3] is None
    held = json.loads(said[1])
    assert held["b"] == 1.25
    assert held["a"][UNREADABLE] | {"sha256": ""} == {"bytes": len(text), "sha256": "", "why": reasons[1]}
    assert said[1] == exactly(said[1])


def test_an_exponent_of_postgresqls_size_goes_through() -> None:
    assert canonical_number("1e131072") == "1" + "0" * 131_072
    assert canonical_number("-12.5e-131072") == "-0." + "0" * 131_070 + "125"
    assert canonical_json("[1e131072]") == f"[1{'0' * 131_072}]"
    assert canonical_number("0e400000000") == "0"


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_is_what_decimal_says(number: Decimal) -> None:
    plain = canonical_number(str(number))
    assert Decimal(plain) == number
    assert "e" not in plain.lower()
    assert plain == canonical_number(plain) == exactly(str(number))


@pytest.mark.parametrize("text", ["", ".", "-", "NaN", "Infinity", "1_000", " 1", "٣", "0x1", "1e", "--1"])
def test_what_is_no_number_is_said(text: str) -> None:
    with pytest.raises(UnreadableValueError, match="not a number"):
        canonical_number(text)


def test_bytes_that_are_not_unicode_are_said_of_their_row_alone() -> None:
    texts = pa.array([b"a", b"b\xff", None, "é".encode()], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 4, texts.buffers())
    made, reasons = readable_text(texts, key=False)
    assert made.to_pylist() == ["a", None, None, "é"]
    assert [*reasons] == [1]
    named, reasons = readable_text(texts, key=True)
    assert named.to_pylist() == ["a", "b\\xff", None, "é"]
    assert (
        json.loads(say_unreadable(pa.nulls(4, pa.string()), texts, "k", reasons)[1].as_py())["k"][UNREADABLE]["bytes"]
        == 2
    )
