"""`pipeline enqueue`: one job, or one for each line of a file."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import click

from pipeline.cli.moving import take_in
from pipeline.cli.names import job_names, queue_names
from pipeline.cli.output import progress
from pipeline.cli.project import as_json, find, plan_of, takes_config
from pipeline.cli.types import duration, time
from pipeline.errors import EnqueueError, InvalidPayload

if TYPE_CHECKING:
    from pipeline.client import Client
    from pipeline.store.store import Accepted

CHUNK = 1_000


@click.command(short_help="Put a job in, or one for each line of a file.")
@click.argument("queue", required=False, shell_complete=queue_names)
@click.argument("job", required=False, shell_complete=job_names)
@click.argument("data", required=False)
@click.option("--id", "id_", help="An id of your own: the job is taken once only.")
@click.option("--delay", type=duration, help="Run it in so long: 30s, 1h30m, 7d.")
@click.option("--at", type=time, help="Run it then: 2026-01-31T09:00:00Z.")
@click.option("--priority", type=int, help="Higher runs first.")
@click.option("--expires", type=duration, help="Cancel it if it has not begun so long after it could.")
@click.option("--front", is_flag=True, help="Put it before those that wait.")
@click.option(
    "--from",
    "source",
    type=click.File("rb"),
    help="A file with one payload a line; without QUEUE and JOB, one of `jobs export`. - is the input.",
)
@click.option("--prefix", help="With an export: ids that are numbers get this name in front, old:17.")
@as_json
@takes_config
def enqueue(
    queue: str | None,
    job: str | None,
    data: str | None,
    id_: str | None,
    delay: int | None,
    at: datetime | None,
    priority: int | None,
    expires: int | None,
    front: bool,  # noqa: FBT001
    source: IO[bytes] | None,
    prefix: str | None,
    as_json: bool,  # noqa: FBT001
    config_: str | None,
) -> None:
    """Put a job into QUEUE. DATA is its payload as JSON; - reads it from the input.

    Prints the job's id, and `created`, `duplicate` or `replaced`.
    """
    if queue is None and source is not None:
        take_in(source, config_, prefix, as_json=as_json)
        return
    if prefix is not None:
        raise click.UsageError("--prefix is for the lines of `pipeline jobs export`: leave out QUEUE and JOB")
    if queue is None or job is None:
        lacks = "JOB" if queue else "QUEUE"
        raise click.UsageError(
            f"Missing argument '{lacks}'; without both, --from takes what `pipeline jobs export` prints"
        )
    if source is not None and (data is not None or id_ is not None):
        raise click.UsageError("--from gives the payloads: leave out DATA and --id")
    payload = None if source is not None else read_payload(data)
    spans = {"delay": delay, "expires": expires}
    options: dict[str, Any] = {"at": at, "priority": priority, "front": front}
    options |= {name: timedelta(milliseconds=ms) for name, ms in spans.items() if ms is not None}
    with client(config_) as to:
        if source is None:
            print_answer(queue, to.enqueue(queue, job, payload, id=id_, **options), as_json=as_json)
        else:
            feed(to, queue, job, source, options, as_json=as_json)


@contextmanager
def client(config: str | None) -> Iterator[Client]:
    """A client of the project; an embedded broker that does not run is started meanwhile."""
    from pipeline.client import Client
    from pipeline.supervisor.embedded import open_broker

    plan = plan_of(str(find(None, config)), None)
    with open_broker(plan, start=True), Client(plan) as to:
        yield to


def read_payload(data: str | None) -> Any:
    """The payload of one job. Raises InvalidPayload."""
    text = sys.stdin.read() if data == "-" else data
    return None if text is None else parse(text, "quote it for the shell: '{\"order\": 17}'")


def parse(text: str | bytes, help: str) -> Any:
    """JSON as a value. Raises InvalidPayload."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        raise InvalidPayload(f"the payload is not JSON: {error}", help) from None
    except RecursionError:
        raise InvalidPayload("the payload is nested too deeply") from None


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def print_answer(queue: str, accepted: Accepted, *, as_json: bool) -> None:
    """The id that stands, and what became of the job."""
    if as_json:
        click.echo(json.dumps({"queue": queue, "id": accepted.id, "status": accepted.status}))
    else:
        click.echo(f"{accepted.id}  {accepted.status}")


def feed(
    to: Client, queue: str, job: str, source: IO[bytes], options: dict[str, Any], *, as_json: bool
) -> None:
    """A job for each line, sent in chunks. A line that is refused ends it; what was sent before stays."""
    count: Counter[str] = Counter()
    with progress(f"enqueue {job}", _size(source)) as advance:
        try:
            for chunk in _chunks(numbered(source, advance)):
                answers = send(to, queue, job, chunk, options)
                count.update(accepted.status for accepted in answers)
                if as_json:
                    for accepted in answers:
                        print_answer(queue, accepted, as_json=True)
        except EnqueueError as error:
            before = f"the {count.total():,} jobs before are in" if count else "nothing was enqueued"
            raise type(error)(error.message, "; ".join(filter(None, [error.help, before]))) from None
    if not as_json:
        told = ", ".join(f"{number:,} {status}" for status, number in sorted(count.items()))
        click.echo(f"{queue}: {told or 'no line, no job'}")


def send(
    to: Client, queue: str, job: str, chunk: list[tuple[int, Any]], options: dict[str, Any]
) -> list[Accepted]:
    """Enqueue some numbered payloads. Raises EnqueueError that names the lines."""
    from pipeline.producer import Wanted

    try:
        return to.enqueue_many(queue, [Wanted(job, data, **options) for _, data in chunk])
    except EnqueueError as error:
        first, last = chunk[0][0], chunk[-1][0]
        place = f"line {first:,}" if first == last else f"in lines {first:,} to {last:,}"
        raise type(error)(f"{place}: {error.message}", error.help) from None


def numbered(source: IO[bytes], advance: Callable[[int], None]) -> Iterator[tuple[int, Any]]:
    """Each line's number and payload; empty lines are skipped. Raises InvalidPayload with the line."""
    for number, line in enumerate(source, 1):
        if line.strip():
            try:
                yield number, parse(line, "")
            except InvalidPayload as error:
                raise InvalidPayload(f"line {number:,}: {error.message}") from None
        advance(len(line))


def _chunks(lines: Iterator[tuple[int, Any]]) -> Iterator[list[tuple[int, Any]]]:
    while chunk := list(islice(lines, CHUNK)):
        yield chunk


def _size(source: IO[bytes]) -> int | None:
    try:
        found = os.fstat(source.fileno())
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
