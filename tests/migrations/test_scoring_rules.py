"""How an index comes about: the registry in Python and `score_under` in the database give the same, digit for digit."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import product
from pathlib import Path
from textwrap import dedent
from typing import Any

import psycopg
import pytest

from include.embedded import postgres
from include.migrations.scoring_models import versions
from include.migrations.scoring_models.rounding import Rounding
from include.migrations.scoring_models.steps import STEPS, Score, chain, rescore
from include.migrations.scoring_models.steps.base import NewWeights
from include.migrations.scoring_models.versions import CalculationRules, ScoringModelVersion
from include.trueup.errors import DeclarationError
from include.trueup.rows.values import json_text, json_value
from tests.harness import new_database

HERE = Path(versions.__file__).parent
TABLES = (HERE / "sample.sql", HERE / "prepare_responses.sql", HERE / "create_versions.sql", HERE / "create_scores.sql")
ODD = (
    '"71"',
    "true",
    "null",
    "[1]",
    "-0.0",
    "1e3",
    "12345678901234567890.12345678901234567890",
    "0.1",
    "-7.25",
    "1e-30",
)
"""JSON texts; the first four are no numbers."""


def published(rules: CalculationRules, weights: str) -> ScoringModelVersion:
    """A version of its own, with weights of so many kinds as there are digits."""
    numbers = dict(zip(versions.VERSIONS[2].weights, map(Decimal, weights.split()), strict=True))
    name = f"{rules.index}/{rules.absent_dimensions}/{rules.rounding}/{weights}"
    return replace(versions.VERSIONS[2], version=name, weights=numbers, calculation_rules=rules)


def dimension_scores(chance: random.Random) -> str:
    """A JSON text: most often an object with some of the dimensions, some of them odd."""
    if chance.random() < 0.05:
        return chance.choice(("null", "[1, 2]", "{}", '"x"', "3"))
    named = chance.sample(list(versions.VERSIONS[2].weights), chance.randint(0, 6))
    values = (
        chance.choice(ODD) if chance.random() < 0.3 else f"{chance.randint(0, 100)}.{chance.randint(0, 99):02}"
        for _ in named
    )
    return "{" + ", ".join(f'"{name}": {value}' for name, value in zip(named, values, strict=True)) + "}"


def test_the_database_gives_what_the_registry_gives(postgres_server: postgres.Server) -> None:
    chance = random.Random(20251120)
    models = [
        published(CalculationRules(index=index, absent_dimensions=absent, rounding=rounding), weights)
        for index, absent, rounding in product(
            ("weighted_mean", "median", "minimum"),
            ("renormalise", "zero", "refuse"),
            ("none", "half_even:0", "half_even:2"),
        )
        for weights in ("1 1 1 1 1 1", "0.3 2 7 1 1.25 1")
    ]
    every = [dimension_scores(chance) for _ in range(150)]
    asked = [(model.version, scores) for model in models for scores in every]
    with psycopg.connect(new_database(postgres_server)) as connection:
        for script in (*TABLES, HERE / "prepare_scores.sql"):
            connection.execute(script.read_bytes())
        connection.cursor().executemany(
            "INSERT INTO scoring_model_versions VALUES (%s, %s, %s, %s)",
            [(m.version, m.effective_from, m.definition, m.checksum) for m in (*models, *versions.VERSIONS)],
        )
        answers = connection.execute(
            "SELECT u.index_score::text, u.band FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY a (asked, place)"
            " CROSS JOIN LATERAL score_under(a.asked ->> 0, a.asked -> 1) u ORDER BY a.place",
            [f"[{', '.join(f'[{json.dumps(name)}, {scores}]' for name, scores in asked)}]"],
        ).fetchall()
        by_name = {model.version: model for model in models}
        for (name, text), (index, band) in zip(asked, answers, strict=True):
            scores = json_value(text)
            expected = by_name[name].index(scores if isinstance(scores, dict) else {})
            assert (None if index is None else Decimal(index)) == expected, (name, text)
            assert band == by_name[name].band(expected), (name, text)
        assert sum(index is not None for index, _ in answers) > len(asked) / 2
        with pytest.raises(psycopg.errors.RaiseException, match=r"no scoring model 9\.9\.9"):
            connection.execute("SELECT * FROM score_under('9.9.9', '{}')")
        connection.rollback()


@pytest.mark.parametrize(
    ("exact", "rule", "rounded"),
    [
        (Fraction(1, 3), "none", "0." + "3" * 34),
        (Fraction(2, 3), "none", "0." + "6" * 33 + "7"),
        (Fraction(200, 3), "none", "66." + "6" * 31 + "7"),
        (Fraction(1, 2**40), "none", str(Decimal(1) / Decimal(2**40))),
        (Fraction(10**40, 3), "none", "3" * 34 + "0" * 6),
        (Fraction(-5, 2), "half_even:0", "-2"),
        (Fraction(7, 2), "half_even:0", "4"),
        (Fraction(25, 1000), "half_even:2", "0.02"),
        (Fraction(0), "none", "0"),
    ],
)
def test_an_index_is_exact_or_has_34_digits(exact: Fraction, rule: str, rounded: str) -> None:
    with localcontext() as wide:
        wide.prec = 100
        assert Rounding.parse(rule).of(exact) == Decimal(rounded)


@pytest.mark.parametrize(
    "rules",
    [
        {"index": "mode"},
        {"absent_dimensions": "guess"},
        {"rounding": "half_even_16"},
        {"rounding": "half_even:101"},
        {"rounding": "half_even:-1"},
        {"rounding": ""},
    ],
)
def test_a_rule_that_is_not_known_is_an_error_when_the_registry_is_read(
    rules: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    last = replace(versions.VERSIONS[-1], calculation_rules=replace(CalculationRules(), **rules))
    monkeypatch.setattr(versions, "VERSIONS", (*versions.VERSIONS[:-1], last))
    with pytest.raises(DeclarationError, match=next(iter(rules))):
        versions.check()


def test_versions_follow_each_other_and_every_dimension_has_a_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = versions.VERSIONS
    monkeypatch.setattr(versions, "VERSIONS", (first, first, *others))
    with pytest.raises(DeclarationError, match=r"1\.0\.0 is not later"):
        versions.check()
    monkeypatch.setattr(versions, "VERSIONS", (replace(first, weights={"clarity": Decimal(0)}), *others))
    with pytest.raises(DeclarationError, match="needs a weight above 0"):
        versions.check()


def test_the_superseded_definitions_are_those_of_the_first_release() -> None:
    assert {v.version: versions.checksum(v.superseded) for v in versions.VERSIONS} == versions.SUPERSEDED
    assert all(json_text(json_value(v.definition)) == v.definition for v in versions.VERSIONS)


def test_the_guide_to_a_new_version_does_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (Path(__file__).parents[2] / "docs/model-updates.md").read_text()
    declared, joined = (dedent(block) for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL))
    new: ScoringModelVersion = eval(declared, vars(versions))  # noqa: S307 - the guide's own text
    monkeypatch.setattr(versions, "VERSIONS", (*versions.VERSIONS, new))
    with pytest.raises(DeclarationError, match=new.checksum):
        versions.check()
    monkeypatch.setattr(versions, "PUBLISHED", {**versions.PUBLISHED, new.version: new.checksum})
    versions.check()
    added: dict[str, Any] = {}
    exec(joined, {"NewWeights": NewWeights}, added)  # noqa: S102
    every = (*STEPS, *added["STEPS"])
    assert len(chain("1.0.0", new.version, every)) == 3
    scores = dict.fromkeys(new.weights, Decimal(1)) | {"growth": Decimal("90.005")}
    asked = Score(dimension_scores=scores, index_score=None, band=None)
    assert rescore(asked, "2.0.0", new.version, every).index_score == Decimal("26.43")
    without = replace(asked, dimension_scores={"clarity": Decimal(1)})
    assert rescore(without, "2.0.0", new.version, every).index_score is None
