"""The quick way to canonical JSON gives, byte for byte, what the exact one gives."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.trueup.canonical import canonical_column
from include.trueup.rows import canonical_json

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


@settings(deadline=None)
@given(st.lists(st.none() | documents, max_size=6))
@example(["1.0", None, '"1.0"', "-0.0", "[-0]", "[0.00001]", "123456789012345.6", "1234567890123456.5", '{"a.0,":1.0}'])
@example(["99999999999999999999", "0.0000001", "[0.0000001]", "-0.0000001"])
@example(['"\\u002e0,"', '["\\"1.0,"]', "[" * 400 + "]" * 400])
def test_a_column_is_what_its_values_are_one_by_one(texts: list[str | None]) -> None:
    expected = [None if text is None else canonical_json(text) for text in texts]
    found: list[Any] = canonical_column(pa.array(texts, pa.string())).to_pylist()
    assert found == expected
