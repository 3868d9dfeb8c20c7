"""The certificate of the web process, and the next one: they are renewed every few weeks, and nobody should have to know."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from pipeline.plan import TlsPlan

LOOK_SECONDS = 60.0
log = logging.getLogger(__name__)


class Certificate:
    """TLS from 1.2 on. `context` is right for every connection from now on. Raises OSError when the files cannot be
    used."""

    def __init__(self, tls: TlsPlan, root: str) -> None:
        self._files = (Path(root, tls.certificate), Path(root, tls.key))
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._read_at = self._changed_at()
        self._load()

    async def follow(self) -> None:
        """Take over what stands in the files, for as long as this runs."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Take over the files if they are others. Those that cannot be used, as while they are written, are told of."""
        try:
            if (changed_at := self._changed_at()) != self._read_at:
                self._load()
                self._read_at = changed_at
                log.info("the certificate was read again")
        except OSError as error:
            log.warning("the new certificate cannot be used, the old one stays: %s", error)

    def _load(self) -> None:
        certificate, key = self._files
        self.context.load_cert_chain(certificate, key, password=_no_password)

    def _changed_at(self) -> tuple[int, ...]:
        return tuple(path.stat().st_mtime_ns for path in self._files)


def _no_password() -> str:
    """Nobody is there to be asked for one."""
    return ""
