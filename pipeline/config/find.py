"""Which project a command means, and where its root is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.errors import ConfigError, StartError
from pipeline.state import check_private

SUFFIXES = (".yaml", ".yml")


def root_of(file: Path) -> Path:
    """The project's folder: the one above `configs/` when the file lies in one, else the file's own."""
    # Not resolve(): a mounted config is a link into a folder that changes its name.
    folder = Path(os.path.normpath(file.absolute())).parent
    return folder.parent if folder.name == "configs" else folder


def find_file(explicit: str | None, env: Mapping[str, str], folder: Path | None = None) -> Path:
    """The config file: the one named, $PIPELINE_CONFIG, the one that runs here, or the only one there is.

    `folder` is the root to look in, the current one by default. Raises ConfigError with what to do.
    """
    if named := explicit or env.get("PIPELINE_CONFIG"):
        return Path(named)
    root = folder or Path()
    if running := _running(root):
        return running[0]
    configs = root / "configs"
    found = sorted(file for file in configs.glob("*") if file.suffix in SUFFIXES) if configs.is_dir() else []
    if len(found) == 1:
        return found[0]
    if (root / "pipeline.yaml").is_file():
        return root / "pipeline.yaml"
    if found:
        names = ", ".join(file.name for file in found)
        raise ConfigError(
            f"configs/ holds several files: {names}", help="name one: --config configs/NAME.yaml"
        )
    raise ConfigError(
        "no config file is here: neither in configs/, nor pipeline.yaml",
        help="go to the project's folder, name the file, or write a new project with `pipeline init`",
    )


def find_profile(explicit: str | None, env: Mapping[str, str], file: Path) -> str | None:
    """The profile for a config file: the one named, $PIPELINE_PROFILE, the one that the file runs with, or none.

    An empty name means that there shall be none.
    """
    named = env.get("PIPELINE_PROFILE") if explicit is None else explicit
    if named is not None:
        return named or None
    running = _running(root_of(file))
    return running[1] if running and _same(running[0], file) else None


def _running(root: Path) -> tuple[Path, str | None] | None:
    """The file and the profile of the supervisor that runs in this root, if one does.

    What lies in a folder that others can write to counts for nothing: they would choose whose handlers we import.
    """
    try:
        content = json.loads((check_private(root / ".pipeline") / "supervisor.json").read_text("utf-8"))
        file, pid, profile = Path(content["file"]), int(content["pid"]), content.get("profile")
        with suppress(PermissionError):
            os.kill(pid, 0)
    except (OSError, StartError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return file, profile if isinstance(profile, str) else None


def _same(one: Path, other: Path) -> bool:
    return os.path.normpath(one.absolute()) == os.path.normpath(other.absolute())
