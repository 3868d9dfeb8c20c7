"""The peers, each with the settings that it documents against the loss of jobs.

Time limits for a dead worker are shortened to a few seconds where they are settings, so that the wait that
follows a kill can be short; the jobs of these faults take half a second.
"""

from bench.peer import NODE
from bench.places import program
from faults.peers import ours
from faults.peers.subject import ADAPTERS, CONCURRENCY, Place, Setting, Subject

INIT = "an init system"
EXCEPTIONS = "a limit that the kills cannot reach"
_N = str(CONCURRENCY)


def _always(*command: str, copies: int = 1) -> "Commands":
    return Commands(list(command), copies)


class Commands:
    """The same commands wherever it runs."""

    def __init__(self, command: list[str], copies: int) -> None:
        self._commands = [command] * copies

    def __call__(self, _: Place) -> list[list[str]]:
        return self._commands


def _rq(place: Place) -> list[list[str]]:
    flags = ("--maintenance-interval", "5", "--job-monitoring-interval", "5", "--worker-ttl", "20", "--quiet")
    return [[program("rq", "rq"), "worker", "--url", place.url, *flags, "work"]] * CONCURRENCY


PEERS = (
    Subject(
        "RQ",
        "rq",
        "rq",
        "f_rq",
        _rq,
        (
            Setting(
                "Retry(max=10)", "without it a killed job goes to the failed registry and is not run again"
            ),
            Setting("--maintenance-interval 5", "how often abandoned jobs are looked for (600 s)"),
            Setting(
                "--job-monitoring-interval 5", "a job counts as abandoned after this and 60 s more (30 s)"
            ),
            Setting("--worker-ttl 20", "an idle worker looks up after this less 15 s (420 s)"),
            Setting("4 x rq worker", "it runs one job at a time"),
        ),
        "A killed job is retried as often as `Retry` says, else kept in the failed registry.",
        "the worker, which forks for each job",
    ),
    Subject(
        "Celery",
        "celery",
        "celery",
        "f_celery",
        _always(
            program("celery", "celery"), "-A", "f_celery", "worker", "-c", _N, "-l", "ERROR", "-n", "w@%h"
        ),
        (
            Setting("task_acks_late", "acknowledged after the run, not before"),
            Setting("task_reject_on_worker_lost", "a job whose child process died goes back to its queue"),
            Setting("worker_prefetch_multiplier=1", "fewer jobs are held by a worker that dies"),
            Setting(
                "visibility_timeout=10",
                "when jobs of a dead worker come back (3,600 s); a job that is longer runs twice",
            ),
            Setting(
                "unacked_restore_interval=1, unacked_restore_throttle=1",
                "how often they are looked for (10 x 10 s)",
            ),
            Setting(
                "worker_cancel_long_running_tasks_on_connection_loss",
                "what will be delivered again is not run to its end",
            ),
            Setting("broker_connection_max_retries=None", "a worker never gives up its broker"),
        ),
        "At most once by default; at least once with acks_late.",
        "its main process",
    ),
    Subject(
        "arq",
        "arq",
        "arq",
        "f_arq",
        _always(program("arq", "arq"), "f_arq.WorkerSettings"),
        (
            Setting(
                "job_timeout=5",
                "a job of a dead worker comes back after this and 10 s more (300 s); a job that is longer fails",
            ),
            Setting("max_tries=10", EXCEPTIONS),
            Setting("worker: retry, retry_on_error, retry_on_timeout", "it stays when its broker is away"),
        ),
        'At least once: "pessimistic execution".',
        INIT,
    ),
    Subject(
        "Dramatiq",
        "dramatiq",
        "dramatiq",
        "f_dramatiq",
        _always(program("dramatiq", "dramatiq"), "f_dramatiq", "-p", "1", "-t", _N),
        (
            Setting("heartbeat_timeout=5000", "when a worker counts as dead (60,000 ms)"),
            Setting(
                "maintenance_chance=1000000", "dead workers are looked for by every command (by one in 1,000)"
            ),
        ),
        "At least once.",
        "an init system: its main process ends when a worker does",
    ),
    Subject(
        "taskiq",
        "taskiq",
        "taskiq-redis",
        "f_taskiq",
        _always(
            program("taskiq", "taskiq"),
            "worker",
            "f_taskiq:broker",
            "--workers",
            "1",
            "--max-async-tasks",
            _N,
            "--max-prefetch",
            "0",
            "--ack-type",
            "when_executed",
            "--log-level",
            "ERROR",
        ),
        (
            Setting("RedisStreamBroker", "the broker of it that acknowledges"),
            Setting("--ack-type when_executed", "acknowledged after the run"),
            Setting(
                "idle_timeout=5000",
                "when jobs of a dead worker may be claimed (600,000 ms), and those of a long job, too",
            ),
            Setting("unacknowledged_lock_timeout=5", "a worker that dies does not keep the lock (for ever)"),
            Setting("xread_count=1, --max-prefetch 0", "fewer jobs are held by a worker that dies (100)"),
        ),
        "At least once with the streams broker.",
        "its main process",
    ),
    Subject(
        "SAQ",
        "saq",
        "saq",
        "f_saq",
        _always(program("saq", "saq"), "f_saq.settings"),
        (
            Setting("retries=10", "a job of a dead worker is run again (1: it is aborted)"),
            Setting("timeout=5", "when a job counts as stuck (10 s); a job that is longer is ended"),
            Setting('timers={"sweep": 2}', "how often stuck jobs are looked for (60 s)"),
        ),
        "Jobs that are stuck are swept: run again when retries are left.",
        INIT,
    ),
    Subject(
        "huey",
        "huey",
        "huey",
        "f_huey",
        _always(program("huey", "huey_consumer"), "f_huey.huey", "-w", _N, "-k", "process", "-c", "1"),
        (
            Setting(
                "SIGNAL_INTERRUPTED", "a job that a shutdown interrupts is enqueued again, as its manual says"
            ),
            Setting("retries=10", EXCEPTIONS),
            Setting(
                "-k process -c 1", "dead worker processes are started again, looked for each second (10 s)"
            ),
        ),
        'At most once: its manual says that it "does not guarantee at-least-once delivery".',
        "its main process",
    ),
    Subject(
        "streaq",
        "streaq",
        "streaq",
        "f_streaq",
        _always(program("streaq", "streaq"), "run", "f_streaq:worker"),
        (
            Setting("idle_timeout=5", "when jobs of a dead worker may be claimed (60 s)"),
            Setting("max_tries=10", EXCEPTIONS),
        ),
        "At least once.",
        INIT,
    ),
    Subject(
        "BullMQ",
        NODE,
        "bullmq",
        "bullmq.js",
        _always(NODE, str(ADAPTERS / "bullmq.js"), "worker"),
        (
            Setting("lockDuration=5000", "how long a dead worker keeps its jobs (30,000 ms)"),
            Setting("stalledInterval=5000", "how often stalled jobs are looked for (30,000 ms)"),
            Setting("maxStalledCount=10, attempts=10", EXCEPTIONS),
            Setting("maxRetriesPerRequest=null", "the worker stays when its broker is away"),
        ),
        "At least once.",
        INIT,
    ),
)
SUBJECTS = {subject.name: subject for subject in (*ours.SUBJECTS, *PEERS)}


def choose(names: str) -> list[Subject]:
    """`all`, or names with commas, of any case; raises SystemExit on an unknown one."""
    known = {name.lower(): subject for name, subject in SUBJECTS.items()}
    if names == "all":
        return list(SUBJECTS.values())
    chosen = names.lower().split(",")
    if unknown := [name for name in chosen if name not in known]:
        raise SystemExit(f"no such queue: {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in chosen]
