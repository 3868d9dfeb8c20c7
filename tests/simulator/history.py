"""One history: a seed, a time of trouble, then calm, and the promises that must hold after it."""

from __future__ import annotations

from collections import Counter

from pipeline.store import keys
from tests.simulator.clients import Producer, editor, person, supervisor
from tests.simulator.world import LEASE, Actor, Violation, World

LEFT = {
    "last_id",
    "last_lease",
    "stats",
    "meta",
    "jobs",
    "runs",
    "outcomes",
    "completed",
    "dead",
    "cancelled",
}
PASSING = {"call", "dedup", "workers", "turns", "idle", "active", "inbox", "ids"}


def play(url: str, seed: int, mutation: tuple[str, str, str] | None = None) -> Counter[str]:
    """Play a history. Returns which faults it held; raises Violation."""
    world = World(url, seed, mutation)
    try:
        live(world)
        calm_down(world)
        check(world)
    finally:
        world.connection.close()
    return world.faults


def live(world: World) -> None:
    """Everybody at once, and trouble."""
    for name in ("p1", "p2"):
        world.actors[name] = Actor(name, Producer(world, name).client(12))
    for host in ("h1", "h2"):
        world.actors[host] = Actor(host, supervisor(world, host))
    world.actors["editor"] = Actor("editor", editor(world, 6))
    world.actors["person"] = Actor("person", person(world, 12))
    world.trouble = world.random.choice((0.0, 0.05, 0.2))
    for _ in range(world.random.choice((80, 200, 400))):
        disturb(world)
        world.step()
        beside_the_parked(world)


def disturb(world: World) -> None:
    """Now and then kill or freeze somebody, or let time pass."""
    dice = world.random.random()
    workers = [actor for name, actor in world.actors.items() if "-w" in name and not actor.ended]
    if dice < 0.01 and workers:
        world.random.choice(workers).kill()
        world.faults["killed"] += 1
    elif dice < 0.02 and workers:
        turn_to_ice(world.random.choice(workers))
        world.faults["frozen"] += 1
    elif dice < 0.03:
        turn_to_ice(world.actors[world.random.choice(("h1", "h2"))])
        world.faults["host frozen"] += 1
    elif dice < 0.05:
        world.time += world.random.choice((50, LEASE // 2, LEASE * 2))


def turn_to_ice(actor: Actor) -> None:
    """Freeze it, or thaw it."""
    if actor.frozen:
        actor.frozen = False
    else:
        actor.freeze()


def calm_down(world: World) -> None:
    """No more faults: everybody thaws, late commands arrive, and all goes on until nothing moves."""
    world.trouble = 0.0
    world.settle_limbo()
    for actor in world.actors.values():
        actor.frozen = False
    for _ in range(60):
        for _ in range(120):
            world.step()
        if world.actors["person"].ended and world.call("HEXISTS", keys.meta(world.store.queue), "paused"):
            # A late `pause` may have come after the last `resume`.
            world.carry_out(world.store.resume().command)
        if is_done(world):
            return
        beside_the_parked(world)
        world.time += 100


def is_done(world: World) -> bool:
    active = sum(
        world.call("HLEN", keys.active(world.store.queue, worker)) - 1 for worker in world.members("workers")
    )
    producing = not all(world.actors[name].ended for name in ("p1", "p2", "editor", "person"))
    return not (producing or active or world.waiting() or world.members("delayed"))


def beside_the_parked(world: World) -> None:
    """A job that may be taken, a parked worker, and nobody who was woken: then nobody takes it."""
    queue = world.store.queue
    if not world.waiting() or world.call("HEXISTS", keys.meta(queue), "paused"):
        return
    parked = {worker.decode() for worker in world.call("SMEMBERS", keys.idle(queue))}
    # Whoever is not parked takes a turn sooner or later, or is taken care of by its supervisor.
    if parked and not set(world.members("workers")) - parked:
        raise Violation(f"{world.waiting()} jobs wait beside parked workers: {sorted(parked)}")


def check(world: World) -> None:
    """The promises."""
    queue = world.store.queue
    if not is_done(world):
        raise Violation("jobs are left that nobody works on")
    if world.call("HEXISTS", keys.meta(queue), "removed"):
        raise Violation("an older edit counts, and not the last one")
    completed = [id.decode() for id in world.call("LRANGE", keys.completed(queue), 0, -1)]
    ends = Counter(completed) + Counter(world.members("dead")) + Counter(world.members("cancelled"))
    twice = {id: count for id, count in ends.items() if count > 1}
    if twice:
        raise Violation(f"ended more than once: {twice}")
    lost, unexpected = world.accepted - ends.keys(), ends.keys() - world.accepted
    if lost or unexpected:
        raise Violation(f"accepted and lost: {sorted(lost)}; nobody asked for: {sorted(unexpected)}")
    stats = world.stats()
    ids = int(world.call("GET", keys.last_id(queue)) or 0) - stats.get("gaps", 0) + stats.get("own", 0)
    if ids != len(ends):
        raise Violation(f"{ids} jobs were counted in, {len(ends)} are there")
    came = ids + stats.get("redriven", 0)
    went = sum(stats.get(name, 0) for name in ("completed", "dead", "cancelled", "purged"))
    if came != went:
        raise Violation(f"{came} came, {went} went: {stats}")
    records = {id.decode() for id in world.call("HKEYS", keys.jobs(queue))}
    if records != ends.keys():
        raise Violation(f"records without an end: {records ^ ends.keys()}")
    check_keys(world)


def check_keys(world: World) -> None:
    """What has drained to empty leaves only counters and what is kept on purpose."""
    names = [key.decode().removeprefix(world.store.queue + ":") for key in world.call("KEYS", "{*")]
    left = {name.split(":")[0] for name in names} - LEFT - PASSING
    if left:
        raise Violation(f"keys are left over: {left}")
    live = {f"{kind}:{worker}" for worker in world.members("workers") for kind in ("active", "inbox")}
    dead = {name for name in names if name.startswith(("active:", "inbox:"))} - live
    if dead:
        raise Violation(f"workers that are gone left keys: {dead}")
