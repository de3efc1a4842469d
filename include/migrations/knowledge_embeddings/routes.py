"""What the services read of the knowledge base: documents by what they mean."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, Field

from include.routes import ASK, Instant, ProblemError, StoresDep, answer, documented, read
from include.trueup.errors import DeclarationError

from .embed import MODEL
from .migration import DOCUMENTS
from .serving import MOST, embedded, is_set_up, nearest

router = APIRouter()


class Document(BaseModel):
    """A document, and how far what it means is from what was asked for."""

    id: UUID
    project_id: UUID | None
    filename: str
    content_type: str | None
    uploaded_at: Instant
    excerpt: str | None = Field(description="The first 300 characters of its content.")
    distance: float = Field(description="Cosine distance: 0 is the same, 1 has nothing in common, 2 is the opposite.")


class Documents(BaseModel):
    """The nearest documents, the nearest first."""

    q: str
    model: str = Field(description="The model whose vectors were compared.")
    documents: list[Document]
    next_cursor: None = Field(description="Always null: a search has one page, of `limit` documents.")


def _says_something(q: str) -> str:
    if not q.strip():
        raise ValueError("it says nothing; give words to search for")
    if "\0" in q:
        raise ValueError("the character NUL is in no text")
    return q


@router.get(
    "/v2/documents/search",
    response_model=Documents,
    responses=documented(*ASK),
    tags=["documents"],
    operation_id="search_documents_v2",
)
@read
def search_documents(
    stores: StoresDep,
    q: Annotated[
        str,
        Query(description="What is searched for, in words.", min_length=1, max_length=10_000),
        AfterValidator(_says_something),
    ],
    limit: Annotated[int, Query(description="Documents of the answer.", ge=1, le=MOST)] = 10,
) -> Response:
    """The documents whose content is nearest to the words, by the cosine distance of their vectors. Documents without a vector
    of the current model, and those that changed since they got it until the next run of knowledge_embeddings, are found by what
    they were, or not at all."""
    try:
        vector = embedded(q)
    except DeclarationError as error:
        raise ProblemError(
            503, "model-missing", "The model is not installed", f"{error}. Then restart the API server."
        ) from error
    with stores.postgres(DOCUMENTS.connection) as connection:
        if not is_set_up(connection):
            detail = "The database has no vectors yet: they come with phase 5 of platform_schema. Run that, then knowledge_embeddings."
            raise ProblemError(503, "phase-missing", "The vectors are not there yet", detail)
        closest = nearest(connection, vector, limit)
    documents = [
        {**each, "id": str(each["id"]), "project_id": each["project_id"] and str(each["project_id"]),
         "uploaded_at": each["uploaded_at"].astimezone(UTC).isoformat(), "distance": float(each["distance"])}
        for each in closest
    ]  # fmt: skip
    return answer({"q": q, "model": MODEL, "documents": documents, "next_cursor": None})
