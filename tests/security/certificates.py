"""Certificates that should not be trusted, and one that should, made with the program openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

EC = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
NOW, SOON = "20200101000000Z", "20991231235959Z"
CONFIG = """\
[ca]
default_ca = own
[own]
new_certs_dir = {folder}
database = {folder}/index
serial = {folder}/serial
policy = any
unique_subject = no
x509_extensions = none
[any]
commonName = supplied
[none]
"""


class Made(NamedTuple):
    """How one is made. `name` stands in it as the host that it is for; `by` is the authority, itself if there is none."""

    name: str = "DNS:localhost"
    key: tuple[str, ...] = tuple(EC)
    digest: str = "sha256"
    begins: str = NOW
    ends: str = SOON
    by: str | None = "known"
    use: str = "serverAuth"


BAD = {
    "expired": Made(ends="20200102000000Z"),
    "not yet valid": Made(begins="20980101000000Z"),
    "for another host": Made("DNS:example.com"),
    "for an address in place of the name": Made("IP:10.0.0.1"),
    "for a host that only begins so": Made("DNS:localhost.example.com"),
    "for all hosts of a domain": Made("DNS:*"),
    "signed by itself": Made(by=None),
    "of an authority that nobody knows": Made(by="unknown"),
    "a key that is too short": Made(key=("rsa:1024",)),
    "a signature of SHA-1": Made(digest="sha1"),
    "for clients": Made(use="clientAuth"),
}


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


class Authority:
    """One that signs, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.certificate, self.key = folder / "ca.pem", folder / "ca.key"
        (folder / "index").touch()
        (folder / "serial").write_text("01")
        (folder / "config").write_text(CONFIG.format(folder=folder))
        openssl(
            "req",
            "-x509",
            "-newkey",
            *EC,
            "-nodes",
            "-days",
            "3650",
            "-subj",
            "/CN=ca",
            "-keyout",
            self.key,
            "-out",
            self.certificate,
        )

    def sign(self, made: Made, key: Path, certificate: Path) -> None:
        """Write a new key and its certificate."""
        request, extensions = self.folder / "request", self.folder / "extensions"
        extensions.write_text(
            f"subjectAltName = {made.name}\nextendedKeyUsage = {made.use}\nbasicConstraints = CA:FALSE\n"
        )
        openssl(
            "req",
            "-new",
            "-newkey",
            *made.key,
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-keyout",
            key,
            "-out",
            request,
        )
        signer: list[str | Path] = (
            ["-selfsign", "-keyfile", key]
            if made.by is None
            else ["-cert", self.certificate, "-keyfile", self.key]
        )
        openssl("ca", "-batch", "-notext", "-config", self.folder / "config", *signer, "-md", made.digest, "-startdate", made.begins,
                "-enddate", made.ends, "-extfile", extensions, "-in", request, "-out", certificate)  # fmt: skip
