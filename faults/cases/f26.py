"""F26: the file is rewritten ten times a second, well, badly and halfway, while workers are killed."""

import random
from collections import Counter
from pathlib import Path

from faults.case import Case
from faults.shop import Shop
from faults.trial import Trial

RATE = 60
WORK = "handler: 'hands:work'"
MOST = 8
"""Jobs of `work` at once in a process, by any file that is right; all others ask for FORBIDDEN."""
FORBIDDEN = 99
WAYS = ("well", "well", "badly", "halfway")
MISTAKES = ("concurency: 3", "priority: high", "handler: 'hands:nobody'", "retry: nowhere", "timeout: 5")


def inject(trial: Trial) -> None:
    shop = trial.shop
    shop.settings["watch"] = "true, interval: 100ms"
    shop.write(_text(WORK, MOST, extra=True))
    supervisor = shop.up()
    trial.produce(RATE, payload=lambda number: {"seconds": number % 20 / 50})
    extra = trial.produce(10, queue="extra", threads=1)
    for turn in trial.rounds(0.05, 0.15):
        _rewrite(trial.random, shop, turn)
        trial.bit("rewrites")
        if turn % 12 == 11:
            trial.kill(trial.busy(supervisor))
            trial.bit("kills")
            trial.pause(0.5)  # what was written last is taken as it is
    shop.write(_text(WORK, MOST, extra=True))
    trial.eventually(lambda: _in_sync(shop), "what runs is what the file says")
    trial.bit("files applied", supervisor.output.count("reload by watch"))
    trial.bit("files refused", supervisor.output.count("NOT applied"))
    errors = extra.stop().errors()
    trial.expect({*errors} <= {"queue_removed"}, f"callers saw {dict(errors)} of a queue that comes and goes")
    peak = _peak(trial)
    trial.expect(peak <= MOST, f"{peak} jobs at once in a process: no file that is right says so")


def _text(handler: str, concurrency: int, *, processes: int = 2, extra: bool, more: str = "") -> str:
    """The queues of a file, in one pair of braces: cut off anywhere it is no YAML."""
    other = "extra: {handler: 'hands:work'}, " if extra else ""
    values = ", ".join(filter(None, (handler, f"concurrency: {concurrency}, processes: {processes}", more)))
    return f"queues: {{{other}work: {{{values}}}}}\n"


def _rewrite(choose: random.Random, shop: Shop, turn: int) -> None:
    """One more file, written in one of the ways in which people and programs write files."""
    way, extra = choose.choice(WAYS), choose.random() < 0.8
    if way == "well":
        handler = choose.choice(("work", "work", "work", "work", "chore"))
        queues = _text(
            f"handler: 'hands:{handler}'",
            choose.randint(4, MOST),
            processes=choose.randint(1, 3),
            extra=extra,
        )
    else:
        mistake = choose.choice(MISTAKES) if way == "badly" else ""
        handler = "" if mistake.startswith("handler") else WORK
        queues = _text(handler, FORBIDDEN, extra=extra, more=mistake)
    text = shop.text(queues)
    if way == "halfway":
        text = text[: choose.randrange(len(text) - len("}\n"))]
    choose.choice((_in_one_step, _in_place, _by_link))(shop.file, text, turn)


def _in_one_step(file: Path, text: str, turn: int) -> None:
    draft = file.with_name(f"draft{turn}")
    draft.write_text(text)
    draft.replace(file)


def _in_place(file: Path, text: str, _: int) -> None:
    file.write_text(text)


def _by_link(file: Path, text: str, turn: int) -> None:
    """As Kubernetes does: the file is a link into a link to a folder, and that one is exchanged."""
    folder = file.with_name(f"..{turn}")
    folder.mkdir()
    (folder / file.name).write_text(text)
    _link(file.with_name("..data"), folder.name)
    if not file.is_symlink():
        _link(file, f"..data/{file.name}")


def _link(link: Path, target: str) -> None:
    draft = link.with_name("link")
    draft.symlink_to(target)
    draft.replace(link)


def _in_sync(shop: Shop) -> bool:
    return shop.status()["in_sync"] is True


def _peak(trial: Trial) -> int:
    """The most jobs of `work` that ever ran at once in a process."""
    running, peak = Counter[int](), 0
    for event in trial.shop.events():
        if event.queue == "work":
            running[event.pid] += {"begin": 1, "end": -1}.get(event.what, 0)
            peak = max(peak, running[event.pid])
    return peak


CASE = Case(
    "F26",
    "file rewritten",
    "the file is written anew ten times a second (right, wrong, cut off; in one step, in place, by a link), and a "
    "worker is killed every other second",
    inject,
    short=8,
    long=60,
    bites=("rewrites", "kills", "files applied", "files refused"),
)
