import pytest

from actors.supervisor.actor import (
    AGENT_SILENT_LIMIT,
    MOVES_LIMIT,
    SILENT_LIMIT,
    STARTING_LIMIT,
    HostRestarting,
    Seen,
    State,
    Supervisor,
    World,
)
from tests.fixtures.simulation import passes, simulate


class Cluster:
    """A fake cluster: hosts that exist or not, answer or not."""

    def __init__(self, hosts: int = 2, sides: int = 1) -> None:
        self.alive: set[int] = set()
        self.silent: set[int] = set()
        self.starting: set[int] = set()
        self.restarting: set[int] = set()
        self.killed: list[int] = []
        self.ensured: list[int] = []
        self.standbys: list[int] = []
        self.node_ids = ["n1"]
        self.full: set[str] = set()
        self.places: dict[tuple[int, int], str] = {}
        self.removed: list[tuple[int, int]] = []
        self.taken_over: set[int] = set()
        self.agents: set[str] = set()
        self.broken_agents: set[str] = set()
        self.silent_agents: set[str] = set()
        self.killed_agents: list[str] = []
        self.world = World(
            hosts=hosts,
            sides=sides,
            ensure_host=self.ensure_host,
            ask_host=self.ask_host,
            kill_host=self.kill_host,
            remove_host=self.remove_host,
            nodes=self.nodes,
            ensure_agent=self.ensure_agent,
            ask_agent=self.ask_agent,
            kill_agent=self.kill_agent,
        )

    async def ensure_host(self, index, side, node):
        # As Ray does: who exists is returned, wherever it was to be made.
        self.places.setdefault((index, side), node or self.node_ids[0])
        if side:
            self.standbys.append(index)
            return
        self.ensured.append(index)
        self.alive.add(index)

    async def ask_host(self, index, side):
        if side:
            if self.places[index, side] in self.full:
                raise TimeoutError
            state = State.READY if index in self.taken_over else State.STANDBY
            return Seen(state, self.places[index, side])
        if index in self.restarting:
            raise HostRestarting
        if index not in self.alive or index in self.silent:
            raise TimeoutError
        state = State.STARTING if index in self.starting else State.READY
        return Seen(state, self.places[index, side])

    async def kill_host(self, index, side):
        self.killed.append(index)
        self.silent.discard(index)

    async def remove_host(self, index, side):
        self.removed.append((index, side))
        del self.places[index, side]

    async def nodes(self):
        return list(self.node_ids)

    async def ensure_agent(self, node):
        if node in self.broken_agents:
            raise ConnectionError
        self.agents.add(node)

    async def ask_agent(self, node):
        if node not in self.agents or node in self.silent_agents:
            raise TimeoutError

    async def kill_agent(self, node):
        self.killed_agents.append(node)
        self.silent_agents.discard(node)


def test_it_creates_what_is_missing_and_says_when_all_is_there():
    async def main():
        cluster = Cluster()
        cluster.starting = {1}
        supervisor = Supervisor(cluster.world)
        assert await supervisor.ready() == ["shard host 0", "shard host 1", "agent of node n1"]
        await supervisor.look()
        assert await supervisor.ready() == ["shard host 1"]
        cluster.starting.clear()
        await supervisor.look()
        assert await supervisor.ready() == []
        assert cluster.ensured == [0, 1], "an answering host is not asked for again"

    simulate(main())


def test_a_host_that_is_gone_is_created_again():
    async def main():
        cluster = Cluster()
        supervisor = Supervisor(cluster.world)
        await supervisor.look()
        cluster.alive.discard(1)
        await supervisor.look()
        assert await supervisor.ready() == ["shard host 1"]
        await supervisor.look()
        assert await supervisor.ready() == []
        assert cluster.killed == []

    simulate(main())


def test_a_host_that_stays_silent_is_ended_and_not_at_once():
    async def main():
        cluster = Cluster()
        supervisor = Supervisor(cluster.world)
        await supervisor.look()
        cluster.silent.add(0)
        for _ in range(SILENT_LIMIT - 1):
            await supervisor.look()
        assert cluster.killed == []
        await supervisor.look()
        assert cluster.killed == [0]
        await supervisor.look()
        assert await supervisor.ready() == []

    simulate(main())


@pytest.mark.parametrize("answered", [True, False], ids=["made again", "made first"])
def test_a_slow_start_is_not_ended_like_silence(answered):
    """On a busy machine a process takes half a minute to be there; ending it would begin the wait again, for ever."""

    async def main():
        cluster = Cluster(hosts=1)
        supervisor = Supervisor(cluster.world)
        if answered:
            await supervisor.look()
            cluster.restarting.add(0)
        else:
            cluster.silent.add(0)
        for _ in range(STARTING_LIMIT - 1):
            await supervisor.look()
        assert cluster.killed == []
        await supervisor.look()
        assert cluster.killed == [0], "a start that never ends is begun anew"

    simulate(main())


def test_a_host_that_answers_again_after_a_restart_is_watched_closely_again():
    async def main():
        cluster = Cluster(hosts=1)
        supervisor = Supervisor(cluster.world)
        await supervisor.look()
        cluster.restarting.add(0)
        for _ in range(SILENT_LIMIT + 1):
            await supervisor.look()
        cluster.restarting.clear()
        await supervisor.look()
        assert await supervisor.ready() == []
        cluster.silent.add(0)
        for _ in range(SILENT_LIMIT):
            await supervisor.look()
        assert cluster.killed == [0]

    simulate(main())


