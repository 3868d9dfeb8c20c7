"""One history: a seed, a time of trouble, then calm, and the promises that must hold after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pipeline.store import keys
from tests.simulator.clocks import clock
from tests.simulator.people import person
from tests.simulator.places import ENDED, Lease, Violation
from tests.simulator.producers import Producer, editor
from tests.simulator.server import QUEUE, Server
from tests.simulator.supervisors import Supervisor
from tests.simulator.world import LEASE, Actor, World

# Most histories are short: many beginnings find more than a few that go on.
LENGTHS = (10, 15, 20, 30, 30, 40, 60, 60, 100, 200)
JUMPS = (-600_000, -3 * LEASE, 3 * LEASE, 3 * LEASE)
ROUNDS, SHORT_ROUNDS = 200, 30
"""Jobs that kill what they run in run one after another, and die only when they are caught at it three times."""
LEFT = {
    "lane_place",
    "lane_of",
    "last_id",
    "last_lease",
    "stats",
    "names",
    "meta",
    "jobs",
    "runs",
    "outcomes",
    "notes",
    "logs",
    "moved",
    *ENDED,
}
PASSING = {
    "call",
    "dedup",
    "workers",
    "turns",
    "idle",
    "active",
    "inbox",
    "ids",
    "starts",
    "started",
    "events",
    "lane_starts",
    "lane_opens",
    "schedules",
}


def play(server: Server, seed: int, *, remember: int | None = 60) -> World:
    """Play a history; returns the world after it. Raises Violation, with the schedule."""
    world = World(server, seed, remember=remember)
    try:
        live(world)
        calm_down(world)
        check(world)
    except Violation as violation:
        again = f"python -m tests.simulator --seed {seed}"
        raise Violation(f"seed {seed}: {violation} ({again})\n{schedule(world)}") from None
    return world


def schedule(world: World) -> str:
    """The last steps of a history, for people."""
    return "\n".join(map(world.words, world.log))


def live(world: World) -> None:
    """Everybody at once, and trouble."""
    chance = world.random
    steps = chance.choice(LENGTHS)
    world.processes = chance.choice((1, 2))
    for name in ("p1", "p2")[: chance.choice((1, 2))]:
        world.actors[name] = Actor(name, Producer(world, name).client(3 + steps // 15))
    for host in ("h1", "h2")[: chance.choice((1, 2))]:
        world.actors[host] = Actor(host, Supervisor(world, host).client())
    # Each history has its own kinds of trouble, and much of those: what needs three of a kind is met sooner so.
    world.actors["editor"] = Actor("editor", editor(world, chance.choice((0, 0, 1, steps // 30))))
    world.actors["person"] = Actor("person", person(world, chance.choice((0, 2, steps // 8))))
    tries = 3 + steps // 8
    for name in ("c1", "c2")[: chance.choice((0, 0, 2))]:
        world.actors[name] = Actor(name, clock(world, name, tries))
    world.trouble = chance.choice((0.01, 0.05, 0.2))
    world.lateness = chance.choice((0.05, 0.2, 0.2))
    world.pace = chance.choice((0.2, 0.6, 0.6))
    world.poison = chance.choice((0.0, 0.0, 0.02, 0.2))
    # Who comes when all is quiet meets parked workers.
    world.leisure = chance.choice((0.0, 0.5, 0.9))
    world.keep = chance.choice((-1, -1, 0, 2))
    kinds = [(share, fault) for share, fault in FAULTS if chance.random() < 0.4]
    for _ in range(steps):
        disturb(world, kinds)
        world.step()


def disturb(world: World, kinds: Sequence[Kind]) -> None:
    """Now and then something befalls somebody."""
    dice = world.random.random()
    for share, fault in kinds:
        dice -= share
        if dice < 0:
            fault(world)
            return


def kill_worker(world: World) -> None:
    if workers := living_workers(world):
        world.kill(world.random.choice(workers))


def kill_host(world: World) -> None:
    """A host is gone, with all that runs on it; another one comes."""
    host = world.random.choice(hosts(world))
    world.actors[host].kill()
    for name in [name for name in world.boards if name.startswith(host + "-")]:
        world.actors[name].kill()
        del world.boards[name]
    world.befall(f"host killed: {host}")
    new = f"h{sum(name.startswith('h') and '-' not in name for name in world.actors) + 1}"
    world.actors[new] = Actor(new, Supervisor(world, new).client())


def freeze_worker(world: World) -> None:
    if workers := living_workers(world):
        turn_to_ice(world, world.random.choice(workers))


def freeze_host(world: World) -> None:
    turn_to_ice(world, world.random.choice(hosts(world)))


def turn_to_ice(world: World, name: str) -> None:
    """Freeze it, or thaw it."""
    actor = world.actors[name]
    actor.frozen = not actor.frozen
    world.befall(f"{'frozen' if actor.frozen else 'thawed'}: {name}")
    world.standing.add(name)


def isolate_host(world: World) -> None:
    """A supervisor stands still for longer than a lease, and its workers go on."""
    host = world.random.choice(hosts(world))
    if not world.actors[host].frozen:
        turn_to_ice(world, host)
        world.pass_time(LEASE + 100)


def let_time_pass(world: World) -> None:
    ms = world.random.choice((50, LEASE // 2, LEASE * 2))
    world.pass_time(ms)
    world.befall(f"time passed: {ms} ms")


def jump_clock(world: World) -> None:
    """The server's clock is set. Nobody's else is."""
    ms = world.random.choice(JUMPS)
    world.time += ms
    world.befall(f"clock {'back' if ms < 0 else 'forward'}: {ms} ms")


def flush_scripts(world: World) -> None:
    world.server.forget_scripts()
    world.befall("scripts flushed")


def copy_or_roll_back(world: World) -> None:
    """What was put aside comes back; somebody puts the queue right again after it, as after the calls before."""
    if not world.copied:
        world.copy()
        return
    world.roll_back()
    for name, client in (("editor", editor(world, 0, 100 * world.epoch)), ("person", person(world, 1))):
        again = f"{name}{world.epoch}"
        world.actors[again] = Actor(again, client)


Kind = tuple[float, Callable[[World], None]]
FAULTS: tuple[Kind, ...] = (
    (0.03, kill_worker),
    (0.05, freeze_worker),
    (0.02, freeze_host),
    (0.02, isolate_host),
    (0.01, kill_host),
    (0.04, let_time_pass),
    (0.01, jump_clock),
    (0.01, flush_scripts),
    (0.02, copy_or_roll_back),
)


def hosts(world: World) -> list[str]:
    return [
        name for name, actor in world.actors.items() if name[0] == "h" and "-" not in name and not actor.ended
    ]


def living_workers(world: World) -> list[str]:
    return [name for name in world.boards if world.is_alive(name)]


def calm_down(world: World) -> None:
    """No more faults: everybody thaws, late commands arrive, and all goes on until nothing moves."""
    world.trouble = world.leisure = 0.0
    world.pace = 0.6
    world.settle_limbo()
    for actor in world.actors.values():
        actor.frozen = False
    for round in range(ROUNDS):
        for _ in range(10 * len(hosts(world) + living_workers(world))):
            world.step()
            if is_done(world):
                return
        go_on(world)
        world.pass_time(100 if round < SHORT_ROUNDS else 1000)
    unended = [id for id, place in world.view.places.items() if place not in ENDED]
    gone = sorted(world.view.workers.keys() - {name.encode() for name in living_workers(world)})
    raise Violation(f"nobody works on {unended}, or cares for {gone}; or a client does not end")


def go_on(world: World) -> None:
    """What only people or days can bring: a late pause is ended, and what is delayed comes due."""
    if world.view.paused and people_are_done(world):
        # It may have come after the last `resume`.
        world.carry_out("person", world.store.resume().command)
    runs = any(isinstance(place, Lease) for place in world.view.places.values())
    if world.view.due and not runs and not world.view.takeable:
        # What waits in a lane waits for a delayed one, too.
        world.pass_time(max(0, min(world.view.due.values()) - world.time))


def people_are_done(world: World) -> bool:
    return all(actor.ended for name, actor in world.actors.items() if name[0] in "pe")


def is_done(world: World) -> bool:
    seen = world.view
    return (
        all(place in ENDED for place in seen.places.values())
        and not seen.remains
        and people_are_done(world)
        and all(world.is_alive(worker.decode()) for worker in seen.workers)
    )


def check(world: World) -> None:
    """The promises that can be checked only at the end; see Model.follow for what is checked after each step."""
    if world.view.removed:
        raise Violation("an older edit counts, and not the last one")
    born = world.model.born
    lost, unexpected = world.accepted - born, born - world.accepted - {*world.model.fired.values()}
    if lost or unexpected:
        raise Violation(f"accepted and lost: {sorted(lost)}; nobody asked for: {sorted(unexpected)}")
    check_counts(world)
    check_keys(world)


def check_counts(world: World) -> None:
    counts = world.model.counts
    flat = world.server.call("HGETALL", keys.stats(QUEUE))
    stats = Counter({name.decode(): int(by) for name, by in zip(flat[::2], flat[1::2], strict=True)})
    ids = int(world.server.call("GET", keys.last_id(QUEUE)) or 0) - stats["gaps"] + stats["own"]
    told = {"enqueued": ids, "lost": stats["lost_leases"]}
    told |= {name: stats[name] for name in ("completed", "dead", "cancelled", "purged", "redriven")}
    wrong = {name: (told[name], counts[name]) for name in told if told[name] != counts[name]}
    if wrong:
        raise Violation(f"counted (by the server, and what happened): {wrong}")
    came, went = (
        ids + stats["redriven"],
        sum(told[name] for name in ("completed", "dead", "cancelled", "purged")),
    )
    if came != went:
        raise Violation(f"{came} came, {went} went: {stats}")


def check_keys(world: World) -> None:
    """What has drained to empty leaves only counters and what is kept on purpose."""
    names = [key.decode().removeprefix(QUEUE + ":") for key in world.server.call("KEYS", "{*")]
    left = {name.split(":")[0] for name in names} - LEFT - PASSING
    if left:
        raise Violation(f"keys are left over: {left}")
    gone = set(world.server.call("HKEYS", keys.moved(QUEUE))) - set(world.view.places)
    if gone:
        raise Violation(f"the priority of jobs that are not kept is remembered: {gone}")
    live = {f"{kind}:{worker.decode()}" for worker in world.view.workers for kind in ("active", "inbox")}
    dead = {name for name in names if name.startswith(("active:", "inbox:"))} - live
    if dead:
        raise Violation(f"workers that are gone left keys: {dead}")
    check_hashes(world)


def check_hashes(world: World) -> None:
    """What is kept of jobs is kept only of jobs that are there; a lease never holds for longer than a lease."""
    there = set(world.view.places)
    for kind in (keys.runs, keys.outcomes, keys.notes):
        if odd := set(world.server.call("HKEYS", kind(QUEUE))) - there - {b""}:
            raise Violation(f"{kind.__name__} of jobs that are gone: {odd}")
    if any(isinstance(place, Lease) for place in world.view.places.values()):
        raise Violation("a job is active at the end")
