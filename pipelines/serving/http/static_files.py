"""Files that are the same for everybody: those of the page, and those of the documentation of the interface."""

import base64
import hashlib
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import TypeAlias

Files: TypeAlias = Mapping[str, tuple[bytes, str]]  # path -> content and media type

SWAGGER = Path(__file__).parent / "swagger"  # swagger-ui-dist 5.35.0, Apache-2.0: see LICENSE and NOTICE there
DOCS, OPENAPI = "/docs", "/openapi.json"
DOCS_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>coarsefine: interface</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="interface"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
"""
START = """\
SwaggerUIBundle({url: "openapi.json", dom_id: "#interface", validatorUrl: null, persistAuthorization: false});
"""
STYLES_OF_SWAGGER = "style-src 'self' 'unsafe-inline'"  # it writes styles into its elements


def documentation() -> Files:
    """Return Swagger UI and the page that starts it; nothing in it comes from elsewhere."""
    return {
        DOCS: (DOCS_PAGE.encode(), "text/html; charset=utf-8"),
        f"{DOCS}/start.js": (START.encode(), "text/javascript; charset=utf-8"),
        f"{DOCS}/swagger-ui-bundle.js": (
            (SWAGGER / "swagger-ui-bundle.js").read_bytes(), "text/javascript; charset=utf-8",
        ),
        f"{DOCS}/swagger-ui.css": ((SWAGGER / "swagger-ui.css").read_bytes(), "text/css; charset=utf-8"),
    }  # fmt: skip


def file_headers(path: str, content: bytes, media_type: str) -> dict[str, str]:
    """Return the headers of a file: a page may run and load what it holds or names here, and nothing else."""
    headers = {
        "Content-Type": media_type,
        "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        "Cache-Control": "no-cache",  # asked for again each time, and sent again where it is another one
    }
    if media_type.startswith("text/html"):
        scripts, styles = inline_hashes(content.decode())
        style = STYLES_OF_SWAGGER if path == DOCS else " ".join(["style-src 'self'", *styles])
        headers["Content-Security-Policy"] = "; ".join([
            "default-src 'none'", " ".join(["script-src 'self'", *scripts]), style, "img-src 'self' data:",
            "font-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        ])  # fmt: skip
    return headers


def inline_hashes(html: str) -> tuple[list[str], list[str]]:
    """Return the sources that a policy names for the scripts and styles that stand in a page."""
    reader = _Inline()
    reader.feed(html)
    reader.close()
    return reader.sources["script"], reader.sources["style"]


class _Inline(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.sources: dict[str, list[str]] = {"script": [], "style": []}
        self._within: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag if tag in self.sources and "src" not in dict(attrs) else None

    def handle_data(self, data: str) -> None:
        if self._within is not None:
            digest = base64.b64encode(hashlib.sha256(data.encode()).digest()).decode()
            self.sources[self._within].append(f"'sha256-{digest}'")
            self._within = None
