"""Orders of DynamoDB become rows of PostgreSQL."""

from include.trueup.declare import Migration, Phase, Source, Table, Target, columns

ITEMS = Table(
    name="shop-orders",
    connection="shop_dynamodb",
    key=("id",),
    columns=columns(text="id placedAt note", number="total", boolean="paid", binary="receipt", json="address"),
)
ORDERS = Table(
    name="orders",
    connection="shop_postgres",
    key=("id",),
    columns=columns(
        text="id note",
        number="total",
        boolean="paid",
        binary="receipt",
        timestamp="placed_at",
        json="address tags more",
    ),
    required=("placed_at",),
)

migration = Migration(
    id="dynamodb_to_postgres",
    owner="shop",
    sources=(Source(table=ITEMS),),
    targets=(Target(table=ORDERS),),
    phases=(Phase(source="shop_orders", target="orders", transform="rows.sql"),),
)
