"""Orders get the name of their country."""

from include.trueup.declare import Migration, Source, Table, Target, columns

ORDERS = Table(
    name="orders",
    connection="shop_postgres",
    key=("id",),
    columns=columns(integer="id", text="country", number="total"),
)
COUNTRIES = Table(name="countries", connection="shop_postgres", key=("code",), columns=columns(text="code name"))
SALES = Table(
    name="sales",
    connection="shop_postgres",
    key=("id",),
    columns=columns(integer="id", text="country_name", number="total"),
    required=("country_name",),
)

migration = Migration(
    id="look_up",
    owner="shop",
    sources=(
        Source(table=ORDERS),
        Source(table=COUNTRIES, partition_by=None),  # a look-up: every partition sees it whole
    ),
    targets=(Target(table=SALES),),
)
