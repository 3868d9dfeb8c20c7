"""The examples in other languages put jobs in, once however often they are run."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from tests.web.api.conftest import Api, Bench, token

HTTP = Path(__file__).parents[3] / "examples" / "http"


async def run(api: Api, *command: str, role: str = "operator") -> tuple[int, str]:
    """The exit code, and what it said."""
    environment = os.environ | {"PIPELINE_HTTP_URL": f"http://{api.at}", "PIPELINE_TOKEN": token(role)}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_the_curl_example_puts_a_job_in_once(api: Api, bench: Bench) -> None:
    for status in ("created", "duplicate"):
        code, said = await run(api, "sh", str(HTTP / "enqueue.sh"), "order-17")
        assert (code, status in said) == (0, True), said
    assert [job.data for job in bench.operator.jobs()] == [{"order": "order-17"}]
    assert (await run(api, "sh", str(HTTP / "enqueue.sh"), "order-18", role="viewer"))[0] != 0


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node")
async def test_the_node_example_puts_jobs_in_once(api: Api, bench: Bench) -> None:
    for status in ("created", "duplicate"):
        code, said = await run(api, "node", str(HTTP / "enqueue.mjs"), "order-17", "order-18")
        assert (code, said.count(status)) == (0, 2), said
    assert len(list(bench.operator.jobs())) == 2
    code, said = await run(api, "node", str(HTTP / "enqueue.mjs"), "order-19", role="viewer")
    assert (code, "forbidden" in said) == (1, True), said
