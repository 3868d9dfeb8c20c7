"""Results: one line of JSON a value, in a file that grows."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Results:
    """A file of lines {peer, version, measure, value, unit, config, run, load1, ...}."""

    path: Path
    versions: dict[str, str]

    def emit(
        self, peer: str, measure: str, value: float, unit: str, config: str, run: int, **more: object
    ) -> None:
        line = {
            "peer": peer,
            "version": self.versions.get(peer, ""),
            "measure": measure,
            "value": round(value, 4),
            "unit": unit,
            "config": config,
            "run": run,
            "load1": round(os.getloadavg()[0], 2),
            **more,
        }
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(f"{run} {peer:16} {measure:24} {line['value']:>14,} {unit}", flush=True)


def load(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
