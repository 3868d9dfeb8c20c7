"""What is written is what Prometheus' own parsers read, in both formats."""

from __future__ import annotations

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_plain

from pipeline.web.exposition import OPEN, PLAIN, Family, Histogram, format_of, render

HOSTILE = 'a"b\\c\nd'
FAMILIES = [
    Family("gauge", "shop_jobs", 'How "many"\\\n now.', ("queue",), [(("emails",), 3), ((HOSTILE,), 0.5)]),
    Family("counter", "shop_ended", "Ended.", ("state", "queue"), [(("dead", "emails"), 2**60)]),
    Family("info", "shop_build", "What runs.", ("version",), [(("1",), 1)]),
    Family(
        "histogram",
        "shop_run_seconds",
        "How long.",
        (),
        [((), Histogram([(0.0002, 1), (6710.8864, 4)], 12.5, 5))],
    ),
    Family("gauge", "shop_up", "Whether.", (), [((), 1)]),
    Family("gauge", "shop_nothing", "Nothing was measured."),
]


def samples(format: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = render(FAMILIES, format).decode()
    families = read_open(text) if format == OPEN else read_plain(text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.parametrize("format", [PLAIN, OPEN])
def test_every_value_is_read_as_it_was_measured(format: str) -> None:
    found = samples(format)
    assert found == {
        ("shop_jobs", (("queue", "emails"),)): 3,
        ("shop_jobs", (("queue", HOSTILE),)): 0.5,
        ("shop_ended_total", (("queue", "emails"), ("state", "dead"))): 2**60,
        ("shop_build_info", (("version", "1"),)): 1,
        ("shop_run_seconds_bucket", (("le", "0.0002"),)): 1,
        ("shop_run_seconds_bucket", (("le", "6710.8864"),)): 4,
        ("shop_run_seconds_bucket", (("le", "+Inf"),)): 5,
        ("shop_run_seconds_sum", ()): 12.5,
        ("shop_run_seconds_count", ()): 5,
        ("shop_up", ()): 1,
    }


def test_types_help_and_units_are_told() -> None:
    families = {one.name: one for one in read_open(render(FAMILIES, OPEN).decode())}
    assert {name: (one.type, one.unit) for name, one in families.items()} == {
        "shop_jobs": ("gauge", ""),
        "shop_ended": ("counter", ""),
        "shop_build": ("info", ""),
        "shop_run_seconds": ("histogram", "seconds"),
        "shop_up": ("gauge", ""),
    }
    assert families["shop_jobs"].documentation == 'How "many"\\\n now.'


def test_the_format_is_the_one_that_the_client_accepts() -> None:
    prometheus = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.2"
    assert format_of(prometheus) == OPEN
    assert format_of("text/plain") == format_of("*/*") == format_of(None) == PLAIN
