"""Results -> bench/INGRESS.md."""

import os
import platform
from typing import Any

P99_SECONDS, RATIO, RATE = 0.025, 20, 3_000


def text(results: dict[str, Any]) -> str:
    """The report in Markdown: the bars first."""
    inline, queued, alone, load = (results[key] for key in ("inline", "queued", "alone", "load"))
    ratio = inline["p99"] / max(queued["p99"], 1e-9)
    late = max(inline["generator_lag_p99"], queued["generator_lag_p99"]) * 1000
    lines = [
        "# Ingress",
        "",
        "What `python -m bench.ingress` measured: a shop that gets payment webhooks (signed as Stripe signs), charges at a gateway",
        "(300 ms +- 100) and sends a mail (150 ms).",
        f"{load['workers']} sync workers with the work inline bear {load['bears']:.1f} webhooks a second; both get {load['rate']:.1f} a second",
        f"for {load['seconds']:.0f} s, at times fixed before, on a connection each, given up after 10 s.",
        "A request counts from when it should have been sent.",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; everything on one machine.",
        "",
        "| bar | measured | |",
        "|---|---|---|",
        f"| queued p99 <= inline p99 / {RATIO} | 1/{ratio:.0f} | {_met(ratio >= RATIO)} |",
        f"| queued p99 <= {_ms(P99_SECONDS)} | {_ms(queued['p99'])} | {_met(queued['p99'] <= P99_SECONDS)} |",
        f"| ingress alone >= {RATE:,} signed webhooks a second on one core | {alone['rate']:,.0f} | {_met(alone['rate'] >= RATE)} |",
        "",
        "| | sent | p50 | p95 | p99 | longest | errors |",
        "|---|---|---|---|---|---|---|",
        _row("work inline", inline),
        _row("work queued", queued),
        "",
        f"The jobs of the queued one were done {results['drained']:.1f} s after its last webhook.",
        f"The load generator itself was late by {late:.1f} ms at most (p99).",
        "",
        "## Ingress alone",
        "",
        f"{alone['connections']} connections, each with its next event as soon as the last one is answered. The web process is pinned to one core,",
        "the embedded broker (durability everysec) and the senders to the others.",
        "",
        f"{alone['rate']:,.0f} a second (runs: {alone['runs']}), p50 {_ms(alone['p50'])}, p99 {_ms(alone['p99'])};",
        f"{alone['cpu'] * 1e6:.0f} us of CPU a webhook in the web process.",
        "",
    ]
    return "\n".join(lines)


def _row(title: str, values: dict[str, Any]) -> str:
    errors = ", ".join(f"{count} {what}" for what, count in values["ends"].items() if what != "2xx")
    times = " | ".join(_ms(values[key]) for key in ("p50", "p95", "p99", "max"))
    return f"| {title} | {values['sent']} | {times} | {errors or 'none'} |"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"


def _met(met: bool) -> str:
    return "met" if met else "**missed**"
