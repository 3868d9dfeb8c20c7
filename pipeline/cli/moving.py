"""`pipeline jobs export`, and the way back in: `pipeline enqueue --from`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

import click

from pipeline.cli.app import REFUSED
from pipeline.cli.output import print_json, progress
from pipeline.cli.project import at_work, check_queue, connected, takes_config
from pipeline.errors import InvalidPayload

if TYPE_CHECKING:
    from pipeline.plan import Plan
    from pipeline.store.blocking import BlockingConnection
    from pipeline.store.moving import Line, Moving

CHUNK, HEAVY = 100, 1_048_576
TOLD = 10


@click.command(short_help="Print jobs as lines, to be moved to another broker.")
@click.argument("queues", metavar="QUEUE...", nargs=-1, required=True)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(("waiting", "delayed", "dead")),
    help="Only these.  [default: waiting, delayed]",
)
@takes_config
def export(queues: tuple[str, ...], states: tuple[Moving, ...], config_: str | None) -> None:
    """Print the jobs of QUEUE that do not run, each as a line of JSON for `pipeline enqueue --from`.

    They stay where they are: remove them with `pipeline jobs remove QUEUE --from` when they have arrived.
    """
    from pipeline.store.export import Export

    plan, _ = at_work(None, config_)
    with connected(plan) as connection:
        for queue in queues:
            check_queue(connection, plan, queue)
        for queue in queues:
            found = Export(connection, plan.name, queue)
            _print(connection, plan, queue, found, states or ("waiting", "delayed"))


def _print(
    connection: BlockingConnection, plan: Plan, queue: str, found: Any, states: tuple[Moving, ...]
) -> None:
    import msgspec

    from pipeline.broker import parse
    from pipeline.state import broker_url
    from pipeline.store.call import run_blocking
    from pipeline.store.reader import Reader

    count: Counter[str] = Counter()
    with progress(f"export {queue}") as advance:
        for line in found.lines(states):
            sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
            count[line.state] += 1
            advance(1)
    sys.stdout.buffer.flush()
    standing = run_blocking(connection, Reader(plan.name, queue).counts())
    told = ", ".join(f"{number:,} {state}" for state, number in count.items()) or "no jobs"
    _tell(queue, f"{told}, from {parse(broker_url(plan))}")
    if standing.active:
        _tell(queue, f"{standing.active:,} run, and stay here")
    if found.flows:
        _tell(queue, f"{found.flows:,} are steps of flows, and stay here: flows end where they began")
    if standing.paused is None and standing.workers:
        _tell(
            queue,
            f"it is worked on meanwhile, and what was printed may run here: `pipeline pause {queue}` first",
        )


def _tell(queue: str, text: str) -> None:
    click.echo(f"{queue}: {text}", err=True)


def take_in(source: IO[bytes], config: str | None, prefix: str | None, *, as_json: bool) -> None:
    """Store the jobs of an export; ids that are numbers get `prefix` in front. A line that is none ends it; what was stored before stays. Ends with 1 when an id is
    taken by another job there."""
    from pipeline.store.moving import bring
    from pipeline.store.store import Store

    plan, _ = at_work(None, config)
    count: Counter[tuple[str, str]] = Counter()
    taken: list[str] = []
    with connected(plan) as connection, progress("enqueue") as advance:
        for chunk in _chunks(line.named(prefix) for line in lines_of(source)):
            queue = chunk[0].queue
            check_queue(connection, plan, queue)
            keep = plan.queues[queue].ids_keep if queue in plan.queues else 0
            statuses = bring(connection, Store(plan.name, queue), chunk, keep)
            count.update((queue, status) for status in statuses)
            taken += [
                f"{queue} {line.id}"
                for line, status in zip(chunk, statuses, strict=True)
                if status == "taken"
            ]
            advance(len(chunk))
    _say(count, taken, as_json=as_json)


def _say(count: Counter[tuple[str, str]], taken: list[str], *, as_json: bool) -> None:
    for queue in sorted({queue for queue, _ in count}):
        told = {status: number for (of, status), number in sorted(count.items()) if of == queue}
        if as_json:
            print_json(
                {
                    "queue": queue,
                    **{status: told.get(status, 0) for status in ("created", "duplicate", "taken")},
                }
            )
        else:
            click.echo(f"{queue}: {', '.join(f'{number:,} {status}' for status, number in told.items())}")
    if not count:
        click.echo("no line, no job")
    for place in taken[:TOLD]:
        click.echo(f"{place} is another job there: this one was not stored", err=True)
    if len(taken) > TOLD:
        click.echo(f"and {len(taken) - TOLD:,} more", err=True)
    if taken:
        click.echo(
            "keep these lines out of what `pipeline jobs remove --from` gets: the old broker has the only copy. "
            "A file of just these can be brought with --prefix",
            err=True,
        )
        click.get_current_context().exit(REFUSED)


def ids_of(source: IO[bytes], queue: str) -> list[str]:
    """The ids of a queue's jobs in an export. Raises InvalidPayload with the line."""
    return [line.id for line in lines_of(source) if line.queue == queue]


def lines_of(source: IO[bytes]) -> Iterator[Line]:
    """The jobs of an export; empty lines are skipped. Raises InvalidPayload with the line."""
    from pipeline.store.moving import read

    for number, text in enumerate(source, 1):
        if text.strip():
            try:
                yield read(text)
            except InvalidPayload as error:
                raise InvalidPayload(f"line {number:,}: {error.message}") from None


def _chunks(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Lines of one queue that follow each other, as many as one script should take in."""
    chunk: list[Line] = []
    weight = 0
    for line in lines:
        size = len(bytes(line.record))
        if chunk and (line.queue != chunk[0].queue or len(chunk) == CHUNK or weight + size > HEAVY):
            yield chunk
            chunk, weight = [], 0
        chunk.append(line)
        weight += size
    if chunk:
        yield chunk
