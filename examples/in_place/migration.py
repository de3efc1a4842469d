"""Users get the domain of their address, in the table in which they are."""

from include.trueup.declare import Migration, Phase, Source, Table, Target, columns

USERS = Table(
    name="users", connection="crm_postgres", key=("id",), columns=columns(integer="id", text="mail mail_domain")
)

migration = Migration(
    id="in_place",
    owner="crm",
    sources=(Source(table=USERS),),
    targets=(
        Target(
            id="with_domain",
            table=USERS,
            owned=("mail_domain",),  # nothing else of a row is ever written
            prepare="prepare.sql",  # adds the column
            adds=("mail_domain",),  # until then it reads as null
        ),
    ),
    phases=(Phase(source="users", target="with_domain", transform="rows.sql"),),
)
