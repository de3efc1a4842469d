"""Phase rescore: every stamped response once more under the version that the run asks for, beside the original."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from include.trueup.rows.values import canonical_number, json_text, json_value

from .steps import Score, rescore

if TYPE_CHECKING:
    import pandas as pd

READ = ["id", "dimension_scores", "index_score", "band"]
ROWS = ["response_id", "scoring_model_version", "index_score", "band", "dimension_scores", "_source"]
FINDINGS = ["_source", "key", "severity", "code", "message"]


@dataclass(frozen=True, slots=True)
class Texts:
    """A score as the database holds it: numbers and JSON as text."""

    index: str | None
    band: str | None
    dimensions: str | None


def rescore_responses(
    responses: pd.DataFrame, survey_responses: pd.DataFrame, params: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """The transform: `survey_responses` are the responses that the phase before stamps. Raises `DeclarationError` where no
    chain of steps leads to the version."""
    import pandas as pd

    chosen = params.loc[params["id"] == "rescore_to", "value"].dropna()
    versions = dict(zip(survey_responses["id"], survey_responses["scoring_model_version"], strict=True))
    given = responses[READ].astype(object)
    rows, findings = [], []
    for id, dimensions, index, band in given.where(given.notna(), None).itertuples(index=False, name=None):
        if chosen.empty or id not in versions:
            findings.append((id, id, "skip", "not_asked_for" if chosen.empty else "not_stamped", ""))
            continue
        wanted = chosen.iloc[0]
        again = rescored(versions[id], wanted, Texts(index=index, band=band, dimensions=dimensions))
        if again.index is None:
            message = (
                f"Response {id} has no index under model {wanted}: it has none of its own, and no score in a dimension of that "
                "model. Nothing is written for it there."
            )
            findings.append((id, id, "reject", "no_index", message))
        else:
            rows.append((id, wanted, again.index, again.band, again.dimensions, id))
    return {
        "rows": pd.DataFrame(rows, columns=ROWS, dtype="string[pyarrow]"),
        "findings": pd.DataFrame(findings, columns=FINDINGS, dtype="string[pyarrow]"),
    }


def rescored(stamped: str, wanted: str, given: Texts) -> Texts:
    """A score under another version, by the chain of steps, digit for digit."""
    scores = json_value(given.dimensions) if given.dimensions is not None else {}
    score = Score(
        dimension_scores=scores if isinstance(scores, Mapping) else {},
        index_score=None if given.index is None else Decimal(given.index),
        band=given.band,
    )
    rescored_score = rescore(score, stamped, wanted)
    same = rescored_score.dimension_scores == score.dimension_scores
    return Texts(
        index=None if rescored_score.index_score is None else canonical_number(str(rescored_score.index_score)),
        band=rescored_score.band,
        dimensions=given.dimensions if same else json_text(rescored_score.dimension_scores),
    )
