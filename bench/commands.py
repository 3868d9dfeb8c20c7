"""The command of each peer's worker: a function from a load to one argument list a process to start."""

import os
from collections.abc import Callable

from bench.peer import NODE, Load
from bench.places import ADAPTERS, PEERS_DIR, URL, program

Command = Callable[[Load], list[list[str]]]
RRQ_CONFIG = PEERS_DIR / "rrq.toml"


def celery(pool: str) -> Command:
    def command(load: Load) -> list[list[str]]:
        one = [
            program("celery", "celery"),
            "-A",
            "p_celery",
            "worker",
            "-P",
            pool,
            "-c",
            str(load.concurrency),
            "-l",
            "ERROR",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
        return [[*one, "-n", f"w{i}@bench"] for i in range(load.processes)]

    return command


def script(venv: str, name: str) -> Command:
    """A worker of our own around a peer's class; it reads its concurrency from the environment."""
    return lambda load: [[program(venv, "python"), str(ADAPTERS / name)]] * load.processes


def node(name: str) -> Command:
    return lambda load: [[NODE, str(ADAPTERS / name), "worker"]] * load.processes


def on_uvloop(venv: str, function: str, *args: str) -> list[str]:
    """A command-line tool that would run on asyncio's own loop."""
    return [program(venv, "python"), str(ADAPTERS / "uv_main.py"), function, *args]


def dramatiq(load: Load) -> list[list[str]]:
    return [
        [
            program("dramatiq", "dramatiq"),
            "p_dramatiq",
            "-p",
            str(load.processes),
            "-t",
            str(load.concurrency),
            "--skip-logging",
        ]
    ]


def huey(load: Load) -> list[list[str]]:
    return [
        [
            program("huey", "huey_consumer"),
            "p_huey.huey",
            "-w",
            str(load.concurrency),
            "-k",
            "thread",
            "-q",
            "-n",
        ]
    ] * load.processes


def arq(load: Load) -> list[list[str]]:
    return [
        [program("arq", "arq"), "p_arq.WorkerSettings", "--custom-log-dict", "p_quiet.LOG"]
    ] * load.processes


def taskiq(load: Load) -> list[list[str]]:
    return [
        [
            program("taskiq", "taskiq"),
            "worker",
            "p_taskiq:broker",
            "--workers",
            str(load.processes),
            "--max-async-tasks",
            str(load.concurrency),
            "--max-prefetch",
            "100",
            "--log-level",
            "ERROR",
        ]
    ]


def saq(load: Load) -> list[list[str]]:
    return [[program("saq", "saq"), "p_saq.settings", "--workers", str(load.processes)]]


def streaq(load: Load) -> list[list[str]]:
    return [[program("streaq", "streaq"), "run", "p_streaq:worker", "-w", str(load.processes)]]


def tarsk(load: Load) -> list[list[str]]:
    return [
        [
            program("tarsk", "tarsk"),
            "worker",
            "--app",
            "p_tarsk:app",
            "--broker",
            URL,
            "--children",
            str(load.processes),
            "--slots",
            str(load.concurrency),
        ]
    ]


def ardiq(load: Load) -> list[list[str]]:
    return [on_uvloop("ardiq", "ardiq.cli:main", "run", "p_ardiq:app", "-q")] * load.processes


def blitzq(load: Load) -> list[list[str]]:
    return [
        on_uvloop(
            "blitzq",
            "blitzq.cli:app",
            "worker",
            "p_blitzq:queue",
            "--concurrency",
            str(load.concurrency),
            "--log-level",
            "ERROR",
        )
    ] * load.processes


def cauli(*extra: str) -> Command:
    def command(load: Load) -> list[list[str]]:
        return [
            [
                program("cauli", "cauli-worker"),
                "-A",
                "p_cauli:app",
                "--redis-url",
                URL,
                "--procs",
                str(load.processes),
                "--io-concurrency",
                str(load.concurrency),
                "--log-level",
                "error",
                *extra,
            ]
        ]

    return command


def mayu(mode: str, *extra: str) -> Command:
    def command(load: Load) -> list[list[str]]:
        return [
            [
                program("mayu", "mayu"),
                "worker",
                "p_mayu:app",
                "--mode",
                mode,
                "--processes",
                str(load.processes),
                "--threads",
                str(load.concurrency),
                "--log-level",
                "ERROR",
                *extra,
            ]
        ]

    return command


def asyncmq(load: Load) -> list[list[str]]:
    return [[program("asyncmq", "python"), "-c", "import p_asyncmq; p_asyncmq.work()"]] * load.processes


def rrq(_: Load) -> list[list[str]]:
    return [[program("rrq", "rrq"), "worker", "run", "--config", os.fspath(RRQ_CONFIG)]]


def write_rrq_config(load: Load) -> None:
    RRQ_CONFIG.write_text(f"""[rrq]
redis_dsn = "{URL}"
default_runner_name = "python"
default_poll_delay_seconds = 0.01
worker_concurrency = {load.concurrency * load.processes}

[rrq.runners.python]
type = "socket"
cmd = ["{program("rrq", "rrq-runner")}", "--settings", "p_rrq.settings"]
tcp_port = 19000
pool_size = {load.processes}
max_in_flight = {load.concurrency}
""")
