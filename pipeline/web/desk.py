"""What the API works with besides the broker's connection: hands that may block, tasks, and who is told of what."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.web.hands import Hands
from pipeline.web.hub import Hub
from pipeline.web.look import Look
from pipeline.web.source import Source
from pipeline.web.tail import Tail
from pipeline.web.tasks import Tasks
from pipeline.web.veils import Veils


class Desk:
    """One for the process. Nothing of it runs before somebody asks."""

    def __init__(self, source: Source, url: str, clock: Callable[[], int]) -> None:
        self.hands = Hands(url)
        self.veils = Veils(source)
        self.hub = Hub(source)
        self.tasks = Tasks(url, clock, lambda task: self.hub.latest("task", task, task.id))
        self.look = Look(source, self.veils, lambda: len(self.hub) > 0)
        self.tail = Tail(source, self.hub, self.veils, url)

    def close(self) -> None:
        """End what runs, and hang up."""
        self.look.close()
        self.tail.close()
        self.tasks.close()
        self.hands.close()
