"""Every interleaving of a small world: two workers, two jobs, one crash, one lease that ends, one lost answer.

Depth first, on the real server: its state is put aside before each step and taken up again. A client is brought
back by feeding it the answers that it had. What was met before, by the server's state and the clients', is not
gone through again.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.store.wire import Command, Reply
from pipeline.supervisor.recover import HOST_DIED, Scene
from tests.simulator.history import check_counts
from tests.simulator.places import ENDED, Violation
from tests.simulator.producers import Producer
from tests.simulator.server import Server
from tests.simulator.small import (
    JOBS,
    Answer,
    Board,
    Budget,
    NoChance,
    Node,
    Standing,
    produce,
    rescue,
    told_since,
)
from tests.simulator.workers import LISTEN, Worker
from tests.simulator.world import LEASE, Actor, Client, World

TAIL = 40
LOSSES = ("answer", "command", "late")


class Search:
    """Goes through all states. `states` and `ends` count those that differ; a Violation tells the way to it."""

    def __init__(
        self,
        server: Server,
        budget: Budget,
        prologue: tuple[str, ...] = (),
        losses: tuple[str, ...] = LOSSES,
    ) -> None:
        self.world = World(server, 0)
        self.world.random = NoChance()  # type: ignore[assignment]
        self.server = server
        self.budget = budget
        self.prologue = prologue
        self.losses = losses
        self.states = self.steps = self.ends = 0

    def run(self) -> None:
        """Until every state was met. Raises Violation."""
        seen, open_ = set[int](), [self._begin()]
        while open_:
            node = open_.pop()
            self.states += 1
            children = list(self._children(node))
            if not children:
                self._end(node)
            for child in children:
                digest = hash(self._digest(child))
                if digest not in seen:
                    seen.add(digest)
                    open_.append(child)

    def _digest(self, node: Node) -> object:
        states = tuple((name, one.command, one.state) for name, one in sorted(node.clients.items()))
        return (node.server, node.time, states, node.limbo, node.budget, tuple(sorted(node.boards.items())))

    def _begin(self) -> Node:
        boards: dict[str, Board] = {}
        node = self._node(boards, {}, (), self.budget, ())
        for name in ("p1", "w1", "w2"):
            node.clients[name] = self._stand(name, (), node)
        node = node._replace(boards=self._boards())
        for name in self.prologue:
            node = self._step(node, name, "")
        return node

    # --- clients ---------------------------------------------------------------------------------------------

    def _client(self, name: str) -> tuple[Client, object]:
        """A client from its beginning, and what its state is read from."""
        if name[0] == "w":
            worker = Worker(self.world, name)
            worker.slots = 1
            return worker.client(), worker
        if name[0] == "p":
            producer = Producer(self.world, name)
            return produce(producer), producer
        mode, worker_name = name.split(":")
        scene = HOST_DIED
        if mode == "dead":
            begun = frozenset((id.decode(), lease) for id, lease in self.world.boards.get(worker_name, ()))
            scene = Scene(crashed=begun)
        return rescue(self.world, worker_name, mode, scene), None

    def _stand(self, name: str, answers: tuple[Answer, ...], node: Node) -> Standing:
        """The client after these answers: fed with them from its beginning."""
        world = self.world
        world.accepted = set(node.accepted)
        world.boards = {owner: set(board) for owner, board in node.boards.items()}
        client, owner = self._client(name)
        actor = Actor(name, client)
        for answer in answers:
            world.view, world.time, world.moment = answer.view, answer.time, answer.time
            if answer.lost:
                actor.lose()
            elif isinstance(answer.reply, Exception):
                actor.refuse(answer.reply)
            else:
                actor.answer(answer.reply)
        world.view, world.time = node.view, node.time
        state = (
            {key: value for key, value in vars(owner).items() if key != "world"}
            if owner
            else told_since(answers)
        )
        return Standing(answers, None if actor.ended else actor.command, repr(state))

    def _boards(self) -> dict[str, Board]:
        return {name: frozenset(board) for name, board in self.world.boards.items()}

    # --- steps -----------------------------------------------------------------------------------------------

    def _children(self, node: Node) -> Iterator[Node]:
        for name, client in node.clients.items():
            if client.command is None or self._waits(name, client.command, node):
                continue
            yield self._step(node, name, "")
            if node.budget.losses:
                for fate in self.losses:
                    yield self._step(node, name, fate)
        for name in ("w1", "w2"):
            if name in node.clients and node.clients[name].command is not None:
                if node.budget.crashes:
                    yield self._crash(node, name)
                if node.budget.expiries and name.encode() in node.view.workers:
                    yield self._expire(node, name)
        for place in range(len(node.limbo)):
            yield self._deliver(node, place)

    def _waits(self, name: str, command: Command, node: Node) -> bool:
        return command[0] == "LPOP" and not node.view.letters.get(name.encode())

    def _enter(self, node: Node) -> None:
        world = self.world
        self.server.restore(node.server)
        world.model.restore(node.model)
        world.time = world.moment = node.time
        world.accepted = set(node.accepted)
        world.see()
        self.steps += 1

    def _node(
        self,
        boards: dict[str, Board],
        clients: dict[str, Standing],
        limbo: tuple[tuple[str, Command], ...],
        budget: Budget,
        trail: tuple[str, ...],
    ) -> Node:
        world = self.world
        return Node(
            self.server.dump(),
            world.model.kept(),
            frozenset(world.accepted),
            world.view,
            world.time,
            clients,
            boards,
            limbo,
            budget,
            trail,
        )

    def _step(self, node: Node, name: str, fate: str) -> Node:
        client, budget, limbo = node.clients[name], node.budget, node.limbo
        assert client.command is not None
        self._enter(node)
        trail = (*node.trail, f"{name} {fate or 'answered'}: {self._words(client.command)}")
        reply: Reply = None
        if fate in ("", "answer"):
            reply = self._carry_out(name, client.command, trail)
        if fate:
            budget = budget._replace(losses=budget.losses - 1)
        if fate == "late":
            limbo = (*limbo, (name, client.command))
        after = self._node(node.boards, dict(node.clients), limbo, budget, trail)
        told = Answer(bool(fate), reply if not fate else None, after.view, after.time)
        try:
            after.clients[name] = self._stand(name, (*client.answers, told), after)
        except Violation as violation:
            raise self._violation(violation, trail) from None
        return after._replace(boards=self._boards(), accepted=frozenset(self.world.accepted))

    def _crash(self, node: Node, name: str) -> Node:
        """A process dies, and its supervisor takes back what it held."""
        self._enter(node)
        clients = {**node.clients, name: node.clients[name]._replace(command=None, state="dead")}
        budget = node.budget._replace(crashes=node.budget.crashes - 1)
        after = self._node(node.boards, clients, node.limbo, budget, (*node.trail, f"{name} dies"))
        clients[f"dead:{name}"] = self._stand(f"dead:{name}", (), after)
        return after

    def _expire(self, node: Node, name: str) -> Node:
        """A lease ends, and another host takes back what the worker holds, which goes on all the same."""
        self._enter(node)
        self.world.time += LEASE + 1
        others = [worker.decode() for worker in node.view.workers if worker != name.encode()]
        if others:
            self.world.carry_out("h1", self.world.store.renew(LEASE, others).command)
        budget = node.budget._replace(expiries=node.budget.expiries - 1)
        clients = dict(node.clients)
        after = self._node(
            node.boards, clients, node.limbo, budget, (*node.trail, f"the lease of {name} ends")
        )
        clients[f"lapsed:{name}"] = self._stand(f"lapsed:{name}", (), after)
        return after

    def _deliver(self, node: Node, place: int) -> Node:
        """A command that was taken for lost arrives."""
        self._enter(node)
        name, command = node.limbo[place]
        limbo = node.limbo[:place] + node.limbo[place + 1 :]
        trail = (*node.trail, f"{name} came late: {self._words(command)}")
        self._carry_out(name, command, trail)
        return self._node(node.boards, dict(node.clients), limbo, node.budget, trail)

    def _carry_out(self, name: str, command: Command, trail: tuple[str, ...]) -> Reply:
        try:
            return self.world.carry_out(name, command)
        except Violation as violation:
            raise self._violation(violation, trail) from None

    # --- the end ---------------------------------------------------------------------------------------------

    def _end(self, node: Node) -> None:
        """Nobody can move: a fresh worker comes, waits end, and all jobs must end."""
        self.ends += 1
        trail = (*node.trail, "nobody moves; w3 comes")
        self._enter(node)
        clients = dict(node.clients)
        clients["w3"] = self._stand("w3", (), node)
        for _ in range(TAIL):
            self.world.time += 10
            for name, client in clients.items():
                if client.command is None:
                    continue
                reply = self._carry_out(name, client.command, trail)
                # The wait at an inbox has an end.
                time = self.world.time + (LISTEN + 1 if self._waits(name, client.command, node) else 0)
                told = Answer(False, reply, self.world.view, time)
                try:
                    clients[name] = self._stand(
                        name,
                        (*client.answers, told),
                        node._replace(
                            boards=self._boards(),
                            accepted=frozenset(self.world.accepted),
                            view=self.world.view,
                            time=self.world.time,
                        ),
                    )
                except Violation as violation:
                    raise self._violation(violation, trail) from None
            if all(place in ENDED for place in self.world.view.places.values()):
                break
        self._check(trail)

    def _check(self, trail: tuple[str, ...]) -> None:
        world = self.world
        left = [id for id, place in world.view.places.items() if place not in ENDED]
        if left or len(world.model.born) != JOBS or world.accepted != world.model.born:
            what = f"left: {left}, accepted: {sorted(world.accepted)}, there: {sorted(world.model.born)}"
            raise self._violation(what, trail)
        try:
            check_counts(world)
        except Violation as violation:
            raise self._violation(violation, trail) from None

    def _words(self, command: Command) -> str:
        name, args = str(command[0]), command[1:]
        if command[0] == b"EVALSHA":
            name, args = self.server.names[command[1]], command[4:]
        return (
            f"{name} {' '.join(value.decode() if isinstance(value, bytes) else str(value) for value in args)}"
        )

    def _violation(self, what: object, trail: tuple[str, ...]) -> Violation:
        return Violation("\n".join([str(what), *trail]))
