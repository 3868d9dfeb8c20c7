"""All peers by name, and ours. A note says how a worker is configured beyond the peer's defaults."""

from bench import commands, ours
from bench.peer import NODE, Load, Peer

_FAST = 100_000  # so that the drain of a fast one lasts for a second

# Section 8 of the design sets its bars against the first five: each acknowledges after the job ran.
RIVALS: dict[str, Peer] = {
    "mayu-sync-p10": Peer(
        "mayu",
        "mayu",
        "p_mayu",
        commands.mayu("thread", "--prefetch-multiplier", "10"),
        "Python 3.13, plain functions on threads, prefetch 10 x threads, no results (default)",
        env={"MAYU_SYNC": "1"},
        jobs=_FAST,
    ),
    "cauli-tuned": Peer(
        "cauli",
        "cauli",
        "p_cauli",
        commands.cauli("--batch", "128", "--ack-batch", "256"),
        "Rust worker embedding CPython, uvloop, async tasks, batch 128, ack batch 256, no results",
        env={"CAULI_RESULTS": "0"},
        jobs=_FAST,
    ),
    "blitzq-noresult": Peer(
        "blitzq",
        "blitzq",
        "p_blitzq",
        commands.blitzq,
        "Python 3.12, uvloop, reliable mode (default), no results",
        env={"BLITZQ_RESULTS": "0"},
        jobs=_FAST,
    ),
    "tarsk": Peer(
        "tarsk",
        "tarsk-redis",
        "p_tarsk",
        commands.tarsk,
        "Rust supervisor and Python children, no results (default)",
        jobs=_FAST,
    ),
    "bullmq-node": Peer(
        NODE,
        "bullmq",
        "bullmq_node.js",
        commands.node("bullmq_node.js"),
        "node, ioredis, removeOnComplete count 100",
        jobs=_FAST,
    ),
}
DRAMATIQ = {
    "dramatiq": Peer(
        "dramatiq",
        "dramatiq",
        "p_dramatiq",
        commands.dramatiq,
        "default middleware, no results, queue prefetch 500, threads",
        env={"dramatiq_queue_prefetch": "500"},
        jobs=10_000,
        pair=Load(10, 2),
    ),
}
OURS = ours.peers(_FAST)

