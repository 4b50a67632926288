"""The files of the service's page, as a server hands them out: written by hand, and nothing is built."""

from pathlib import Path

FOLDER = Path(__file__).parent
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


def service_page() -> dict[str, tuple[bytes, str]]:
    """Read the page and what it needs.

    Its addresses are relative, so it may stand under any path of a proxy. It carries its own policy of contents: no
    script or style but its files, and no request to elsewhere.

    Returns
    -------
    dict
        Path below the service → (content, media type): ``/`` is the page, all else stands under ``/assets/``.
    """
    return {
        "/" if file.name == "page.html" else f"/assets/{file.name}": (file.read_bytes(), MEDIA_TYPES[file.suffix])
        for file in sorted(FOLDER.iterdir())
        if file.suffix in MEDIA_TYPES
    }
