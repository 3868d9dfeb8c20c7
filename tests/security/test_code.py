"""What comes with a job is data: nothing of it is run, imported or taken for a name of code."""

from __future__ import annotations

import ast
import base64
import os
import pickle
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline import Job
from pipeline.broker import parse
from pipeline.policy import Retention
from pipeline.store import keys
from pipeline.store.connect import connect_blocking
from tests.worker.shop import shop

PACKAGE = Path(__file__).parents[2] / "pipeline"
CARRIERS = {
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "jsonpickle",
    "joblib",
    "code",
    "codeop",
    "runpy",
    "imp",
}
RUNNERS = {"eval", "exec", "compile", "__import__"}
IMPORTERS = {"pipeline/handler.py", "pipeline/cli/app.py"}
"""A handler that the file names, and the commands of the program itself."""
EVENTS = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "subprocess.Popen",
    "exec",
    "import",
    "pickle.find_class",
    "marshal.loads",
    "shutil.rmtree",
)
CREATED = Path(tempfile.gettempdir()) / f"pipeline-was-here-{os.getpid()}"
CANARY = f"touch {CREATED}"


class Reduced:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, (CANARY,)


def pickled() -> list[str]:
    """Pickles of it in each protocol, as text."""
    made = [pickle.dumps(Reduced(), protocol) for protocol in range(6)]
    return [*(one.decode("latin-1") for one in made), *(base64.b64encode(one).decode() for one in made)]


TAGS = [
    "apply:os.system",
    "new:os.system",
    "name:os.system",
    "module:os",
    "object:os.system",
    "apply:subprocess.Popen",
    "new:subprocess.Popen",
]
GADGETS: list[Any] = [
    *pickled(),
    *({key: value} for key in ("py/object", "py/reduce", "py/type", "py/function", "py/repr", "py/object/apply", "$type", "__class__", "__reduce__",
                               "@type", "_target_", "__jsonclass__", "class", "rO0AB") for value in ("os.system", [CANARY])),
    *(f"!!python/{tag} ['{CANARY}']" for tag in TAGS),
    {"__reduce__": ["os.system", [CANARY]]}, "cos\nsystem\n(S'" + CANARY + "'\ntR.", "__import__('os').system('" + CANARY + "')",
]  # fmt: skip
NAMES = [
    *(f"{module}{mark}{name}" for module, names in {
        "os": ("system", "popen", "execv", "remove", "_exit"), "subprocess": ("Popen", "run", "call", "check_output"), "builtins": ("eval", "exec", "open"),
        "pickle": ("loads", "load"), "importlib": ("import_module", "reload"), "shutil": ("rmtree",), "code": ("interact",), "ctypes": ("CDLL",),
        "pty": ("spawn",), "antigravity": ("x",), "handlers_under_test": ("__builtins__", "__loader__", "hidden"), "pipeline.handler": ("resolve",),
    }.items() for name in names for mark in (".", ":", "/", "::", "..", ":.", "\\", " ")),
    "__import__", "__class__", "__init__", "__dict__", "echo.__globals__", "echo.__class__", "echo ", "Echo", "ECHO", "ech\u043e", "ec\u200bho", "echo\u0301",
    "..", ".", "../echo", "/etc/passwd", "*", "", "\x00", "echo\x00", "lambda: 0", "hidden", "None", "jobs", "others",
]  # fmt: skip


def calls_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.security("S1", inputs=0)
def test_nothing_in_the_package_reads_what_carries_code_or_runs_text() -> None:
    for path in PACKAGE.rglob("*.py"):
        found = set(calls_of(ast.parse(path.read_text())))
        assert not found & (CARRIERS | RUNNERS), path
        assert not found & {"yaml.load", "yaml.unsafe_load", "yaml.full_load"}, path
        if str(path.relative_to(PACKAGE.parent)) not in IMPORTERS:
            assert not {name for name in found if name.endswith("import_module")}, path


HEARD: list[str] = []
LISTENING = [False]


def hear(event: str, args: tuple[Any, ...]) -> None:
    if LISTENING[0] and event in EVENTS:
        HEARD.append(f"{event} {args!r:.200}")


@pytest.fixture(scope="session")
def ears() -> None:
    """A hook cannot be taken out again; it listens when it is told to."""
    sys.addaudithook(hear)


@contextmanager
def nothing_runs() -> Iterator[None]:
    """No import, no program and no code begins meanwhile."""
    HEARD.clear()
    LISTENING[0] = True
    try:
        yield
    finally:
        LISTENING[0] = False
    assert HEARD == []


def echo(job: Job[Any]) -> Any:
    return job.data


@pytest.mark.security("S1", inputs=3 * len(GADGETS), effects=True)
async def test_a_gadget_goes_through_payload_result_and_id_and_stays_what_it_is(
    broker: str, ears: None
) -> None:
    async with shop(broker, echo) as it:
        it.worker()
        assert (await it.ends_as(await it.enqueue("echo", "first"), "completed")).result == "first"
        with nothing_runs():
            for gadget in GADGETS:
                done = await it.ends_as(await it.enqueue("echo", [gadget, {"header": gadget}]), "completed")
                assert done.data == done.result == [gadget, {"header": gadget}]
    assert not CREATED.exists()


@pytest.mark.security("S2", inputs=len(NAMES), effects=True)
async def test_a_name_that_the_file_does_not_have_leads_to_no_code(broker: str, ears: None) -> None:
    """Jobs that somebody with the broker's password wrote: no client would have let them in."""
    async with shop(broker, echo, dead=Retention(None)) as it:
        ids = [await it.enqueue("echo", n) for n in range(len(NAMES) + 1)]
        connection = connect_blocking(parse(broker))
        for id, name in zip(ids, ["nothing", *NAMES], strict=True):
            record = msgspec.json.encode([1, name, {"run": name}])
            connection.call(("HSET", keys.jobs(keys.base("shop", "q")), id, record))
        connection.close()
        it.worker()
        await it.ends_as(ids[0], "dead")
        with nothing_runs():
            for id in ids:
                error = (await it.ends_as(id, "dead")).error
                assert error is not None
                assert "has no handler for" in error.message
