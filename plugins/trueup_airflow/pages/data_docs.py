"""Data Docs of a run, where somebody has had them built: pages of Great Expectations that run no script and load nothing."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from starlette.responses import Response

from include.trueup.run import Files

from .downloads import style_of
from .files import folder
from .one_run import Asked

router = APIRouter(prefix="/data/dags/{dag_id}/runs/{run_id}/docs")
CSP = (
    "default-src 'none'; style-src {style}; img-src data:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'; "
    "sandbox"
)


@router.get("/{name}")
def page(asked: Asked, name: str) -> Response:
    """A page of them, or `index.html`."""
    content = Files(folder(asked.id)).docs_page(name)
    if content is None:
        raise HTTPException(404, f"there is no such page of Data Docs; make data-docs RUN={asked.id} builds them")
    headers = {"Content-Security-Policy": CSP.format(style=style_of(content))}
    return Response(content, media_type="text/html; charset=utf-8", headers=headers)
