"""TLS before a broker that has none: what comes in is passed on to its unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextmanager
def terminated(path: str, context: ssl.SSLContext) -> Iterator[tuple[int, list[bytes]]]:
    """The port, and what came through it in the clear."""
    heard: list[bytes] = []
    loop, listens, ports = asyncio.new_event_loop(), threading.Event(), list[int]()

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65_536))
        back, forth = await asyncio.open_unix_connection(path)
        forth.write(heard[-1])
        await asyncio.gather(pump(reader, forth), pump(back, writer))

    async def serve() -> None:
        server = await asyncio.start_server(passed_on, "127.0.0.1", 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        listens.set()
        with contextlib.suppress(asyncio.CancelledError):
            await server.serve_forever()

    loop.set_exception_handler(lambda *_: None)  # handshakes that fail are the point
    task = loop.create_task(serve())
    thread = threading.Thread(target=loop.run_until_complete, args=(task,))
    thread.start()
    listens.wait(10)
    yield ports[0], heard
    loop.call_soon_threadsafe(task.cancel)
    thread.join()
    for left in asyncio.all_tasks(loop):
        left.cancel()
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
