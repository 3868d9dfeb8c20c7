"""python -m bench: measures ours beside its peers, and writes the report. See README.md."""

import argparse
import sys
from pathlib import Path

from bench import extras, kill, measures, profile, report, suite, wire
from bench.peers import PEERS
from bench.places import REPORT, WORK
from bench.results import load

COMMANDS = ("run", "report", "wire", "kill", "profile")
GROUPS = (*measures.GROUPS, *extras.GROUPS)


def main(argv: list[str]) -> None:
    if not argv or argv[0] not in (*COMMANDS, "-h", "--help"):
        argv = ["run", *argv]
    args = _parser().parse_args(argv)
    args.call(args)


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="|".join(COMMANDS))
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--peers", default="core", help="core (default), all, or names: " + ", ".join(PEERS))
    common.add_argument("--out", type=Path, default=WORK / "results.jsonl", help="values are appended here")
    common.add_argument("--keep", action="store_true", help="keep earlier values and filled snapshots")
    common.add_argument(
        "--lock", type=Path, help="a file to flock while a peer is measured, to share the machine"
    )
    _add_run(commands.add_parser("run", parents=[common], help="measure, then write the report (default)"))
    _add_report(commands.add_parser("report", help="write the report of values that were taken before"))
    _add_wire(
        commands.add_parser("wire", parents=[common], help="round trips and commands a job, of one drain")
    )
    _add_kill(
        commands.add_parser("kill", parents=[common], help="kill -9 in the middle of a drain: what was lost?")
    )
    _add_profile(commands.add_parser("profile", help="where the time of one worker of ours goes"))
    return top


def _add_run(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--runs", type=int, default=3)
    sub.add_argument(
        "--scale", type=float, default=1.0, help="multiplies every number of jobs; 0.05: a quick look"
    )
    sub.add_argument("--samples", type=int, default=5000, help="latency samples of a peer, over all runs")
    sub.add_argument("--groups", default=",".join(GROUPS), help="what to measure (default: %(default)s)")
    sub.add_argument("--server", choices=("redis", "valkey"), default="redis")
    sub.add_argument("--report", type=Path, default=REPORT)
    sub.set_defaults(call=_run)


def _run(args: argparse.Namespace) -> None:
    groups = frozenset(args.groups.split(","))
    if unknown := groups - {*GROUPS}:
        raise SystemExit(f"no such group: {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    samples = max(20, round(args.samples * min(1.0, args.scale) / args.runs))
    settings = measures.Settings(args.server, args.scale, samples, groups)
    suite.run(suite.Suite.open(args), args.runs, settings)
    lines = load(args.out)
    report.write(lines, args.report)
    if failed := [line for line in lines if line["measure"] == "failed"]:
        raise SystemExit(f"{len(failed)} steps failed: see the end of the report")


def _add_report(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("results", type=Path, nargs="?", default=WORK / "results.jsonl")
    sub.add_argument("--report", type=Path, default=REPORT)
    sub.set_defaults(call=lambda args: report.write(load(args.results), args.report))


def _add_wire(sub: argparse.ArgumentParser) -> None:
    sub.set_defaults(call=lambda args: suite.each(suite.Suite.open(args), 1, wire.measure))


def _add_kill(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--trials", type=int, default=3)
    sub.add_argument("--jobs", type=int, default=20_000)
    sub.add_argument(
        "--patience", type=float, default=20, help="seconds without a job until the rest counts as lost"
    )
    sub.set_defaults(
        call=lambda args: suite.each(
            suite.Suite.open(args), args.trials, kill.Kill(args.jobs, args.patience).measure
        )
    )


def _add_profile(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--jobs", type=int, default=100_000)
    sub.add_argument("--concurrency", type=int, default=10)
    sub.add_argument("--lines", type=int, default=30)
    sub.set_defaults(call=lambda args: profile.run(args.jobs, args.concurrency, args.lines))


main(sys.argv[1:])
