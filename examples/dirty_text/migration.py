"""Orders of free text become orders with a number, a currency, a date and one of three statuses."""

from include.trueup.declare import Migration, Phase, Source, Table, Target, columns

LEGACY = Table(
    name="orders_legacy",
    connection="shop_postgres",
    key=("order_no",),
    columns=columns(text="order_no email total placed_on status"),
)
ORDERS = Table(
    name="clean_orders",
    connection="shop_postgres",
    key=("id",),
    columns=columns(integer="id", text="email currency status", number="total", date="placed_on"),
    required=("email", "total", "currency", "placed_on", "status"),
)

migration = Migration(
    id="dirty_text",
    owner="shop",
    sources=(Source(table=LEGACY),),
    targets=(Target(table=ORDERS),),
    phases=(Phase(source="orders_legacy", target="clean_orders", transform="rows.sql"),),
)
