"""`/docs`: the OpenAPI document to read and to try, with every file of the page from this server."""

from importlib.resources import as_file, files
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse

from ..errors import NotFound

SWAGGER = files("fastapi_offline") / "static"
OWN = files(__package__)
FILES = {
    "swagger-ui.css": SWAGGER,
    "swagger-ui-bundle.js": SWAGGER,
    "docs.js": OWN,
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Inference Chat: routes</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="routes"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/docs.js"></script>
</body>
</html>
"""


def add_docs(app: FastAPI) -> None:
    """Add the page and its files; they are no part of the document themselves."""
    app.add_api_route("/docs", docs_page, include_in_schema=False)
    app.add_api_route("/docs/{name}", docs_file, include_in_schema=False, response_class=FileResponse)


async def docs_page() -> HTMLResponse:
    """The page."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})


def docs_file(name: str) -> FileResponse:
    """One of the page's files."""
    if name not in FILES:
        raise NotFound("There is no such file.")
    with as_file(FILES[name] / name) as path:
        return FileResponse(Path(path), headers={"Cache-Control": "public, max-age=86400"})
