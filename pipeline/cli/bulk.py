"""Many jobs at once: `pipeline jobs retry|cancel|remove|promote QUEUE` with filters instead of ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from pipeline.cli.app import INTERRUPTED
from pipeline.cli.output import confirm, print_json, progress, until_interrupted
from pipeline.cli.types import duration

if TYPE_CHECKING:
    from pipeline.store.bulk import Kind, Moved
    from pipeline.store.listing import Filter
    from pipeline.store.operator import Operator

Command = TypeVar("Command", bound=Callable[..., object])
DONE = {"retry": "retried", "cancel": "cancelled", "remove": "removed", "promote": "promoted"}
TAKEN: dict[str, tuple[str, ...]] = {
    "retry": ("dead",),
    "cancel": ("waiting", "delayed"),
    "remove": (),
    "promote": ("delayed",),
}
"""From which states, when nobody says."""


def takes_newer(command: Command) -> Command:
    """Adds `--newer-than`."""
    return click.option("--newer-than", type=duration, help="Only those that came or ended since: 10m.")(
        command
    )


def states_of(kind: Kind, given: tuple[str, ...]) -> tuple[str, ...]:
    """From which states many jobs are moved. Raises UsageError for one that the move does not take."""
    from pipeline.store.bulk import DEEDS

    for state in given:
        if state not in DEEDS[kind].states:
            raise click.UsageError(f"{kind} takes no {state} jobs: only {', '.join(DEEDS[kind].states)}")
    if not (given or TAKEN[kind]):
        raise click.UsageError(f"say which: --state {' or '.join(DEEDS[kind].states)}")
    return given or TAKEN[kind]


def move(
    hands: Operator,
    kind: Kind,
    states: tuple[str, ...],
    only: Filter,
    given: list[str] | None = None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Move all jobs that are meant, or those `given` by their ids, in chunks. Ctrl-C ends it behind the chunk that is under
    way."""
    from pipeline.store.bulk import move_many

    ids = look(hands, states, only) if given is None else given
    which = f"{len(ids):,} {' or '.join(states)} job{'s' * (len(ids) != 1)}".replace("  ", " ")
    confirm(f"{kind.capitalize()} {which} of {hands.queue}?", yes=yes or not ids)
    with until_interrupted() as stop, progress(kind, len(ids)) as advance:
        answer = move_many(hands, kind, ids, states=states, only=only, progress=advance, stop=stop)  # type: ignore[arg-type]
    tell(hands.queue, kind, answer, as_json=as_json)
    if answer.left:
        click.get_current_context().exit(INTERRUPTED)


def look(hands: Operator, states: tuple[str, ...], only: Filter) -> list[str]:
    """The ids of those that are meant."""
    ids = []
    with progress("look") as looked:
        for job in hands.jobs(states, only):  # type: ignore[arg-type]
            ids.append(job.id)
            looked(1)
    return ids


def tell(queue: str, kind: Kind, answer: Moved, *, as_json: bool) -> None:
    """What became of them."""
    if as_json:
        told = {"queue": queue, DONE[kind]: answer.moved, "told_to_stop": answer.told}
        print_json(told | {"moved_on": answer.elsewhere, "kept": answer.kept, "left": answer.left})
        return
    click.echo(f"{queue}: {answer.moved:,} {DONE[kind]}")
    if answer.told:
        click.echo(f"{answer.told:,} that run were told to stop")
    if answer.elsewhere:
        click.echo(f"{answer.elsewhere:,} had moved on by themselves")
    for id, reason in answer.kept.items():
        click.echo(f"{id} {reason}: it stays as it is")
    if answer.left:
        click.echo(f"stopped: {answer.left:,} are as they were", err=True)
