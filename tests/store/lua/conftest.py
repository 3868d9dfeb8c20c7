"""The queue that the tests of the scripts move jobs in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store.lua.given import Queue


@pytest.fixture
def queue(broker: str) -> Iterator[Queue]:
    queue = Queue(broker)
    yield queue
    queue.connection.close()
