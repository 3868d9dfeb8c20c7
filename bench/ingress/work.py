"""What a payment webhook makes a shop do, the same inline and queued: charge at the gateway, then send a mail."""

import http.client
import os


def capture(event: dict[str, object]) -> None:
    """Blocks for as long as the two of them take."""
    post(os.environ["BENCH_GATEWAY"], "/charges", event)
    post(os.environ["BENCH_MAIL"], "/mails", event)


def post(address: str, path: str, event: dict[str, object]) -> None:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request("POST", path, str(event["id"]))
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
    finally:
        connection.close()


def handle(job) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - it is given no package of ours
    """The same as a handler."""
    capture(job.data)
