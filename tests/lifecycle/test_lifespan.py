"""What `setup` opens in a worker is closed when that leaves, whichever way."""

from __future__ import annotations

import signal

from msgspec.structs import replace

from tests.lifecycle.conftest import Event


def told(project):
    """Everything that was written, in order."""
    return [Event(line) for line in (project.root / "events").read_text().splitlines()]


def test_what_setup_opens_is_closed_after_the_last_job(project):
    project.setup = "hands:opened"
    project.queue("a", "hands:work")
    run = project.run()
    project.enqueue("a", {"seconds": 0.2})
    project.sees("begin")
    assert run.stop() == 0
    assert [event.what for event in told(project)] == ["open", "begin", "end", "close"]
    assert len({event.pid for event in told(project)}) == 1


def test_what_setup_opens_is_closed_also_when_the_handlers_cannot_be_imported(project):
    project.setup = "hands:opened"
    project.queue("bad", "nowhere:work")
    run = project.run()
    assert run.ends() == 78
    assert "no module named 'nowhere'" in run.output
    assert [event.what for event in told(project)] == ["open", "close"]


def test_an_end_of_setup_that_hangs_is_cut_off_within_the_stop_timeout(project):
    (project.root / "hung.py").write_text(
        "import time\nfrom contextlib import contextmanager\n\n\n"
        "@contextmanager\ndef opened():\n    yield\n    time.sleep(60)\n"
    )
    project.setup = "hung:opened"
    project.rules = replace(project.rules, stop_timeout=300)
    project.queue("a", "hands:work")
    run = project.run()
    project.enqueue("a", {})
    project.sees("end")
    run.signal(signal.SIGTERM)
    assert run.ends() == 0
    assert "the end of setup (hung:opened) takes longer than 0.3 s: it is cut off" in run.output
