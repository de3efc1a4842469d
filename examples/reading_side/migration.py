"""Entries become notes, and a service reads them from the one or the other, as the switch says."""

from include.trueup.declare import Migration, Shadow, Source, Table, Target, columns

ENTRIES = Table(
    name="entries", connection="notes_postgres", key=("id",), columns=columns(integer="id", text="title body")
)
NOTES = Table(name="notes", connection="notes_postgres", key=("id",), columns=columns(integer="id", text="text"))
READ_FROM = "notes.read_from"

migration = Migration(
    id="reading_side",
    owner="notes",
    sources=(Source(table=ENTRIES),),
    targets=(Target(table=NOTES),),
    settings={
        "legacy": {READ_FROM: "entries"},
        "dual": {READ_FROM: "entries"},
        "new": {READ_FROM: "notes"},
    },
    shadow=Shadow(comparison="reading_side_shadow"),
)
