"""A film, its actors and its categories become one document."""

from include.trueup.declare import Migration, Phase, Source, Table, Target, columns


def table(name: str, key: tuple[str, ...], **types: str) -> Table:
    """A table of the cinema's database."""
    return Table(name=name, connection="cinema_postgres", key=key, columns=columns(**types))


FILM = table("film", ("film_id",), integer="film_id", text="title")
CAST = table("film_actor", ("film_id", "actor_id"), integer="film_id actor_id")
CATEGORIES = table("film_category", ("film_id", "category"), integer="film_id", text="category")
ACTOR = table("actor", ("actor_id",), integer="actor_id", text="name")
DOCUMENTS = table("film_documents", ("film_id",), integer="film_id", json="document")

migration = Migration(
    id="documents",
    owner="cinema",
    sources=(
        Source(table=FILM),
        # what belongs to a film lies in the film's partition
        Source(table=CAST, partition_by=("film_id",)),
        Source(table=CATEGORIES, partition_by=("film_id",)),
        Source(table=ACTOR, partition_by=None),
    ),
    targets=(Target(table=DOCUMENTS),),
    phases=(Phase(source="film", target="film_documents", transform="rows.sql"),),
)
