"""The JSON API: what the dashboard is built on, and what other programs use. A file a subject; see docs/http-api.md."""

from __future__ import annotations

from pipeline.web.api import (
    act,
    alerts,
    bulk,
    charts,
    config,
    dead,
    enqueue,
    flows,
    jobs,
    overview,
    queues,
    schedules,
    stream,
    workers,
)
from pipeline.web.route import Route

API: tuple[Route, ...] = (
    *overview.ROUTES,
    *stream.ROUTES,
    *queues.ROUTES,
    *jobs.ROUTES,
    *enqueue.ROUTES,
    *act.ROUTES,
    *bulk.ROUTES,
    *dead.ROUTES,
    *schedules.ROUTES,
    *flows.ROUTES,
    *workers.ROUTES,
    *config.ROUTES,
    *charts.ROUTES,
    *alerts.ROUTES,
)