def test_new_nodes_get_agents_and_a_broken_one_does_not_stop_the_rest():
    async def main():
        cluster = Cluster()
        supervisor = Supervisor(cluster.world)
        cluster.node_ids = ["n1", "n2", "n3"]
        cluster.broken_agents = {"n2"}
        await supervisor.look()
        assert await supervisor.ready() == ["agent of node n2"]
        cluster.node_ids = ["n3"]
        await supervisor.look()
        assert await supervisor.ready() == []

    simulate(main())


def test_an_agent_that_only_exists_is_not_ready():
    async def main():
        cluster = Cluster()
        cluster.silent_agents = {"n1"}
        supervisor = Supervisor(cluster.world)
        await supervisor.look()
        assert await supervisor.ready() == ["agent of node n1"]
        cluster.silent_agents.clear()
        await supervisor.look()
        assert await supervisor.ready() == []

    simulate(main())


def test_an_agent_that_stays_silent_is_ended_after_its_watchdog_had_the_time_to():
    async def main():
        cluster = Cluster()
        supervisor = Supervisor(cluster.world)
        await supervisor.look()
        cluster.silent_agents = {"n1"}
        for _ in range(AGENT_SILENT_LIMIT - 1):
            await supervisor.look()
        assert cluster.killed_agents == []
        await supervisor.look()
        assert cluster.killed_agents == ["n1"]
        await supervisor.look()
        assert await supervisor.ready() == []

    simulate(main())


@pytest.mark.parametrize("part", ["nodes", "ensure_host"])
def test_a_failing_look_does_not_end_the_watch(part):
    async def main():
        cluster = Cluster()
        real = getattr(cluster, part)
        failing = [True]

        async def sometimes(*args):
            if failing:
                failing.pop()
                raise RuntimeError("the GCS is restarting")
            return await real(*args)

        cluster.world = World(**{**{f: getattr(cluster.world, f) for f in World.__slots__}, part: sometimes})
        supervisor = Supervisor(cluster.world)
        await supervisor.start()
        await passes(10)
        assert await supervisor.ready() == []

    simulate(main())


def test_a_standby_is_made_once_its_host_answers_and_nobody_waits_for_it():
    async def main():
        cluster = Cluster(hosts=1, sides=2)
        cluster.silent.add(0)
        supervisor = Supervisor(cluster.world)
        await supervisor.look()
        assert cluster.standbys == [], "who comes first is active"
        cluster.silent.clear()
        await supervisor.look()
        assert await supervisor.ready() == []
        await supervisor.look()
        assert cluster.standbys == [0]

    simulate(main())


def test_where_there_are_two_nodes_a_host_is_on_both():
    async def main():
        cluster = Cluster(hosts=2, sides=2)
        cluster.node_ids = ["n1", "n2"]
        supervisor = Supervisor(cluster.world)
        for _ in range(3):
            await supervisor.look()
        assert cluster.places == {(0, 0): "n1", (0, 1): "n2", (1, 0): "n1", (1, 1): "n2"}
        assert cluster.removed == []

    simulate(main())


def test_a_standby_moves_when_another_node_joins_and_they_spread_evenly():
    async def main():
        cluster = Cluster(hosts=2, sides=2)
        supervisor = Supervisor(cluster.world)
        for _ in range(3):
            await supervisor.look()
        assert set(cluster.places.values()) == {"n1"}
        cluster.node_ids = ["n1", "n2", "n3"]
        for _ in range(4):
            await supervisor.look()
        assert cluster.removed == [(0, 1), (1, 1)], "each once, and nobody who is active"
        assert sorted(cluster.places.values()) == ["n1", "n1", "n2", "n3"]
        assert await supervisor.ready() == []

    simulate(main())


def test_nothing_moves_while_the_active_process_is_not_ready():
    async def main():
        cluster = Cluster(hosts=1, sides=2)
        supervisor = Supervisor(cluster.world)
        for _ in range(3):
            await supervisor.look()
        cluster.node_ids = ["n1", "n2"]
        cluster.starting = {0}
        for _ in range(3):
            await supervisor.look()
        assert cluster.removed == []

    simulate(main())


def test_a_node_that_takes_nobody_is_not_tried_for_ever():
    async def main():
        cluster = Cluster(hosts=1, sides=2)
        cluster.node_ids, cluster.full = ["n1", "n2"], {"n2"}
        supervisor = Supervisor(cluster.world)
        for _ in range((STARTING_LIMIT + 4) * (MOVES_LIMIT + 2)):
            await supervisor.look()
        assert cluster.removed == [(0, 1)] * (1 + 2 * MOVES_LIMIT), "from there, and then there and back again"
        assert cluster.killed == [], "it would be started where it does not start"
        assert cluster.places[0, 1] == "n1", "a standby beside the active one is better than none"
        assert await supervisor.ready() == []

    simulate(main())


@pytest.mark.parametrize("taken_over", [True, False])
def test_a_process_that_is_never_made_again_is_removed_only_when_the_other_is_active(taken_over):
    """Ray goes on making it for ever, and meanwhile the other one has no leave. What is removed might be active itself
    when nobody has taken over: then it is ended, after which the other waits until its lease is over.
    """

    async def main():
        cluster = Cluster(hosts=1, sides=2)
        supervisor = Supervisor(cluster.world)
        for _ in range(3):
            await supervisor.look()
        cluster.restarting.add(0)
        if taken_over:
            cluster.taken_over.add(0)
        for _ in range(STARTING_LIMIT):
            await supervisor.look()
        assert cluster.removed == ([(0, 0)] if taken_over else [])
        assert cluster.killed == ([] if taken_over else [0])
        cluster.restarting.clear()
        await supervisor.look()
        assert cluster.places == {(0, 0): "n1", (0, 1): "n1"}
        assert await supervisor.ready() == []

    simulate(main())
