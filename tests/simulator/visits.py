"""Which moves can meet a job in which states: carried out from some, refused from others, and nothing else."""

from __future__ import annotations

from collections import Counter

from tests.simulator.model import Visit

STATES = ("none", "waiting", "delayed", "active", "alone", "completed", "dead", "cancelled")
# A worker's move, or one for a worker that is gone: only under the lease that it holds.
FENCED = (
    "completed",
    "dead",
    "delayed",
    "back",
    "front",
    "unused",
    "hold",
    "alone",
    "note",
    "reclaim",
    "reclaim crashed",
    "reclaim dead",
    "relieve",
)
CARRIED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(FENCED, ("active",)),
    "enqueue": ("none",),
    "hand over": ("none",),
    "take": ("waiting", "alone"),
    "promote": ("delayed",),
    "hasten": ("delayed",),
    "cancel": ("waiting", "delayed", "alone"),
    "change": ("waiting", "delayed", "alone", "dead", "cancelled"),
    "redrive": ("dead", "cancelled"),
    "remove": ("waiting", "delayed", "alone", "completed", "dead", "cancelled"),
    "purge": ("waiting", "alone"),
    "trim": ("completed", "dead", "cancelled"),
}
REFUSED: dict[str, tuple[str, ...]] = {
    # Of all fenced moves together: the job is elsewhere by now, under another lease, has ended, or is not kept.
    "fenced": (
        "none",
        "waiting",
        "delayed",
        "active",
        "elsewhere",
        "alone",
        "completed",
        "dead",
        "cancelled",
    ),
    "enqueue": STATES,
    "hasten": ("none", "waiting", "active", "alone", "completed", "dead", "cancelled"),
    "cancel": ("none", "active", "completed", "dead", "cancelled"),
    "change": STATES,
    "redrive": STATES,
    "remove": ("none", "active"),
}
POSSIBLE: frozenset[Visit] = frozenset(
    [(state, move, True) for move, states in CARRIED.items() for state in states]
    + [(state, move, False) for move, states in REFUSED.items() for state in states]
)


def grouped(visited: Counter[Visit]) -> Counter[Visit]:
    """The visits, with the refusals of all fenced moves together."""
    found: Counter[Visit] = Counter()
    for (state, move, carried), count in visited.items():
        found[state, "fenced" if move in FENCED and not carried else move, carried] += count
    return found
