"""The layout: the number of the way in which jobs lie in the broker. docs/upgrades.md says when it is raised."""

from __future__ import annotations

from msgspec import Struct

from pipeline import __version__
from pipeline.errors import BrokerUnfit
from pipeline.store import keys
from pipeline.store.call import Call
from pipeline.store.scripts import script
from pipeline.store.wire import Reply

OLDEST = 1
"""The oldest layout that this version reads; one that is older is migrated before anybody serves."""
WRITTEN = 1
NEWEST = 1
"""The newest one that it reads: what the next version writes, when that is known already."""


class Layout(Struct, frozen=True):
    """What a broker holds, and which version of this program said so first."""

    number: int
    version: str

    @classmethod
    def read(cls, reply: Reply) -> Layout | None:
        """The reverse of `str`; None for None."""
        if reply is None:
            return None
        number, _, version = reply.decode().partition(" ")
        return cls(int(number), version)

    def __str__(self) -> str:
        return f"{self.number} {self.version}"


OURS = Layout(WRITTEN, __version__)


def of(project: str) -> Call[Layout | None]:
    """The layout of a project; None in a broker that was told none: an empty one, or one from before there were any."""
    return Call(("GET", keys.layout(project)), Layout.read)


def raised(project: str, number: int) -> Call[int]:
    """Jobs lie in this layout from now on, unless a later one was told already. The result is the one that stands."""
    command = script("layout").command(layout=keys.layout(project), number=number, version=__version__)
    return Call(command, int)


def check(found: Layout | None, project: str) -> None:
    """Raises BrokerUnfit for a layout that this version does not know."""
    if found is not None and found.number > NEWEST:
        raise BrokerUnfit(
            f"the jobs of {project} lie in layout {found.number}, since pipeline-queues {found.version}: "
            f"this is {__version__}, which knows those up to {NEWEST}",
            f"use pipeline-queues {found.version} or newer",
        )
