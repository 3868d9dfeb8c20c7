"""A broker with `rediss://` is believed for its certificate and its name, or not spoken to at all."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest

from pipeline import Client
from pipeline.broker import parse
from pipeline.errors import BrokerUnavailable
from pipeline.store.connect import connect
from tests.cli.conftest import Shop, shop
from tests.security.certificates import BAD, Authority, Made
from tests.security.terminator import terminated

__all__ = ["shop"]
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificates with openssl")


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> dict[str | None, Authority]:
    folder = tmp_path_factory.mktemp("authorities")
    known, unknown = Authority(folder / "known"), Authority(folder / "unknown")
    return {"known": known, "unknown": unknown, None: unknown}


@pytest.fixture
def trusted(authorities: dict[str | None, Authority], monkeypatch: pytest.MonkeyPatch) -> None:
    """This host trusts one of them."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities["known"].certificate))


def shown(made: Made, authorities: dict[str | None, Authority], folder: Path) -> ssl.SSLContext:
    """A server that shows such a certificate, and is as lax as it must be for that."""
    authorities[made.by].sign(made, folder / "key.pem", folder / "cert.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def ping(url: str) -> Any:
    connection = await connect(parse(url))
    try:
        return await connection.call(("PING",))
    finally:
        connection.close()


def refused(port: int, shop: Shop) -> None:
    """By a connection of a worker, by a producer, and by the commands of a person."""
    url = f"rediss://:password@localhost:{port}"
    with pytest.raises(BrokerUnavailable):
        asyncio.run(ping(url))
    with pytest.raises(BrokerUnavailable), Client(url, name="shop", timeout=2.0) as client:
        client.enqueue("emails", "welcome", 1)
    shop.file.write_text(shop.file.read_text().replace(shop.url, url))
    for words in (["doctor"], ["status"]):
        assert shop.call(*words).exit_code == 69


@pytest.mark.security("S24", inputs=4)
@pytest.mark.parametrize("kind", BAD)
def test_a_certificate_that_cannot_be_believed_is_refused_before_the_password_is_sent(
    kind: str, authorities: dict[str | None, Authority], trusted: None, shop: Shop, tmp_path: Path
) -> None:
    with terminated(shop.url.removeprefix("unix://"), shown(BAD[kind], authorities, tmp_path)) as (
        port,
        heard,
    ):
        refused(port, shop)
    assert heard == []


@pytest.mark.security("S24", inputs=4)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_a_server_that_speaks_old_versions_alone_is_refused(
    version: ssl.TLSVersion,
    authorities: dict[str | None, Authority],
    trusted: None,
    shop: Shop,
    tmp_path: Path,
) -> None:
    context = shown(Made(), authorities, tmp_path)
    with pytest.warns(DeprecationWarning, match="TLSVersion"):
        context.minimum_version = context.maximum_version = version
    with terminated(shop.url.removeprefix("unix://"), context) as (port, heard):
        refused(port, shop)
    assert heard == []


def test_one_that_is_right_is_spoken_to(
    authorities: dict[str | None, Authority], trusted: None, shop: Shop, tmp_path: Path
) -> None:
    shop.publish()
    with terminated(shop.url.removeprefix("unix://"), shown(Made(), authorities, tmp_path)) as (port, heard):
        assert asyncio.run(ping(f"rediss://localhost:{port}")) == b"PONG"
        with Client(f"rediss://localhost:{port}", name="shop") as client:
            assert client.enqueue("emails", "welcome", 1).status == "created"
        shop.file.write_text(shop.file.read_text().replace(shop.url, f"rediss://localhost:{port}"))
        assert "reachable    ok" in shop.call("doctor").stdout
    assert heard
