"""`pipeline init`: a project that validates and runs at once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from pipeline.errors import PipelineError

TEMPLATES = Path(__file__).parents[1] / "templates"
SUFFIX = ".template"
SCHEMA = "schemas/pipeline.schema.json"


@click.command(short_help="Write a new project.")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Write a new project to DIR: a config, a handler, its schema, a test. Nothing is overwritten."""
    files = contents(name_of(folder))
    if taken := [path for path in files if (folder / path).exists()]:
        raise PipelineError(
            f"{folder / taken[0]} exists already", "nothing was written; choose another folder"
        )
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        click.echo(f"wrote {target}")
    go = [] if folder.resolve() == Path.cwd() else [f"cd {folder}"]
    steps = [
        *go,
        "pipeline validate",
        "pipeline test",
        """pipeline enqueue mails welcome '{"to": "ann@example.com", "name": "Ann"}'""",
    ]
    click.echo("\nnext:")
    for step in [*steps, "pipeline run"]:
        click.echo(f"  {click.style(step, bold=True)}")


def contents(name: str) -> dict[str, str]:
    """Every file of a new project, by its path in it."""
    from pipeline.config.schema import json_schema

    files = {
        str(path.relative_to(TEMPLATES)).removesuffix(SUFFIX): path.read_text("utf-8").replace(
            "{{name}}", name
        )
        for path in sorted(TEMPLATES.rglob(f"*{SUFFIX}"))
    }
    return files | {SCHEMA: json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"}


def name_of(folder: Path) -> str:
    """The project's name: that of its folder, as far as a name may have its characters."""
    name = re.sub(r"[^a-z0-9_.-]+", "-", folder.resolve().name.lower()).strip("-_.")
    return name[:64] or "shop"
