"""Accounts become members, while the application goes on writing: first the old table, then both."""

from include.trueup.declare import Migration, Phase, Source, Table, Target, columns

ACCOUNTS = Table(
    name="accounts", connection="crm_postgres", key=("id",), columns=columns(integer="id", text="mail plan")
)
MEMBERS = Table(
    name="members", connection="crm_postgres", key=("id",), columns=columns(integer="id", text="mail tariff")
)

migration = Migration(
    id="live_tables",
    owner="crm",
    sources=(Source(table=ACCOUNTS),),
    targets=(Target(table=MEMBERS),),
    phases=(Phase(source="accounts", target="members", transform="rows.sql"),),
    settings={
        "legacy": {"members.write_to": "accounts"},
        "dual": {"members.write_to": "both"},
        "new": {"members.write_to": "members"},
    },
)
