"""The whole API under made-up input: what the document allows and what it does not, and never a crash."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.web.api.conftest import Api, Bench, token

EXAMPLES = int(os.environ.get("PIPELINE_SURFACE_EXAMPLES", "40"))


@pytest.mark.world
@pytest.mark.timeout(1_800)
async def test_made_up_requests_are_answered_with_2xx_or_4xx(api: Api, bench: Bench, tmp_path: Path) -> None:
    dead = [bench.dead({"order": 17, "card": "4242-4242"}, "declined") for _ in range(20)]
    ids = [*dead, *bench.enqueue(count=20), bench.put({}, delay="1h"), "gone"]
    await api.do("flows/order", {"data": {"id": 7, "sku": "a", "payment": {"number": "1"}}, "id": "a7"})
    document = await api.get("openapi.json")
    # An answer without an end, a process for each, and what only a supervisor does: these have tests of their own.
    for path in ("stream", "config", "config/reload", "history/{n}/rollback"):
        del document["paths"][f"/api/v1/{path}"]
    there = {
        "queue": ["emails", "stock", "morgue"],
        "id": ids,
        "n": ["1"],
        "name": ["nightly"],
        "flow": ["order"],
    }
    for operation in (one for methods in document["paths"].values() for one in methods.values()):
        for parameter in operation["parameters"]:
            if parameter["in"] == "path" and parameter["name"] in there:
                parameter["schema"] = {"type": "string", "enum": there[parameter["name"]]}
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document))
    command = [
        shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or "schemathesis", "run", str(file), "--url", f"http://{api.at}",
        "--header", f"Authorization: Bearer {token('admin')}", "--checks", "not_a_server_error,response_schema_conformance,content_type_conformance,status_code_conformance",
        "--mode", "all", "--max-examples", str(EXAMPLES), "--phases", "examples,coverage,fuzzing", "--request-timeout", "20", "--no-color", "--continue-on-failure",
        "--exclude-operation-id", "signin_sign_in", "--exclude-operation-id", "signin_sign_out",
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-20_000:]
    assert (await api.get("overview"))["problem"] is None
