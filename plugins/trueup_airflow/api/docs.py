"""The description as a page on which calls can be tried: Swagger UI, all of it served from here.

Its files come with a package that holds Swagger UI (Apache-2.0, its licence beside it); page and files are for those who
are signed in, as the description is.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

router = APIRouter(include_in_schema=False)
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
_OURS = Path(__file__).parent / "static"
_SWAGGER = Path(str(files("fastapi_standalone_docs"))) / "static" / "swagger"
_FILES = {
    "docs.css": (_OURS, "text/css"),
    "docs.js": (_OURS, "text/javascript"),
    "swagger-ui.css": (_SWAGGER, "text/css"),
    "swagger-ui-bundle.js": (_SWAGGER, "text/javascript"),
    "LICENSE": (_SWAGGER, "text/plain"),
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trueup API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="stylesheet" href="docs/docs.css">
</head>
<body>
<main id="docs"></main>
<noscript><p>This page needs JavaScript; openapi.json beside it says the same.</p></noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/docs.js"></script>
</body>
</html>
"""


@router.get("/docs")
def page(_: GetUserDep) -> Response:
    """The page. It holds nothing that is not in this file; the description is fetched by it."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": CSP, "Referrer-Policy": "same-origin"})


@router.get("/docs/{name}")
def file(name: str, _: GetUserDep) -> Response:
    """A file of the page."""
    if name not in _FILES:
        raise HTTPException(404, "The page has no file of that name.")
    folder, media_type = _FILES[name]
    return FileResponse(folder / name, media_type=media_type, headers={"Cache-Control": "private, max-age=3600"})
