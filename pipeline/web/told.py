"""The log of what strangers cause: each kind of line at once, then at most one in ten seconds, with how many there were."""

from __future__ import annotations

import logging
import time

PAUSE_SECONDS = 10.0
MOST_KINDS = 200


class Told:
    """`what` stands before each line."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._log = logging.getLogger(__name__)
        self._since: dict[str, float] = {}
        self._more: dict[str, int] = {}

    def say(self, line: str) -> None:
        """A line that is not repeated by itself."""
        self._log.warning("%s %s", self._what, line)

    def count(self, line: str) -> None:
        """One more of its kind."""
        if line in self._since:
            self._more[line] = self._more.get(line, 0) + 1
        elif len(self._since) < MOST_KINDS:
            self._since[line] = time.monotonic()
            self.say(line)

    def flush(self) -> None:
        """Tell what came since; call it now and then."""
        now = time.monotonic()
        for line, since in list(self._since.items()):
            if now - since < PAUSE_SECONDS:
                continue
            more = self._more.pop(line, 0)
            if more:
                self._since[line] = now
                self.say(f"{line}, {more:,} times more")
            else:
                del self._since[line]
