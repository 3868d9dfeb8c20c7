"""The bars of section 8 of the design: what ours must reach, and beside whom."""

from dataclasses import dataclass

BEST = "best"


@dataclass(frozen=True)
class Bar:
    """`measure` of `ours` against `limit`: as a ratio to `beside`, or (beside = "") as a value.

    `beside` is BEST (the best of the rivals), or a (peer, measure) of the same run. `least` says whether the
    value must be at least or at most the limit.
    """

    title: str
    measure: str
    limit: float
    beside: str | tuple[str, str] = ""
    ours: str = "ours"
    least: bool = True
    higher_is_better: bool = True
    digits: int = 0
    unit: str = "jobs/s"

    def met(self, value: float) -> bool:
        return value >= self.limit if self.least else value <= self.limit


def _drain(title: str, measure: str, limit: float) -> list[Bar]:
    return [
        Bar(f"drain, {title}", measure, limit, BEST),
        Bar(f"drain, {title}, beside BullMQ", measure, 5, ("bullmq-node", measure)),
    ]


def _cost(title: str, measure: str, limit: float, unit: str, digits: int, beside: str = "") -> Bar:
    return Bar(title, measure, limit, beside, least=False, higher_is_better=False, digits=digits, unit=unit)


BARS: list[Bar] = [
    *_drain("1 process x 10", "drain_low", 2.5),
    *_drain("1 process x 100", "drain_high", 1.8),
    *_drain("2 processes x 100", "drain_2p", 2),
    Bar("drain, sync handlers in threads, x 10", "drain_low", 1.5, BEST, ours="ours-threads"),
    Bar("the same, beside Dramatiq", "drain_low", 8, ("dramatiq", "drain_low"), ours="ours-threads"),
    Bar("enqueue in batches of 100", "enqueue_bulk", 4, BEST),
    Bar("enqueue one by one, beside a bare EVALSHA loop", "enqueue_single", 0.8, ("floor", "bare_evalsha")),
    Bar("the same, beside a bare loop of the same script", "enqueue_single", 0.8, ("floor", "bare_enqueue")),
    Bar("the same, beside redis-py's EVALSHA loop", "enqueue_single", 0.8, ("floor", "redis_evalsha")),
    Bar("enqueue from 50 coroutines, beside redis-py's pool", "enqueue_gather", 4, ("floor", "pool_evalsha")),
    _cost("latency of an idle worker, p50", "latency_p50", 1.1, "ms", 2, BEST),
    _cost("latency of an idle worker, p99", "latency_p99", 1.1, "ms", 2, BEST),
    _cost("CPU, worker and server, x 10", "cpu_drain_low", 0.5, "s/1000 jobs", 4, BEST),
    _cost("CPU, worker and server, x 100", "cpu_drain_high", 0.5, "s/1000 jobs", 4, BEST),
    _cost("memory of a waiting job, Valkey", "waiting_valkey", 120, "bytes", 0),
    _cost("memory of a waiting job, Redis 7", "waiting_redis", 150, "bytes", 0),
    _cost("memory of an idle worker", "idle_memory", 35, "MB", 1),
    _cost("`pipeline run` to the first job, embedded broker", "first_job", 0.8, "s", 2),
    Bar("drain of 1,000,000 jobs, beside 20,000", "drain_million", 0.8, ("ours", "drain_few")),
    _cost("`jobs cancel` amid the million, on the server", "cancel", 5, "ms", 2),
]
