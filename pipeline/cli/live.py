"""The terminal as a screen: drawn only when something changed, left as it was."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from types import TracebackType
from typing import Self

from rich.live import Live
from rich.segment import Segment, Segments

from pipeline.cli.output import console
from pipeline.plan import Plan
from pipeline.status.feed import Feed
from pipeline.status.terminal import View
from pipeline.supervisor.logs import Line

FRAME_SECONDS = 0.4
KEPT_LINES = 200


class Screen:
    """The alternate screen, as long as the block lasts."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._console = console()
        self._live = Live(console=self._console, screen=True, auto_refresh=False, transient=True)
        self._shown: list[Segment] = []

    def draw(self) -> None:
        """Draw the view, if it is not what is shown already."""
        segments = list(self._console.render(self._view))
        if segments != self._shown:
            self._shown = segments
            self._live.update(Segments(segments), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


class Dashboard:
    """The live view of `run`, in a thread: a terminal that stands still must not hold up the supervisor."""

    def __init__(self, plan: Plan, keys: str) -> None:
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._plan = plan
        self._view = View(plan.name, keys, logs=self.lines)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="view", daemon=True)

    def add(self, line: Line) -> None:
        """A line of the log."""
        clock = time.strftime("%H:%M:%S", time.localtime(line.at / 1000))
        self.lines.append(f"{clock} {line.worker} | {line.line}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(2.0)

    def _run(self) -> None:
        asyncio.run(self._draw())

    async def _draw(self) -> None:
        feed = Feed(self._plan)
        try:
            with Screen(self._view) as screen:
                while not self._stop.is_set():
                    self._view.show(await feed.look())
                    screen.draw()
                    await asyncio.to_thread(self._stop.wait, FRAME_SECONDS)
        finally:
            feed.close()
