"""Brokers of several servers, one of each kind for a module, empty before each test."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from faults.topology.cluster import Cluster
from faults.topology.replicated import Replicated
from faults.topology.sentinels import Sentinels
from faults.topology.servers import Servers, role
from tests.lifecycle.conftest import Written, make

Kind = TypeVar("Kind", bound=Servers)
BINARY = os.environ.get("PIPELINE_TEST_SERVER", "")


@contextlib.contextmanager
def started(kind: type[Kind], **options: Any) -> Iterator[Kind]:
    """Servers in a folder of their own."""
    # Not pytest's own folder: the path of a unix socket may have 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="pq-"))
    servers = kind(folder, BINARY, **options)
    try:
        servers.start()
        yield servers
    finally:
        servers.kill()
        shutil.rmtree(folder)


def emptied(servers: Kind) -> Kind:
    """They hold nothing any more."""
    for node in servers.nodes:
        if role(node) == "master":
            node.call("FLUSHALL")
    return servers


@pytest.fixture(scope="module")
def _replicated() -> Iterator[Replicated]:
    with started(Replicated) as servers:
        yield servers


@pytest.fixture(scope="module")
def _sentinels() -> Iterator[Sentinels]:
    with started(Sentinels, down_after=2000) as servers:
        yield servers


@pytest.fixture(scope="module")
def _cluster() -> Iterator[Cluster]:
    with started(Cluster, enable_debug_command="local") as servers:
        yield servers


@pytest.fixture
def replicated(_replicated: Replicated) -> Replicated:
    """A primary and a replica."""
    return emptied(_replicated)


@pytest.fixture
def sentinels(_sentinels: Sentinels) -> Sentinels:
    """A primary, a replica, three Sentinels."""
    return emptied(_sentinels)


@pytest.fixture
def cluster(_cluster: Cluster) -> Cluster:
    """Three primaries, a replica each."""
    return emptied(_cluster)


@pytest.fixture(params=["replicated", "sentinels", "cluster"])
def servers(request: pytest.FixtureRequest) -> Servers:
    """Each kind of broker."""
    found: Servers = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def written(servers: Servers) -> Iterator[Written]:
    """A project with a file, on each kind of broker."""
    yield from make(servers.url, Written)


@pytest.fixture
def spread(cluster: Cluster) -> Iterator[Written]:
    """A project with a file, on the cluster."""
    yield from make(cluster.url, Written)
