"""Certificates come and go while the process stays."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
from pathlib import Path

import pytest

from pipeline.plan import TlsPlan
from pipeline.web.certificate import Certificate

TLS = TlsPlan("cert.pem", "key.pem")


def make(folder: Path, name: str) -> None:
    """A certificate for a name, that says itself that it is right."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


def shown_to(context: ssl.SSLContext) -> bytes:
    """The certificate that a client gets."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    up, down, back, forth = (ssl.MemoryBIO() for _ in range(4))
    ours, theirs = context.wrap_bio(up, down, server_side=True), client.wrap_bio(back, forth)
    for _ in range(4):
        for side in (theirs, ours):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
            up.write(forth.read())
            back.write(down.read())
    return theirs.getpeercert(binary_form=True) or b""


def test_a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_is_not(tmp_path: Path) -> None:
    make(tmp_path, "one")
    certificate = Certificate(TLS, str(tmp_path))
    first = shown_to(certificate.context)
    certificate.look()
    assert shown_to(certificate.context) == first
    (tmp_path / "cert.pem").write_text("half")
    certificate.look()
    assert shown_to(certificate.context) == first
    make(tmp_path, "two")
    os.utime(tmp_path / "key.pem", (1, 1))
    certificate.look()
    assert shown_to(certificate.context) != first


def test_a_certificate_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        Certificate(TLS, str(tmp_path))
    make(tmp_path, "one")
    (tmp_path / "key.pem").write_text("no key")
    with pytest.raises(OSError):
        Certificate(TLS, str(tmp_path))
