from actors.hosts.contract import HostReport, NotActive
from actors.hosts.survey import survey


async def test_every_process_is_asked_and_the_silent_are_named() -> None:
    async def report(host: int, side: int) -> HostReport:
        if (host, side) == (1, 0):
            raise TimeoutError
        if (host, side) == (1, 1):
            raise NotActive("host 1")
        return HostReport(f"{host}/{side}", 1, side, active=side == 0, ready={})

    found = await survey(2, 2, report)
    assert [(each.host, each.side) for each in found] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [each.report.incarnation if each.report else None for each in found] == ["0/0", "0/1", None, None]
