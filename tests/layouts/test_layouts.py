"""What earlier versions left in a broker is worked off by this one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.broker import parse
from pipeline.store import keys, layout
from pipeline.store.blocking import BlockingConnection
from pipeline.store.connect import connect_blocking
from tests.layouts.dump import counts, load
from tests.layouts.make import HERE, open_shop

DUMPS = sorted(HERE.glob("*.jsonl"))


@pytest.fixture
def connection(broker: str) -> Iterator[BlockingConnection]:
    connection = connect_blocking(parse(broker))
    yield connection
    connection.close()


def test_each_layout_that_is_read_or_migrated_has_been_kept() -> None:
    assert [int(path.stem) for path in DUMPS] == list(range(1, layout.WRITTEN + 1))


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.stem)
def test_a_broker_of_before_is_drained_and_no_job_is_lost(
    dump: Path, connection: BlockingConnection, broker: str, root: Path
) -> None:
    load(connection, dump)
    before = counts(connection)
    open_before = {name: one.waiting + one.delayed + one.active for name, one in before.items()}
    assert min(open_before.values()) > 0, "there is something to do in each queue"
    assert open_shop(root, broker, "--until-empty").wait(60) == 0
    after = counts(connection)
    for name, one in after.items():
        assert one.waiting + one.delayed + one.active == 0
        ended = sum(one.stats.get(kind, 0) for kind in ("completed", "dead", "cancelled", "purged"))
        assert one.enqueued + one.stats.get("redriven", 0) == ended, name
        done = one.stats["completed"] - before[name].stats.get("completed", 0)
        assert done >= open_before[name], name
    assert connection.call(("ZCARD", keys.flow_open(keys.flow("shop", "checkout")))) == 0
    assert connection.call(("ZCARD", keys.flow_ended(keys.flow("shop", "checkout")))) == 1
