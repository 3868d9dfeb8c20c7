"""Text that looks like something else stays text: in the file, in payloads, in names, in arguments, in JSON."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import pipeline
from pipeline.alerts.command import run
from pipeline.config.load import load
from pipeline.errors import InvalidOption
from pipeline.fingerprint import fingerprint
from pipeline.policy import JobPolicy, QueuePolicy
from pipeline.producer import Wanted, new_job
from pipeline.status.text import clean
from pipeline.supervisor.logs import harmless
from pipeline.template import render
from pipeline.web.inputs import parse
from pipeline.web.response import Refused

QUEUE = QueuePolicy("emails", others=JobPolicy())
HEAD = "name: shop\nqueues: {a: {handler: 'm:f'}}\n"

# --- the file (S3) ----------------------------------------------------------------------------------------

TAGS = [
    *(f"!!python/{tag}" for tag in ("object:os.system", "object/apply:os.system", "object/new:os.system", "name:os.system", "module:os", "tuple", "str",
                                    "unicode", "bytes", "complex", "long", "none", "bool", "dict", "list")),
    *(f"!!{tag}" for tag in ("binary", "timestamp", "omap", "pairs", "set", "int", "float", "bool", "null", "map", "seq", "merge", "value", "yaml")),
    "!x", "!ruby/object:Gem", "!<tag:yaml.org,2002:python/object/apply:os.system>", "!<x>", "!!java.net.URL", "!env", "!include", "!vault", "!Ref", "!reference",
    "!!python/object/apply:subprocess.check_output", "!!js/function", "!lambda",
]  # fmt: skip
TAGGED = [f"x-a: {tag} {value}" for tag, value in zip(TAGS, ["x", "[x]", "{a: x}"] * len(TAGS), strict=False)]
TWICE = [f"x-{name}: {{{first}, {second}}}" for name, (first, second) in enumerate(
    [("a: 1", "a: 2"), ("'a': 1", "a: 2"), ('"a": 1', "'a': 2"), ('"\\x61": 1', "a: 2"), ("? a : 1", "a: 2"), ("a: 1", "b: 2, a: 3"), ("a: 1", "a: 1"),
     ("a: ", "a: "), ("é: 1", "é: 1"), ("a.b: 1", "a.b: 2")])] + ["name: shop", "queues: {}", "'name': x", '"\\u006eame": x', "version: 1\nversion: 1",
    "broker: {}\nbroker: {}", "x-a: 1\nx-a: 2", "defaults: {timeout: 1s, timeout: 2s}", "retries: {a: {}, a: {}}", "pools: {p: {processes: 1, processes: 2}}"]  # fmt: skip
SCALARS = ["no", "No", "NO", "off", "on", "y", "n", "yes", "22:22", "1:30:00", "2024-01-01", "2001-12-14t21:59:43.10-05:00", "0b101", "1_000", "0x1G", "=", "<",
           "Yes", "On", "Off", "OFF", "ON", "N", "Y", "1e", "12e03x", "--1", "1.2.3", "0o8", "++1", ".", "-", "_", "1__0", "6.0_2", "190:20:30", "0.1.2.3",
           "NULLL"]  # fmt: skip
ENCODINGS: list[bytes] = [
    HEAD.encode("utf-16"), HEAD.encode("utf-16-be"), HEAD.encode("utf-32"), HEAD.encode("utf-7") + b"+ADw-", b"\xff\xfe" + HEAD.encode(),
    *(HEAD.encode() + b"x-a: '" + bad + b"'\n" for bad in (b"\x80", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80",
      b"\xc3", b"\xfe", b"\x00", b"\x07", b"\x1b[31m", b"\x7f", b"\xef\xbf\xbf", b"\xc2\x80")), b"\x1f\x8b\x08" + HEAD.encode(),
]  # fmt: skip


def codes(folder: Path, text: str | bytes) -> list[str]:
    file = folder / "shop.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    loaded = load(file, env={"SECRET": "hidden"})
    errors = [one.code for one in loaded.findings if one.severity == "error"]
    assert (loaded.plan is None) == bool(errors)
    return errors


@pytest.mark.security("S3")
@pytest.mark.parametrize("line", [*TAGGED, *TWICE])
def test_a_tag_or_a_key_that_comes_twice_is_a_mistake(tmp_path: Path, line: str) -> None:
    assert codes(tmp_path, f"{HEAD}{line}\n")


@pytest.mark.security("S3")
@pytest.mark.parametrize("raw", ENCODINGS)
def test_what_is_not_plainly_utf_8_is_a_mistake(tmp_path: Path, raw: bytes) -> None:
    assert codes(tmp_path, raw)


@pytest.mark.security("S3")
@pytest.mark.parametrize("word", SCALARS)
def test_a_word_that_older_rules_read_as_something_else_is_text(tmp_path: Path, word: str) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(
        f"name: shop\nsetup: m:f\nqueues: {{a: {{handler: 'm:f', redact: [data.x]}}}}\nschedules: {{s: {{queue: a, job: x, every: 1h, data: {{v: {word}}}}}}}\n"
    )
    plan = load(file, env={}).plan
    assert plan is not None
    assert plan.schedules["s"].data == {"v": word}


# --- expressions (S5) -------------------------------------------------------------------------------------

EXPRESSIONS = [
    *(left + middle + right for left, right in (("{{", "}}"), ("${", "}"), ("#{", "}"), ("<%= ", " %>"), ("{% ", " %}"), ("{", "}"), ("%{", "}"), ("@(", ")"))
      for middle in ("7*7", "env:SECRET", "SECRET", "file:/etc/passwd", "data.id", "0.__class__.__mro__", "self.__init__.__globals__", "config")),
    "$SECRET", "%SECRET%", "`id`", "$(id)", "{0!r}", "{data.id!r:>99999999}", "%(SECRET)s", "%s%n", "{data}", "{{data.id}}", "{steps.a.result}", "\\{data.id\\}",
    "{secret: new}", "!env SECRET", "&a *a", "{hash}",
]  # fmt: skip


@pytest.mark.security("S5", inputs=3)
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_in_a_payload_is_stored_and_filled_in_as_it_is(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hidden")
    record = json.loads(new_job(QUEUE, 1, Wanted("send", {"v": text, text: 1})).record)
    assert record[2] == {"v": text, text: 1}
    assert render("{data.v}", {"data": {"v": text, "id": "wrong"}}) == text


# --- arguments (S6) ---------------------------------------------------------------------------------------

SHELL = [f"{before}touch owned{after}" for before, after in ((";", ""), ("|", ""), ("||", ""), ("&", ""), ("&&", ""), ("$(", ")"), ("`", "`"), ("\n", "\n"), ("\r\n", ""),
         ("'; ", " #"), ('"; ', " #"), (">(", ")"), ("<(", ")"), ("${IFS}", ""), ("\\\n", ""), ("{", "}"), ("!", ""), ("%0a", ""), ("${x:-$(", ")}"), ("eval ", ""))] + [
    "> owned", ">> owned", "< /etc/passwd", "2>&1", "*", "?", "[a-z]*", "~", "~root", "$HOME", "${PATH}", "$?", "$$", "$!", "!!", "^a^b", "{a,b}", "#", "\\", "'", '"', "`",
    "--", "--help", "-rf /", "-c id", "@file", "%PATH%", "a b", "a\tb", "\u00a0", "\u037e", "\u2028", "é", "\x1b[2J", "-", "", " ", "=", "A=B",
]  # fmt: skip


@pytest.mark.security("S6", inputs=2 * len(SHELL), effects=True)
def test_no_shell_sees_arguments_or_what_a_command_is_told(tmp_path: Path) -> None:
    write = "import json, sys; json.dump([sys.argv[1:], json.load(sys.stdin)], open('got', 'w'))"
    run([sys.executable, "-c", write, *SHELL], json.dumps(SHELL).encode(), str(tmp_path))
    assert json.loads((tmp_path / "got").read_text()) == [SHELL, SHELL]
    assert [path.name for path in tmp_path.iterdir()] == ["got"]


# --- patterns (S16) ---------------------------------------------------------------------------------------

LONG = 100_000
UNITS = ["a", "0", " ", "\t", "\n", "\\", '"', "'", '\\"', "{", "}", "{{", "${", "$", "$$", "${A", "${A:-", "{a.", "{data.a}", ".", "..", "a.", "a:", ":", "://", "://a:", "://a:b@",
         "-", "--", "_", "/", "//", "a/", "@", "a@", "password:", "password: '", "&password=", "?password=", "#", " #", "1e", "1.", "0x", "<", "a-", "\x1b[", "\u2028",
         "redis.call('", "''"]  # fmt: skip
HOSTILE = [unit * (LONG // len(unit)) + end for unit in UNITS for end in ("", "!\x00")]


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Every pattern that a module of the package has."""
    for found in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if "__main__" in found.name or "pytest_plugin" in found.name:
            continue
        module: ModuleType = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                yield f"{found.name}.{name}", value


