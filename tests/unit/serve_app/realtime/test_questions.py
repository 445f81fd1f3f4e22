from serve_app.realtime import questions as ask
from tests.fixtures.hub import World


async def test_all_processes_are_asked_and_the_silent_are_named() -> None:
    world = World()
    await world.connected("u1")
    (node,) = await ask.ask_nodes(world.sessions)
    assert (node.hub, node.connections) == ("hub-1", 1)
    world.sessions.one_is_silent = True
    survey = await ask.ask(world.sessions, ask.AskConnections(user="u1"), ask.ConnectionPage)
    assert [page.total for page in survey.answers] == [1]
    assert survey.silent == ["hub-2"]
    elsewhere = await ask.ask(world.sessions, ask.AskNode(), ask.NodeReport, hub="another")
    assert elsewhere.answers == []


async def test_a_process_that_does_not_understand_counts_as_no_answer() -> None:
    world = World()
    world.hub.on_question = lambda question: b""  # type: ignore[method-assign]
    assert await ask.ask_nodes(world.sessions) == []
