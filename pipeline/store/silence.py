"""Noticing a connection that stands and leads nowhere: a reply is owed, and nothing comes."""

from __future__ import annotations

from pipeline.store.wire import Connection

SILENCE_SECONDS = 5.0
GAP_SECONDS = 1.5
TOLD = f"the broker has been silent for {SILENCE_SECONDS:.0f} s"


class Silence:
    """For how long a connection has owed a reply without a sign of life."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._heard = 0
        self._since = self._looked = 0.0

    def lasts(self, connection: Connection, moment: float) -> float:
        """Seconds; 0 when nothing is owed. Looked at now and then, at a `moment` of the monotonic clock."""
        # What came while we stood still ourselves has not been read yet.
        stood_still = moment - self._looked > GAP_SECONDS
        heard = connection is not self._connection or connection.heard != self._heard
        if stood_still or heard or not connection.owes:
            self._connection, self._heard, self._since = connection, connection.heard, moment
        self._looked = moment
        return moment - self._since