_OTHERS: dict[str, Peer] = {
    "ours-alone": ours.alone(),
    "mayu": Peer(
        "mayu", "mayu", "p_mayu", commands.mayu("thread"), "Python 3.13, async tasks, no results (default)"
    ),
    "mayu-sync": Peer(
        "mayu",
        "mayu",
        "p_mayu",
        commands.mayu("thread"),
        "Python 3.13, plain functions on threads, prefetch 2 x threads (default), no results (default)",
        env={"MAYU_SYNC": "1"},
    ),
    "cauli": Peer(
        "cauli",
        "cauli",
        "p_cauli",
        commands.cauli(),
        "as cauli-tuned, but batch 16, ack batch 64, results for 1 h (all default)",
    ),
    "blitzq": Peer(
        "blitzq",
        "blitzq",
        "p_blitzq",
        commands.blitzq,
        "Python 3.12, uvloop, reliable mode (default), results for 24 h (default)",
    ),
    "blitzq-fast": Peer(
        "blitzq",
        "blitzq",
        "p_blitzq",
        commands.blitzq,
        "Python 3.12, uvloop, fast mode: no acknowledgement exists, no results",
        env={"BLITZQ_RESULTS": "0", "BLITZQ_MODE": "fast"},
    ),
    "ardiq": Peer(
        "ardiq",
        "ardiq",
        "p_ardiq",
        commands.ardiq,
        "Python 3.12, uvloop, prefetch 2 x concurrency, results for 300 s",
    ),
    "ardiq-noresult": Peer(
        "ardiq",
        "ardiq",
        "p_ardiq",
        commands.ardiq,
        "as ardiq, but no results",
        env={"ARDIQ_RESULT_TTL_MS": "0"},
    ),
    "celery-prefork": Peer(
        "celery",
        "celery",
        "p_celery",
        commands.celery("prefork"),
        "acks_late, no results, prefetch x50, no gossip; concurrency is child processes",
        env={"PREFETCH": "50"},
        jobs=5000,
        low=Load(1),
        high=Load(10),
        pair=Load(2),
    ),
    "celery-threads": Peer(
        "celery",
        "celery",
        "p_celery",
        commands.celery("threads"),
        "acks_late, no results, prefetch x10, no gossip",
        env={"PREFETCH": "10"},
        jobs=5000,
        pair=Load(10, 2),
    ),
    "rq-fork": Peer(
        "rq",
        "rq",
        "p_rq",
        commands.script("rq", "p_rq.py"),
        "default Worker (forks for each job), module preloaded, results for 500 s; one job at a time",
        env={"RQ_WORKER": "fork", "TALLY_KEY": "parent"},
        jobs=2000,
        low=Load(1),
        high=None,
        pair=None,
        sleep=None,
    ),
    "rq-simple": Peer(
        "rq",
        "rq",
        "p_rq",
        commands.script("rq", "p_rq.py"),
        "SimpleWorker (no fork), results for 500 s; one job at a time",
        jobs=2000,
        low=Load(1),
        high=None,
        pair=Load(1, 2),
        sleep=Load(1),
        sleep_jobs=300,
    ),
    "huey": Peer(
        "huey",
        "huey",
        "p_huey",
        commands.huey,
        "RedisHuey, threads; no acknowledgement exists",
        jobs=10_000,
        pair=Load(10, 2),
    ),
    "arq": Peer(
        "arq",
        "arq",
        "p_arq",
        commands.arq,
        "poll_delay 0.01, queue_read_limit 1000, uvloop, results for 1 h",
        env={"ARQ_TUNED": "1", "LAT_GAP": "0.025"},
        jobs=5000,
    ),
    "arq-default": Peer(
        "arq",
        "arq",
        "p_arq",
        commands.arq,
        "stock poll_delay 0.5; uvloop",
        env={"LAT_GAP": "0.5"},
        jobs=2000,
        high=None,
        pair=None,
        sleep=None,
    ),
    "taskiq": Peer(
        "taskiq",
        "taskiq",
        "p_taskiq",
        commands.taskiq,
        "RedisStreamBroker, ack when_saved, no results, prefetch 100, uvloop",
        jobs=10_000,
    ),
    "saq": Peer("saq", "saq", "p_saq", commands.saq, "uvloop, ttl 600 s", jobs=5000),
    "streaq": Peer(
        "streaq",
        "streaq",
        "p_streaq",
        commands.streaq,
        "uvloop, silent tasks, results for 300 s",
        jobs=10_000,
    ),
    "bullmq-py": Peer(
        "bullmq",
        "bullmq",
        "p_bullmq",
        commands.script("bullmq", "p_bullmq.py"),
        "uvloop, removeOnComplete count 100",
        jobs=5000,
    ),
    "rrq": Peer(
        "rrq",
        "rrq",
        "p_rrq",
        commands.rrq,
        "Rust orchestrator and Python runners, poll delay 0.01 s",
        env={"RRQ_CONFIG": str(commands.RRQ_CONFIG), "LAT_GAP": "0.025", "RUST_LOG": "warn"},
        prepare=commands.write_rrq_config,
        jobs=5000,
        high=Load(64),
        pair=Load(32, 2),
    ),
    "fastq": Peer(
        "fastq",
        "fastq-redis",
        "p_fastq",
        commands.script("fastq", "p_fastq.py"),
        "C extension, 1 thread a process (with more its worker crashes)",
        jobs=10_000,
        low=Load(1),
        high=None,
        pair=Load(1, 2),
        sleep=Load(1),
        sleep_jobs=300,
    ),
    "docket": Peer(
        "docket",
        "pydocket",
        "p_docket",
        commands.script("docket", "p_docket.py"),
        "uvloop, minimum_check_interval 10 ms (default 100), records for 15 min",
        env={"LAT_GAP": "0.025"},
        jobs=3000,
    ),
    "asyncmq": Peer("asyncmq", "asyncmq", "p_asyncmq", commands.asyncmq, "uvloop, defaults", jobs=5000),
    "broccoli": Peer(
        "broccoli",
        "broccoli-workers",
        "p_broccoli",
        commands.script("broccoli", "p_broccoli.py"),
        "ThreadedWorker, defaults",
        jobs=3000,
        pair=Load(10, 2),
    ),
    "groupmq": Peer(
        NODE,
        "groupmq",
        "groupmq.js",
        commands.node("groupmq.js"),
        "node, ioredis, 1,000 groups, keepCompleted 0 (default)",
        jobs=10_000,
    ),
    "bee-queue": Peer(
        NODE,
        "bee-queue",
        "bee_queue.js",
        commands.node("bee_queue.js"),
        "node, removeOnSuccess, no events, storeJobs off",
    ),
}

CORE = {**OURS, **RIVALS, **DRAMATIQ}
PEERS = {**CORE, **_OTHERS}


def choose(names: str) -> dict[str, Peer]:
    """`core`, `all`, or names with commas; raises SystemExit on an unknown one."""
    if names in ("core", "all"):
        return CORE if names == "core" else PEERS
    chosen = names.split(",")
    if unknown := [name for name in chosen if name not in PEERS]:
        raise SystemExit(f"no such peer: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    return {name: PEERS[name] for name in chosen}
