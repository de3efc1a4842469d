"""Scoring models: every response gets the version of the model that scored it; and may be scored again beside it."""

from __future__ import annotations

from pathlib import Path

from include.trueup.declare.migration import (
    Derived,
    Index,
    Migration,
    Param,
    Phase,
    Source,
    Statement,
    Table,
    Target,
    Type,
)

from . import suites, versions
from .rescoring import rescore_responses

HERE = Path(__file__).parent
CONNECTION = "survey_postgres"
VERSION = "scoring_model_version"

versions.check()

RESPONSES = Table(
    name="survey_responses",
    connection=CONNECTION,
    key=("id",),
    columns={
        "id": Type.TEXT,
        "survey_id": Type.TEXT,
        "submitted_at": Type.TIMESTAMP,
        "answers": Type.JSON,
        "dimension_scores": Type.JSON,
        "index_score": Type.NUMBER,
        "band": Type.TEXT,
        VERSION: Type.TEXT,
    },
)
SURVEYS = Table(
    name="surveys",
    connection=CONNECTION,
    key=("id",),
    columns={"id": Type.TEXT, "name": Type.TEXT, "scoring_config": Type.JSON},
)
PUBLISHED = {"version": Type.TEXT, "effective_from": Type.TIMESTAMP, "definition": Type.JSON, "checksum": Type.TEXT}
STORED_VERSIONS = Table(
    name="scoring_model_versions",
    connection=CONNECTION,
    key=("version",),
    columns=PUBLISHED,
    required=("effective_from", "definition", "checksum"),
)
SCORES = Table(
    name="response_scores",
    connection=CONNECTION,
    key=("response_id", VERSION),
    columns={
        "response_id": Type.TEXT,
        VERSION: Type.TEXT,
        "index_score": Type.NUMBER,
        "band": Type.TEXT,
        "dimension_scores": Type.JSON,
    },
    indexes=(Index(name="response_scores_version_idx", key=(VERSION,)),),
)

_NOT_OWNED = [name for name in RESPONSES.columns if name != VERSION]

migration = Migration(
    id="scoring_models",
    title="Scoring models",
    owner="survey",
    doc=(HERE / "README.md").read_text(encoding="utf-8"),
    sources=(
        Source(id="responses", table=RESPONSES, partition_by=("id",), window="submitted_at"),
        Source(id="surveys", table=SURVEYS, partition_by=None),
    ),
    derived=(
        Derived(
            id="published",
            name="published scoring models",
            columns=PUBLISHED,
            key=("version",),
            query=HERE / "derived_versions.sql",
            partition_by=("version",),
        ),
    ),
    targets=(
        Target(
            id="survey_responses",
            table=RESPONSES,
            owned=(VERSION,),
            prepare=HERE / "prepare_responses.sql",
            undo=HERE / "undo_responses.sql",
            adds=(VERSION,),
            triggers=("survey_responses_stamp",),
        ),
        Target(id="scoring_model_versions", table=STORED_VERSIONS, create=HERE / "create_versions.sql"),
        Target(
            id="response_scores",
            table=SCORES,
            owned=("index_score", "band", "dimension_scores"),
            partition_by=("response_id",),
            create=HERE / "create_scores.sql",
            prepare=HERE / "prepare_scores.sql",
        ),
    ),
    phases=(
        Phase(
            id="versions",
            title="Published model versions",
            source="published",
            target="scoring_model_versions",
            transform=HERE / "versions.sql",
            suite=suites.versions,
            keeps_existing="definition_differs",
            replaces={"definition": tuple(v.superseded for v in versions.VERSIONS if v.version in versions.SUPERSEDED)},
            finish=(HERE / "finish_versions.sql",),
        ),
        Phase(
            id="stamp",
            title="The version of every response",
            source="responses",
            target="survey_responses",
            transform=HERE / "stamp.sql",
            suite=suites.stamp,
            finish=tuple(HERE / f"finish_{script}.sql" for script in ("1_check", "2_validate", "3_not_null")),
        ),
        Phase(
            id="rescore",
            title="Scores under another version",
            source="responses",
            target="response_scores",
            transform=rescore_responses,
            suite=suites.rescore,
            allow_empty=True,
            expected_skips=("not_asked_for", "not_stamped"),
        ),
    ),
    suite=suites.whole,
    statements=(
        Statement(
            title="No column but scoring_model_version changed in any response",
            query="SELECT count(*) = 0 FROM before_survey_responses b JOIN after_survey_responses a ON a.id = b.id "
            "WHERE b.id NOT IN (SELECT key FROM left_alone WHERE target = 'survey_responses') AND ("
            + " OR ".join(f"a.{c} IS DISTINCT FROM b.{c}" for c in (*_NOT_OWNED, "_extra", "_mistyped"))
            + ")",
        ),
        Statement(
            title="Responses without a version, which keep the column from being NOT NULL",
            query=f"SELECT count(*) FROM after_survey_responses WHERE {VERSION} IS NULL",
        ),
    ),
    params=(
        Param(
            id="rescore_to",
            title="Score again under",
            description="Writes the scores of every response under this model version into response_scores, beside the "
            "recorded ones. Empty: nothing is scored again.",
            type="string",
            choices=tuple(v.version for v in versions.VERSIONS),
            optional=True,
        ),
    ),
    constants={
        "model_versions": tuple(
            {
                "version": v.version,
                "place": str(place),
                "effective_from": v.effective_from.isoformat(),
                "opt_in": "yes" if v.opt_in else "no",
                "definition": v.definition,
                "checksum": v.checksum,
            }
            for place, v in enumerate(versions.VERSIONS)
        ),
        "model_bands": tuple(
            {"version": v.version, "place": str(place), "band": band.name, "minimum": str(band.minimum)}
            for v in versions.VERSIONS
            for place, band in enumerate(v.bands)
        ),
    },
)
