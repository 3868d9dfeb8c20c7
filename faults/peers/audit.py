"""What a broker still keeps of jobs, wherever a queue put them."""

import re
from collections.abc import Iterator

from faults.broker import Broker

MARK = re.compile(rb"job-(\d+)-of-faults")
READ: dict[bytes, tuple[str, ...]] = {
    b"string": ("GET",),
    b"list": ("LRANGE", "0", "-1"),
    b"set": ("SMEMBERS",),
    b"zset": ("ZRANGE", "0", "-1"),
    b"hash": ("HVALS",),
    b"stream": ("XRANGE", "-", "+"),
}


def kept(broker: Broker) -> set[int]:
    """The numbers of the jobs of which the broker holds anything: in a queue, taken, failed, with a result."""
    held = (value for key in broker.call("KEYS", "*") for value in _flat(_value(broker, key)))
    return {int(number) for value in held for number in MARK.findall(value)}


def _value(broker: Broker, key: bytes) -> object:
    command, *range_ = READ.get(broker.call("TYPE", key), ("TYPE",))  # one that expired meanwhile has none
    return broker.call(command, key, *range_)


def _flat(value: object) -> Iterator[bytes]:
    """All byte strings of a reply."""
    if isinstance(value, list):
        for part in value:
            yield from _flat(part)
    elif isinstance(value, bytes):
        yield value