PATTERNS = {(value.pattern, value.flags): (name, value) for name, value in patterns()}


@pytest.mark.security("S16", inputs=len(HOSTILE))
@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=lambda pair: pair[0])
def test_no_pattern_takes_longer_to_fit_a_text_than_the_text_is(pattern: tuple[str, re.Pattern[str]]) -> None:
    for text in HOSTILE:
        assert seconds(pattern[1].fullmatch, text) < 0.5, text[:20]


@pytest.mark.security("S16", inputs=len(HOSTILE))
@pytest.mark.parametrize("read", [clean, harmless, lambda text: fingerprint(text, text, text)])
def test_what_reads_errors_and_lines_of_jobs_takes_no_longer_than_they_are(
    read: Callable[[str], Any],
) -> None:
    for text in HOSTILE:
        assert seconds(read, text) < 0.5, text[:20]


def seconds(read: Callable[[str], Any], text: str) -> float:
    begun = time.process_time()
    read(text)
    return time.process_time() - begun


# --- names (S29) and JSON (S30) ---------------------------------------------------------------------------

KEYS = ["a:b", "a{b", "a}b", "{a}", "a*", "a?", "[a]", "a\\b", "a\x00", "a\n", "a\r\nDEL x", "a b", " a", "a ", "A", "é", "\u0430", "a\u200b", "a/b", "../a", "..", ".a", "-a", "_a",
        "", "a" * 65, "${A}", "{data.x}", "a,b", "a;b", "a|b", "a'b", 'a"b', "a`b", "a$b", "a%00", "a#b", "a@b", "a=b", "a+b", "a~b", "a^b", "a<b", "\ud800a"]  # fmt: skip
