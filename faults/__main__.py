"""python -m faults [F1 F9 ...]: puts faults in, and counts what was lost. See README.md."""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from faults import report
from faults.case import Case, load
from faults.conduct import conduct
from faults.runner import Runner, write

AT_ONCE = 2


def main(argv: Sequence[str]) -> int:
    """Run the cases and print a row each; 1 when one failed, 2 for a bad call."""
    cases = load()
    args = _parser(cases).parse_args(argv)
    named = [cases[name] for name in args.cases or cases]
    chosen = [case for case in named if not (args.bare and case.needs)]
    if args.row:
        write(args.row, conduct(chosen[0], args.seed, long=args.long, binary=args.server or ""))
        return 0
    run = report.Run(args.seed, args.long, list(argv))
    print(f"seed {args.seed}; {report.HEAD}", flush=True)
    for row in Runner(args.seed, args.long, args.server or "").run(chosen, args.at_once):
        run.rows.append(row)
        print(report.line(row), flush=True)
    if args.report:
        args.report.write_text(report.document(run))
    print(report.summary(run.rows))
    return 0 if all(row.passed for row in run.rows) else 1


def _parser(cases: dict[str, Case]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)

    def case(name: str) -> str:
        if name.upper() not in cases:
            raise argparse.ArgumentTypeError(f"no case {name}; there are {' '.join(cases)}")
        return name.upper()

    def server(path: str) -> str:
        if found := shutil.which(path):
            return found
        raise argparse.ArgumentTypeError(f"no program {path}")

    parser.add_argument("cases", nargs="*", type=case, metavar="CASE", help="which ones, all unless given")
    parser.add_argument("--bare", action="store_true", help="only those that need nothing but Python")
    parser.add_argument("--long", action="store_true", help="each fault lasts about a minute")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of every random choice")
    parser.add_argument("--report", type=Path, metavar="FILE.md", help="write a table there")
    parser.add_argument("--server", type=server, help="a server program (the bundled Valkey)")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, metavar="N", help="cases side by side (2)")
    parser.add_argument("--row", type=Path, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
