"""Visits become sessions, all of them, or those of a window: a day of a backfill."""

from include.trueup.declare import Migration, Source, Table, Target, columns

VISITS = Table(
    name="visits",
    connection="web_postgres",
    key=("id",),
    columns=columns(integer="id", timestamp="began_at", text="page"),
)
SESSIONS = Table(
    name="sessions",
    connection="web_postgres",
    key=("id",),
    columns=columns(integer="id", timestamp="began_at", text="page"),
)

migration = Migration(
    id="window",
    owner="web",
    sources=(Source(table=VISITS, window="began_at"),),  # a run with a window is about these visits alone
    targets=(Target(table=SESSIONS),),
)
