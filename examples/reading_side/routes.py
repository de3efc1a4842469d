"""What services read: GET /v2/notes/{id}."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import BaseModel

from include.routes import FIND, ProblemError, StoresDep, answer, documented, read

from .migration import NOTES, READ_FROM, migration
from .serving import note

router = APIRouter()


class Note(BaseModel):
    """A note."""

    id: int
    text: str


@router.get(
    "/v2/notes/{id}", response_model=Note, responses=documented(*FIND), tags=["notes"], operation_id="get_note_v2"
)
@read
def get_note(stores: StoresDep, id: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> Response:
    """The note, from the table that the switch says."""
    read_from = str(stores.settings(migration)[READ_FROM])
    with stores.postgres(NOTES.connection) as connection:
        found = note(connection, id, read_from)
    if found is None:
        raise ProblemError(404, "not-found", "There is no such note", f"No note has the id {id}.")
    return answer(found)
