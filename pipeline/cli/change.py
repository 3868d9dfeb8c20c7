"""`pipeline jobs update` and `duplicate`: what a producer may still do to a job that is in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from pipeline.cli.enqueue import client, print_answer, read_payload
from pipeline.cli.output import print_json
from pipeline.cli.project import as_json, takes_config, takes_queue
from pipeline.cli.types import duration, time


@click.command()
@takes_queue
@click.argument("id_", metavar="ID")
@click.option("--data", metavar="JSON|-", help="The new payload; - reads it from the input.")
@click.option("--priority", type=int, help="Higher runs first.")
@click.option("--delay", type=duration, help="Run it in so long: 30s, 1h30m, 7d.")
@click.option("--at", type=time, help="Run it then: 2026-01-31T09:00:00Z.")
@click.option("--front", is_flag=True, help="Run it now, before those that wait at its priority.")
@as_json
@takes_config
def update(
    queue: str,
    id_: str,
    data: str | None,
    priority: int | None,
    delay: int | None,
    at: datetime | None,
    front: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    config_: str | None,
) -> None:
    """Change a job of QUEUE that does not run: its payload, its priority, or when it runs.

    A dead or cancelled job takes a payload and a priority for its next `retry`.
    """
    changes: dict[str, Any] = {"priority": priority, "at": at, "front": front}
    if delay is not None:
        changes["delay"] = timedelta(milliseconds=delay)
    if data is not None:
        changes["data"] = read_payload(data)
    if not any(value not in (None, False) for value in changes.values()) and data is None:
        raise click.UsageError("say what to change: --data, --priority, --delay, --at or --front")
    with client(config_) as to:
        state = to.update(queue, id_, **changes)
    if as_json:
        print_json({"queue": queue, "id": id_, "state": state})
    else:
        click.echo(f"{id_}  {state}")


@click.command()
@takes_queue
@click.argument("id_", metavar="ID")
@click.option("--id", "new_id", help="An id of your own for the new job.")
@as_json
@takes_config
def duplicate(queue: str, id_: str, new_id: str | None, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Put a job like ID into QUEUE, due now, whatever became of ID. Deduplication counts as for any other."""
    with client(config_) as to:
        accepted = to.duplicate(queue, id_, new_id=new_id)
    print_answer(queue, accepted, as_json=as_json)
