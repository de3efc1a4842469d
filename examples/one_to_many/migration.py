"""An order with its lines in JSON becomes an order, and a row for each line."""

from include.trueup.declare import Migration, Output, Phase, Source, Table, Target, columns

CARTS = Table(
    name="carts", connection="shop_postgres", key=("id",), columns=columns(integer="id", text="customer", json="lines")
)
ORDERS = Table(name="orders", connection="shop_postgres", key=("id",), columns=columns(integer="id", text="customer"))
LINES = Table(
    name="order_lines",
    connection="shop_postgres",
    key=("order_id", "line"),
    columns=columns(integer="order_id line quantity", text="article"),
    required=("article", "quantity"),
)

migration = Migration(
    id="one_to_many",
    owner="shop",
    sources=(Source(table=CARTS),),
    targets=(
        Target(table=ORDERS),
        Target(table=LINES, partition_by=("order_id",)),  # beside its order, so that both go in one transaction
    ),
    phases=(
        Phase(
            id="orders",
            source="carts",
            transform="rows.sql",  # defines rows, for orders, and rows_order_lines
            outputs=(
                Output(target="orders"),
                Output(target="order_lines", parent=("order_id",)),  # the lines of an order are a set, replaced whole
            ),
        ),
    ),
)
