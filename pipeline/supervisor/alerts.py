"""Who is told when jobs die or wait too long, a pool is FATAL, or a file cannot be applied.

Looked at once in every beat, by counters that are there anyway; sent in threads, one a receiver at a time. What a queue
says is sent by one of its supervisors: what was told stands in the broker. What does not arrive is tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

from msgspec import Struct

from pipeline.alerts import message as messages
from pipeline.alerts.deliver import deliver
from pipeline.alerts.message import Message, Origin
from pipeline.clock import monotonic_ms, now_ms
from pipeline.errors import BrokerError, NotSent
from pipeline.policy import QueuePolicy
from pipeline.store import alerts as told
from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.groups import grouped, newest
from pipeline.store.reader import server_time
from pipeline.store.wire import Connection
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.host import host_name
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.waits import Waits

HOLD = 30_000
"""How long, in ms, the others leave an alert to the one that began to send it; and the pause before another try."""
TRIES = 20
LOOKED_AT = 100
NEARLY = 0.9
LAST_SECONDS = 5.0


class Local(Struct):
    """What only this supervisor knows of, and is still to be told."""

    message: Message
    count: int = 1
    tries: int = 0


class Alerts:
    """`generation` tells which one runs. `troubles` are the alerts that did not arrive, by name, with why."""

    def __init__(self, fleet: Fleet, logs: Logs, generation: Callable[[], int]) -> None:
        self._fleet = fleet
        self._logs = logs
        self._generation = generation
        self._local: dict[tuple[str, str, str], Local] = {}
        self._not_before: dict[tuple[str, str, str], int] = {}
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._settled: dict[tuple[str, str], int] = {}
        self._waits: dict[str, Waits] = {}
        self._fatal: dict[str, str] = {}
        self._rejected: str | None = None
        self._connection: Connection | None = None
        self.troubles: dict[str, str] = {}
        self.sent: Counter[tuple[str, ...]] = Counter()
        """How many arrived and how many failed: ("alerts", name, "sent" or "failed")."""
        self.pids: set[int] = set()
        """The commands that run."""

    # --- what this supervisor knows by itself --------------------------------------------------------------

    def note(self, trouble: str | None) -> None:
        """Look at the pools, and at why the file is not what runs (None: it is, or that passes by itself); send what is
        due. Needs no broker."""
        fatal = {pool.name: pool.reason or "" for pool in self._fleet.pools if pool.state == "fatal"}
        for name in fatal.keys() - self._fatal.keys():
            self._raise("fatal", name, messages.fatal(self._origin(), name, fatal[name]))
        self._fatal = fatal
        if trouble is not None and trouble != self._rejected:
            self._raise("rejected", "", messages.rejected(self._origin(), self._generation(), trouble))
        self._rejected = trouble
        self._send_local()

    def _origin(self) -> Origin:
        return Origin(self._fleet.plan.name, host_name(), now_ms())

    def _raise(self, event: str, subject: str, message: Message) -> None:
        for name, alert in self._fleet.plan.alerts.items():
            if event in alert.events:
                before = self._local.get((name, event, subject))
                self._local[name, event, subject] = Local(message, before.count + 1 if before else 1)

    def _send_local(self) -> None:
        now = monotonic_ms()
        for key, local in list(self._local.items()):
            if key[0] not in self._fleet.plan.alerts:
                del self._local[key]
            elif now >= self._not_before.get(key, 0) and key[0] not in self._sending:
                self._begin(
                    key[0], messages.again(local.message, local.count), partial(self._arrived, key, local)
                )

    async def _arrived(self, key: tuple[str, str, str], local: Local, *, arrived: bool) -> None:
        now, alert = monotonic_ms(), self._fleet.plan.alerts.get(key[0])
        self._not_before[key] = now + (alert.throttle if arrived and alert is not None else HOLD)
        local.tries += 1
        newer = self._local.get(key, local)
        if newer is not local and arrived:
            newer.count -= local.count
        if self._local.get(key) is local and (arrived or local.tries >= TRIES):
            del self._local[key]

    # --- what the queues say -------------------------------------------------------------------------------

    async def look(self, connection: Connection) -> None:
        """Look at the queues that name an alert. Raises BrokerError."""
        if connection is not self._connection:
            # It may be another server than before, or one that lost its memory.
            self._connection = connection
            self._settled.clear()
        for policy in self._policies():
            letter, limit = policy.dead_letter, policy.wait_limit
            if letter.alert in self._fleet.plan.alerts:
                await self._look_at_dead(connection, policy, str(letter.alert))
            if limit is not None and limit.alert in self._fleet.plan.alerts:
                await self._look_at_waiting(connection, policy, limit.alert, limit.max)

    def _policies(self) -> list[QueuePolicy]:
        """All queues of the file, those that only store as well; by the newest policy where we know of one."""
        served = {queue: policy for pool in self._fleet.serving for queue, policy in pool.queues.items()}
        plan = self._fleet.plan.queues
        return [
            served.get(name, policy)
            for name, policy in plan.items()
            if self._fleet.only is None or name in served
        ]

    async def _look_at_dead(self, connection: Connection, policy: QueuePolicy, alert: str) -> None:
        queue = keys.base(self._fleet.plan.name, policy.name)
        died, kept = await asyncio.gather(
            connection.call(("HGET", keys.stats(queue), "dead")), connection.call(("ZCARD", keys.dead(queue)))
        )
        total, most = int(died or 0), policy.dead.count

        async def say_died(before: int) -> Message:
            groups = grouped(await newest(connection, queue, min(total - before, LOOKED_AT)))
            return messages.died(self._origin(), policy.name, total - before, groups)

        async def say_full(_: int) -> Message:
            return messages.full(self._origin(), policy.name, kept, most or 0)

        await self._claim(connection, policy.name, alert, ("dead", total, total), say_died)
        if most:
            level = (kept >= most * NEARLY) + (kept >= most)
            await self._claim(connection, policy.name, alert, ("full", level, 0), say_full)

    async def _look_at_waiting(
        self, connection: Connection, policy: QueuePolicy, alert: str, limit: int
    ) -> None:
        queue = keys.base(self._fleet.plan.name, policy.name)
        if await connection.call(("HEXISTS", keys.meta(queue), "paused")):
            # Whoever stopped it knows; and what it holds waits anew when it goes on.
            self._waits.pop(policy.name, None)
            waited = 0
        else:
            waits = self._waits.setdefault(policy.name, Waits(self._fleet.plan.name, policy.name))
            waited = await waits.look(connection, limit, await run(connection, server_time()))

        async def say_waits(_: int) -> Message:
            return messages.waits(self._origin(), policy.name, waited, limit)

        await self._claim(connection, policy.name, alert, ("waiting", int(waited > limit), 0), say_waits)

    async def _claim(
        self,
        connection: Connection,
        queue: str,
        alert: str,
        now: tuple[str, int, int],
        say: Callable[[int], Awaitable[Message]],
    ) -> None:
        """Send what `say` makes of what was told before, if it is our turn. `now`: what it is about, at what value it
        stands, and what counts as told when nothing was."""
        what, value, first = now
        if self._settled.get((queue, what)) == value or alert in self._sending:
            return
        project, throttle = self._fleet.plan.name, self._fleet.plan.alerts[alert].throttle
        before = await run(
            connection, told.due(project, queue, what, value, first=first, throttle=throttle, hold=HOLD)
        )
        if before is told.SETTLED:
            self._settled[queue, what] = value
        elif before != told.LATER:
            self._begin(alert, await say(before), partial(self._confirm, connection, queue, what, value))

    async def _confirm(
        self, connection: Connection, queue: str, what: str, value: int, *, arrived: bool
    ) -> None:
        if arrived:
            await run(connection, told.sent(self._fleet.plan.name, queue, what, value))

    # --- sending -------------------------------------------------------------------------------------------

    def _begin(self, name: str, message: Message, then: Callable[..., Awaitable[None]]) -> None:
        """Send in a thread; `then` hears whether it arrived."""
        self._sending[name] = asyncio.create_task(self._send(name, message, then))

    async def _send(self, name: str, message: Message, then: Callable[..., Awaitable[None]]) -> None:
        plan = self._fleet.plan
        pids: list[int] = []

        def on_start(pid: int) -> None:
            pids.append(pid)
            self.pids.add(pid)

        send = partial(deliver, name, plan.alerts[name], message, plan.root, self._logs.secrets, on_start)
        try:
            failed = await in_thread(send)
            self.sent["alerts", name, "sent" if failed is None else "failed"] += 1
            if failed is None:
                self.troubles.pop(name, None)
            elif self.troubles.get(name) != failed:
                self.troubles[name] = failed
                self._logs.say(f"alert {name} did not arrive: {failed}; it is tried again")
            await then(arrived=failed is None)
        except BrokerError:
            pass  # it was sent, and the broker does not know: it may come twice
        finally:
            del self._sending[name]
            self.pids.difference_update(pids)

    async def finish(self, connection: Connection | None, trouble: str | None) -> None:
        """Before the supervisor ends: send what is due, and wait a while for what is on its way."""
        with contextlib.suppress(BrokerError, TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                while True:
                    self.note(trouble)
                    if connection is not None:
                        await self.look(connection)
                    if not self._sending:
                        break
                    await asyncio.wait(list(self._sending.values()))
        for task in self._sending.values():
            task.cancel()


def in_thread(send: Callable[[], None]) -> asyncio.Future[str | None]:
    """Why `send` failed, or None. In a thread that nobody waits for at the end: a name may take long to be looked up."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str | None] = loop.create_future()

    def tell(reason: str | None) -> None:
        if not done.done():
            done.set_result(reason)

    def work() -> None:
        reason = None
        try:
            send()
        except NotSent as error:
            reason = error.message
        except Exception as error:  # noqa: BLE001 - whatever it is, the next alert is another try
            reason = f"this should not happen: {type(error).__name__}"
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, reason)

    threading.Thread(target=work, name="alert", daemon=True).start()
    return done
