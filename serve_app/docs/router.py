"""The documentation page: Swagger UI, served by ourselves."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"
"""Files of npm `swagger-ui-dist` 5.35.0 (Apache-2.0, see LICENSE there), and our lines that start it."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mobula API</title>
<link rel="stylesheet" href="/docs/static/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/static/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/static/swagger-ui-bundle.js"></script>
<script src="/docs/static/mobula-docs.js"></script>
</body>
</html>
"""


def mount_docs(app: FastAPI) -> None:
    """Serve the page at /docs."""

    async def docs() -> HTMLResponse:
        return HTMLResponse(PAGE)

    app.mount("/docs/static", StaticFiles(directory=STATIC), name="docs-static")
    app.add_api_route("/docs", docs, include_in_schema=False, response_class=HTMLResponse, tags=["docs"])
