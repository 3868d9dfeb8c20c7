"""What `pipeline run` does, for a plan in a file: `python run_plan.py PLAN [--until-empty] [--queues A,B]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from pipeline.cli.app import exit_code
from pipeline.errors import PipelineError
from pipeline.plan import Plan
from pipeline.supervisor.supervisor import supervise


def main(path: str, *options: str) -> int:
    plan = msgspec.json.decode(Path(path).read_bytes(), type=Plan)
    queues = options[options.index("--queues") + 1].split(",") if "--queues" in options else None
    until_empty, json_logs = "--until-empty" in options, "--json" in options
    work = supervise(plan, queues=queues, until_empty=until_empty, json_logs=json_logs, out=sys.stdout)
    try:
        return asyncio.run(work)
    except PipelineError as error:
        sys.stdout.write(f"{error.message}\n{error.help}\n")
        return exit_code(error)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
