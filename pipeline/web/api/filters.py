"""Which jobs are meant: the filters of a list and of bulk actions. They see of a job what a person sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

from msgspec import Struct

from pipeline.job import State
from pipeline.store.listing import Filter, group_of
from pipeline.store.reader import JobView
from pipeline.web.inputs import moment
from pipeline.web.request import Request
from pipeline.web.response import Refused

STATES: tuple[State, ...] = get_args(State)
LONGEST = 1_000


class Filters(Struct, frozen=True, kw_only=True):
    """What is not given holds for all; see docs/http-api.md."""

    id: str | None = None
    job: str | None = None
    error: str | None = None
    text: str | None = None
    group: str | None = None
    since: int | str | None = None
    until: int | str | None = None


class JobsQuery(Filters, frozen=True, kw_only=True):
    """The parameters of a list of jobs."""

    state: str | None = None
    limit: int = 50
    after: str | None = None


class Seen(Filter, frozen=True):
    """A filter that looks at jobs as they are shown: else a search would tell what is hidden, a guess at a time."""

    seen: Callable[[JobView], JobView] = lambda job: job

    def holds(self, job: JobView) -> bool:
        """Whether the job is meant. Groups are those of `pipeline dead groups`: of the error as it is."""
        if self.group is not None and group_of(job) != self.group:
            return False
        return Filter(self.name, self.error, self.until, self.since, self.text, self.id).holds(self.seen(job))


def filter_of(given: Filters, seen: Callable[[JobView], JobView], now: int) -> Seen:
    """The filter that is meant. `now` is the broker's time, ms since 1970. Raises Refused (422)."""
    for name in ("id", "job", "error", "text", "group"):
        if len(getattr(given, name) or "") > LONGEST:
            raise Refused(422, "invalid", f"{name} is longer than {LONGEST:,} characters")
    return Seen(
        given.job or None,
        given.error or None,
        moment("until", given.until, now),
        moment("since", given.since, now),
        given.text or None,
        given.id or None,
        given.group or None,
        seen,
    )


def is_empty(given: Filters) -> bool:
    """Whether it means every job."""
    return all(not getattr(given, name) for name in Filters.__struct_fields__)


def of_query(request: Request) -> Filters:
    """The filters that stand in a query."""
    given: dict[str, Any] = {name: request.query.get(name) or None for name in Filters.__struct_fields__}
    return Filters(**given)


def states_of(given: Sequence[str]) -> tuple[State, ...]:
    """The states that are named, each once. Raises Refused (422) for what is none."""
    for word in given:
        if word not in STATES:
            raise Refused(422, "invalid", f"{word[:40]!r} is no state", f"there are {', '.join(STATES)}")
    return tuple(state for state in STATES if state in given)
