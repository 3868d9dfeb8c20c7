"""The dashboard's files."""

from __future__ import annotations

import gzip

import pytest

from pipeline.plan import HttpPlan
from pipeline.web import static
from pipeline.web.static import ASK_AGAIN, FOR_EVER, assets

TRAVERSALS = [
    "/../main.py", "/..%2fmain.py", "/%2e%2e/main.py", "/....//main.py", "/static/../main.py", "/main.py", "/index.html/../main.py",
    "//etc/passwd", "/%2fetc%2fpasswd", "/..\\main.py", "/..%5cmain.py", "/%252e%252e/main.py", "/.", "/..", "/index.html%00.js",
    "/index.html/", "/INDEX.HTML", "/static.py", "/__init__.py", "/api/__init__.py", "/.pipeline/web.key", "/web.key", "/app.js.map",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("<p>" + "shop " * 300)
    (tmp_path / "app-0123abcd.js").write_text("let a = 1;\n" * 100)
    (tmp_path / "icon.png").write_bytes(b"\x89PNG")
    found = assets(tmp_path)
    monkeypatch.setattr(static, "assets", lambda: found)
    return found


def test_a_name_with_a_hash_is_kept_for_ever_and_every_other_is_asked_for_again(folder) -> None:
    assert {name: asset.caching for name, asset in folder.items()} == {
        "index.html": ASK_AGAIN,
        "app-0123abcd.js": FOR_EVER,
        "icon.png": ASK_AGAIN,
    }


async def test_a_file_is_packed_for_who_unpacks_and_not_sent_twice(site, folder) -> None:
    here = await site(HttpPlan())
    plain = await here.ask("GET", "/")
    assert plain.body == folder["index.html"].body
    assert plain.headers["content-type"] == "text/html; charset=utf-8"
    packed = await here.ask("GET", "/", accept_encoding="br, gzip")
    assert gzip.decompress(packed.body) == plain.body
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "accept-encoding")
    again = await here.ask("GET", "/", if_none_match=plain.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.security("S26", inputs=len(TRAVERSALS))
async def test_no_path_leads_out_of_the_package(site, folder) -> None:
    here = await site(HttpPlan())
    for path in TRAVERSALS:
        assert (await here.ask("GET", path)).status in (400, 401, 404), path
