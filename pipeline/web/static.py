"""The dashboard's files. They are read once, from the package; no path of a request reaches the disk."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from functools import cache
from pathlib import Path

from msgspec import Struct

from pipeline.web.request import Request
from pipeline.web.response import Refused, Response
from pipeline.web.route import Route
from pipeline.web.shop import Shop

FOLDER = Path(__file__).parent / "static"
HOME = "index.html"
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
SMALL = 512
_HASHED = re.compile(r"-[0-9A-Za-z_]{8,}\.[a-z0-9]+$")
_TEXT = ("text/", "application/json", "text/javascript", "image/svg+xml")


class Asset(Struct, frozen=True):
    """One file, as it is and packed; `packed` is None where that is of no use."""

    body: bytes
    packed: bytes | None
    content_type: str
    etag: str
    caching: str


@cache
def assets(folder: Path = FOLDER) -> dict[str, Asset]:
    """Every file by its path below the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return {path.relative_to(folder).as_posix(): _asset(path) for path in files}


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    packed = gzip.compress(body, 9, mtime=0) if kind.startswith(_TEXT) and len(body) > SMALL else None
    tag = hashlib.sha256(body).hexdigest()[:20]
    kind = f"{kind}; charset=utf-8" if kind.startswith(_TEXT) else kind
    return Asset(body, packed, kind, f'"{tag}"', FOR_EVER if _HASHED.search(path.name) else ASK_AGAIN)


async def serve(shop: Shop, request: Request) -> Response:  # noqa: ARG001 - a handler's signature
    """One file, or 304 when the browser has it."""
    asset = assets().get(request.path.removeprefix("/") or HOME)
    if asset is None:
        raise Refused(404, "not_found", "this installation has no dashboard", "see /api/v1/openapi.json")
    headers = (("etag", asset.etag), ("cache-control", asset.caching), ("vary", "accept-encoding"))
    if asset.etag in (request.header("if-none-match") or ""):
        return Response(304, b"", asset.content_type, headers)
    if asset.packed is not None and "gzip" in (request.header("accept-encoding") or ""):
        return Response(200, asset.packed, asset.content_type, (*headers, ("content-encoding", "gzip")))
    return Response(200, asset.body, asset.content_type, headers)


STATIC = (
    Route("GET", "/", "open", serve, "The dashboard."),
    *(Route("GET", f"/{name}", "open", serve, f"The dashboard's {name}.") for name in assets()),
)
