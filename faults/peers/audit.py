"""What a broker still keeps of jobs, wherever a queue put them."""

import re

import redis

MARK = re.compile(rb"job-(\d+)-of-faults")


def kept(url: str) -> set[int]:
    """The numbers of the jobs of which the broker holds anything: in a queue, taken, failed, with a result."""
    with redis.Redis.from_url(url) as client:
        values = (value for key in client.scan_iter(count=1000) for value in (key, *_values(client, key)))
        return {int(number) for value in values for number in MARK.findall(value)}


def _values(client: "redis.Redis", key: bytes) -> list[bytes]:
    match client.type(key):
        case b"string":
            return [client.get(key) or b""]
        case b"list":
            return list(client.lrange(key, 0, -1))
        case b"set":
            return list(client.smembers(key))
        case b"zset":
            return list(client.zrange(key, 0, -1))
        case b"hash":
            return list(client.hgetall(key).values())
        case b"stream":
            return [value for _, fields in client.xrange(key) for value in fields.values()]
    return []
