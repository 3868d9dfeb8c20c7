from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns as often as Python lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    # Hypothesis hangs a function into the collector; an exception that arrives in there is only printed.
    gc.disable()
    yield
    gc.enable()
    sys.setswitchinterval(before)
