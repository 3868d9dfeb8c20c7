"""Job queues declared in a file. The public names; see README.md.

`Client` and `AsyncClient` are imported on first use: a worker, which needs neither, starts faster.
"""

from typing import TYPE_CHECKING, Any

from pipeline.errors import Discard, JobCancelled, PipelineError, RateLimited, RetryLater, SoftTimeout
from pipeline.job import Job

if TYPE_CHECKING:
    from pipeline.async_client import AsyncClient
    from pipeline.client import Client

__all__ = [
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
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "Client":
        from pipeline.client import Client

        return Client
    if name == "AsyncClient":
        from pipeline.async_client import AsyncClient

        return AsyncClient
    raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
