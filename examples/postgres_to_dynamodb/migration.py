"""Invoices of PostgreSQL become items of DynamoDB."""

from include.trueup.declare import Migration, Phase, Source, Table, Target, columns

INVOICES = Table(
    name="invoices",
    connection="billing_postgres",
    key=("number",),
    columns=columns(
        integer="number",
        text="customer note",
        number="amount",
        float="rate",
        boolean="paid",
        timestamp="issued_at",
        date="due",
        binary="scan",
        json="lines labels",
    ),
)
ITEMS = Table(
    name="billing-invoices",
    connection="billing_dynamodb",
    key=("number",),
    # labels is not declared: no Type has sets; it is an attribute of `_extra`
    columns=columns(
        number="number amount rate", text="customer note issuedAt due", boolean="paid", binary="scan", json="document"
    ),
)

migration = Migration(
    id="postgres_to_dynamodb",
    owner="billing",
    sources=(Source(table=INVOICES),),
    targets=(Target(table=ITEMS),),
    phases=(Phase(source="invoices", target="billing_invoices", transform="rows.sql"),),
)
