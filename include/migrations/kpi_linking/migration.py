"""KPI linking: six legacy DynamoDB tables into `purposepath-kpi-links` and `purposepath-kpi-data`. See README.md."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from include.trueup.declare.migration import Index, Migration, Phase, Shadow, Source, Statement, Table, Target, Type

from . import suites

READ_FROM = "kpi_linking.read_from"
"""Setting: the tables that an application reads, `legacy` or `new`."""
HERE = Path(__file__).parent
OWN_KPI = ("tenant_id", "kpi_id")


def _table(name: str, *indexes: Index, text: str, number: str = "", boolean: str = "", json: str = "") -> Table:
    """A table with hash key `id`; its other columns by type, each a list of names between spaces."""
    names = {Type.TEXT: f"id tenant_id {text}", Type.NUMBER: number, Type.BOOLEAN: boolean, Type.JSON: json}
    columns = {name: type_ for type_, listed in names.items() for name in listed.split()}
    return Table(name=name, connection="kpi_dynamodb", key=("id",), columns=columns, indexes=indexes)


LINKS = _table(
    "purposepath-goal-kpi-links",
    text="kpi_id goal_id link_type created_by created_at updated_by updated_at",
    number="threshold_pct weight display_order",
    boolean="is_primary",
)
MILESTONES = _table(
    "purposepath-kpi-milestones",
    text="kpi_id milestone_date label rationale created_by created_at updated_by updated_at",
    number="target_value confidence_level",
)
ACTUALS = _table(
    "purposepath-kpi-actuals",
    text="kpi_id measurement_date override_comment data_source source_reference_id recorded_by recorded_at",
    number="actual_value original_value",
    boolean="is_manual_override triggers_replan replan_threshold_exceeded auto_adjustment_applied",
)
READINGS = _table(
    "purposepath-kpi-readings",
    text="kpi_id reading_date period_start adjustment_reason source external_id entered_by entered_at",
    number="value original_value",
    boolean="is_adjusted",
)
KPIS = _table("purposepath-kpis", text="owner_id name")
PEOPLE = _table("purposepath-people", text="linked_user_id")

NEW_LINKS = _table(
    "purposepath-kpi-links",
    *(Index(name=f"{column}-index", key=(column,)) for column in ("kpi_id", "goal_id", "person_id")),
    text="kpi_id person_id goal_id strategy_id link_type created_by created_at updated_by updated_at",
    number="threshold_pct weight display_order",
    boolean="is_primary",
)
NEW_DATA = _table(
    "purposepath-kpi-data",
    Index(name="kpi_link_id-index", key=("kpi_link_id", "post_date")),
    text="kpi_link_id data_category target_subtype actual_subtype post_date measured_period_start_date label rationale"
    " override_comment data_source source_reference_id recorded_by recorded_at created_by created_at updated_by"
    " updated_at legacy_table legacy_id",
    number="post_value confidence_level original_value",
    boolean="is_manual_override triggers_replan replan_threshold_exceeded auto_adjustment_applied",
    json="legacy_extra",
)


def _data_phase(id: str, title: str) -> Phase:
    suite = partial(suites.data, id)
    transform = (HERE / f"{id}.sql", HERE / "data.sql")
    return Phase(
        id=id, title=title, source=f"kpi_{id}", target="kpi_data", transform=transform, suite=suite, allow_empty=True
    )


migration = Migration(
    id="kpi_linking",
    title="KPI linking",
    owner="purposepath",
    doc=(HERE / "README.md").read_text(encoding="utf-8"),
    sources=(
        Source(id="goal_kpi_links", table=LINKS, partition_by=OWN_KPI, window="created_at"),
        Source(id="kpi_milestones", table=MILESTONES, partition_by=OWN_KPI, window="created_at"),
        Source(id="kpi_actuals", table=ACTUALS, partition_by=OWN_KPI, window="recorded_at"),
        Source(id="kpi_readings", table=READINGS, partition_by=OWN_KPI, window="entered_at"),
        Source(id="kpis", table=KPIS, partition_by=("tenant_id", "id")),
        Source(id="people", table=PEOPLE, partition_by=None),
    ),
    shared={"colliding_ids": HERE / "shared_colliding_ids.sql"},
    targets=(Target(id="kpi_links", table=NEW_LINKS), Target(id="kpi_data", table=NEW_DATA)),
    phases=(
        Phase(
            id="links",
            title="Links between goals and KPIs",
            source="goal_kpi_links",
            target="kpi_links",
            transform=HERE / "links.sql",
            suite=suites.links,
        ),
        _data_phase("milestones", "Milestones, as targets"),
        _data_phase("actuals", "Actuals"),
        _data_phase("readings", "Readings, as actuals"),
    ),
    suite=suites.whole,
    statements=(
        Statement(
            id="no_orphans",
            title="No KPI data without its link",
            # a legacy link of another window may be still to come, and one that was left alone is an exception of the proof
            query="SELECT d._key FROM after_kpi_data d"
            " ANTI JOIN after_kpi_links l ON l.tenant_id = d.tenant_id AND l.id = d.kpi_link_id"
            " ANTI JOIN (SELECT tenant_id, id FROM goal_kpi_links WHERE NOT in_window(iso_instant(created_at))"
            " OR id IN (SELECT key FROM left_alone WHERE target = 'kpi_links')) g"
            " ON g.tenant_id = d.tenant_id AND g.id = d.kpi_link_id",
            code="orphan",
        ),
    ),
    settings={
        "legacy": {READ_FROM: "legacy"},
        "dual": {READ_FROM: "legacy"},
        "new": {READ_FROM: "new"},
    },
    shadow=Shadow(comparison="kpi_linking_shadow"),
)