IDS = [
    "a{b",
    "a}b",
    "a*",
    "a?b",
    "a\x00",
    "a\nb",
    "a b",
    "é",
    "a/b",
    "a\\b",
    "1",
    "007",
    "",
    "a" * 129,
    "a,b",
    "a|b",
    "a'b",
    "a\u200b",
    "a$",
    "a%",
]
NO_JSON: list[bytes] = [
    b"NaN", b"[NaN]", b"Infinity", b"-Infinity", b"1e400", b"[1e999]", b"9" * 400, b"-" + b"9" * 25, b"0." + b"1" * 5_000 + b"e9999", b'{"a":1,"a":2}',
    b'{"a":{"b":1,"b":2}}', b'{"a":1,"\\u0061":2}', b"[" * 65 + b"]" * 65, b'{"a":' * 65 + b"1" + b"}" * 65, b"[" * 100_000, b'{"a":' * 50_000, b"{", b"[", b'"', b"[1,]",
    b'{"a":1,}', b"{'a':1}", b"{a:1}", b"[1 2]", b"01", b"+1", b".5", b"1.", b"0x1", b"1_000", b"nul", b"True", b"undefined", b"\xff", b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'"a\nb"',
    b'"a\x00b"', b'"\\x41"', b'"\\u12"', b"/*x*/1", b"1//x", b"1 2", b"{}{}", b"\x00", b"\xef\xbb\xbf1", b"[1]x", b"--1", b"1e", b"1e+", b"- 1", b'{"a"}', b'{"a":}', b"[,1]", b"\xfe\xff\x001",
    b"{1:2}", b"{null:1}", b"[1;2]", b"\x0b1", b"\xc2\xa01",
]  # fmt: skip


@pytest.mark.security("S29")
@pytest.mark.parametrize("name", KEYS)
def test_a_queue_cannot_have_a_name_that_reaches_into_other_keys(tmp_path: Path, name: str) -> None:
    assert codes(tmp_path, f"name: shop\nqueues: {{{json.dumps(name)}: {{handler: 'm:f'}}}}\n")


@pytest.mark.security("S29")
@pytest.mark.parametrize("id", IDS)
def test_an_id_cannot_reach_into_other_keys(id: Any) -> None:
    with pytest.raises(InvalidOption):
        new_job(QUEUE, 1, Wanted("send", None, id=id))


@pytest.mark.security("S30")
@pytest.mark.parametrize("text", NO_JSON)
def test_what_two_readers_of_json_could_take_for_two_things_is_refused(text: bytes) -> None:
    with pytest.raises(Refused):
        parse(text)
