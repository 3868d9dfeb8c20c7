"""The names that users import."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import pytest

import pipeline

NAMES = [
    "AsyncClient",
    "Client",
    "Discard",
    "Job",
    "JobCancelled",
    "PipelineError",
    "RateLimited",
    "RetryLater",
    "SoftTimeout",
]


def test_the_public_names_change_only_on_purpose() -> None:
    assert sorted(pipeline.__all__) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(getattr(pipeline, name))


@pytest.mark.parametrize("kind", [pipeline.Client, pipeline.AsyncClient, pipeline.Job])
def test_every_public_method_says_what_it_does(kind: type) -> None:
    methods = [name for name, value in vars(kind).items() if callable(value) and not name.startswith("_")]
    assert [name for name in methods if not inspect.getdoc(getattr(kind, name))] == []


def test_a_misspelled_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Clint"):
        _ = pipeline.Clint


def test_the_installed_version_is_the_packages_own() -> None:
    assert version("pipeline-queues") == pipeline.__version__
