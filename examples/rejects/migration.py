"""Payments become bookings; each kind of finding, once."""

from include.trueup.declare import Migration, Phase, Source, Table, Target, columns

PAYMENTS = Table(
    name="payments", connection="bank_postgres", key=("id",), columns=columns(text="id amount currency status")
)
BOOKINGS = Table(
    name="bookings",
    connection="bank_postgres",
    key=("id",),
    columns=columns(text="id currency", number="amount"),
    required=("amount", "currency"),
)

migration = Migration(
    id="rejects",
    owner="bank",
    sources=(Source(table=PAYMENTS),),
    targets=(Target(table=BOOKINGS),),
    phases=(
        Phase(
            source="payments",
            target="bookings",
            transform="rows.sql",
            expected_skips=("cancelled",),  # any number of these; of other skips at most max_skip_share
        ),
    ),
)
