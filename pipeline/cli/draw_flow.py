"""Flows as people read them: a list, and one with its steps."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from pipeline.cli.draw import to_json, when
from pipeline.cli.output import harmless

if TYPE_CHECKING:
    from pipeline.flowview import FlowView, StepView
    from pipeline.store.flowlist import FlowLine

COLORS = {
    "completed": "green",
    "done": "green",
    "running": "cyan",
    "ready": "cyan",
    "handling": "cyan",
    "failed": "red",
    "failing": "red",
}
SIGNS = {
    "done": "✓",
    "failed": "✗",
    "running": "▸",
    "ready": "▸",
    "cancelled": "-",
    "skipped": "-",
    "blocked": "·",
}


def print_flows(flows: list[FlowLine]) -> None:
    """A line for each."""
    width = max(len(flow.id) for flow in flows)
    for flow in flows:
        ended = f"  ended {when(flow.finished_at)}" if flow.finished_at else ""
        click.echo(f"{flow.id:<{width}}  {painted(flow.state, 10)}  started {when(flow.started_at)}{ended}")


def painted(state: str, width: int = 0) -> str:
    """A state in its colour."""
    return click.style(f"{state:<{width}}", COLORS.get(state))


def print_flow(flow: FlowView) -> None:
    """One flow: its facts, and its steps in the order of the file."""
    facts = {"flow": flow.id, "state": painted(flow.state), "started": when(flow.started_at)}
    if flow.finished_at is not None:
        facts["finished"] = when(flow.finished_at)
    if flow.error is not None:
        facts["error"] = harmless(f"{flow.error.type}: {flow.error.message}")
    for name, value in facts.items():
        click.echo(f"{click.style(f'{name:<12}', dim=True)}{value}")
    click.echo()
    width = max(len(step.name) for step in flow.steps)
    for step in flow.steps:
        click.echo(_step(step, width))
        if step.error is not None:
            member = "" if step.error.member is None else f"[{step.error.member}] "
            click.echo(f"  {'':{width}}  {harmless(f'{member}{step.error.type}: {step.error.message}')}")
    click.echo(
        f"\n{click.style('data', bold=True)}\n{textwrap.indent(harmless(to_json(flow.data, indent=2)), '  ')}"
    )
    if flow.state in ("failed", "cancelled"):
        click.echo(f"\nlet it go on: pipeline flows retry {flow.id}")


def _step(step: StepView, width: int) -> str:
    about = [f"{step.queue} {step.job}"]
    if step.needs:
        about.append(f"needs {', '.join(step.needs)}")
    if step.kind:
        about.append(step.kind.replace("_", " "))
    if step.total is not None and step.total != 1:
        failed = f", {step.failed:,} failed" if step.failed else ""
        about.append(f"{step.done:,} of {step.total:,} done{failed}")
    if step.round > 1:
        about.append(f"round {step.round}")
    sign = click.style(SIGNS.get(step.state, " "), COLORS.get(step.state))
    return f"{sign} {step.name:<{width}}  {painted(step.state, 9)}  {'; '.join(about)}"
