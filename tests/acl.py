"""With PIPELINE_TEST_ACL=1 whoever comes to the tests' servers has the rights of deploy/acl/pipeline.acl and no others."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from pipeline.broker import parse
from pipeline.store.connect import connect_blocking

SERVER = os.environ.get("PIPELINE_TEST_SERVER")
FILE = Path(__file__).parents[1] / "deploy" / "acl" / "pipeline.acl"
USED = os.environ.get("PIPELINE_TEST_ACL") == "1"
PASSWORD = "of-tests"
LOGIN = f"AUTH admin {PASSWORD}\r\n".encode()


def as_admin(url: str) -> str:
    """The address of a server of the tests, for what only a person does there: settings, users, a look at all keys."""
    return url.replace("unix://", f"unix://admin:{PASSWORD}@") if USED else url


def by_admin(url: str, *command: Any) -> Any:
    """The reply to one command of such a person."""
    connection = connect_blocking(parse(as_admin(url)))
    try:
        return connection.call(command)
    finally:
        connection.close()


def users_of_tests(folder: Path) -> Path | None:
    """A file of users, in `folder`, for a server of the tests; None when they have all rights."""
    if not USED:
        return None
    users = folder / "users.acl"
    users.write_text(f"user default on nopass {rights()}\nuser admin on >{PASSWORD} ~* &* +@all\n")
    return users


def text() -> str:
    """The file, as the tests' server takes it: deploy/acl/README.md says what Redis 7.0 does not know."""
    told = (
        subprocess.run([SERVER, "--version"], capture_output=True, text=True, check=True).stdout
        if SERVER
        else ""
    )
    return FILE.read_text().replace(" +waitaof" if "v=7.0." in told else "\0", "")


def rights(keys: str = "~{*") -> str:
    """What the file gives to `pipeline`; every test's project has another name."""
    [line] = [line for line in text().splitlines() if line.startswith("user pipeline ")]
    return line.partition("#PASSWORD ")[2].replace("~{shop:* ~{shop}*", keys)
