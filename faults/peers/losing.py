"""A proxy that loses replies to what enqueues, whichever command a queue uses for it."""

import re

from faults.proxy import Proxy

WRITES = re.compile(rb"\$\d+\r\n(EVAL|EVALSHA|FCALL|LPUSH|RPUSH|XADD|ZADD|EXEC)\r\n", re.IGNORECASE)


class LosingProxy(Proxy):
    """Every nth piece that writes a job is carried out and never answered: its connection is cut instead."""

    def __init__(self, target: str, every: int) -> None:
        super().__init__(target)
        self.drop_replies(every)

    def _dooms(self, data: bytes) -> bool:
        return bool(WRITES.search(data)) and super()._dooms(data + self._to)
