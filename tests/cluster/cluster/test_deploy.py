"""Deploying onto a running cluster."""

import json
import subprocess
import sys

import httpx
import pytest
import websockets

from cluster.deploy import DeployError, wait_until_running
from cluster.settings import ROOT
from tests.fixtures.stack import RunningStack


async def test_an_application_that_never_comes_is_reported_and_not_waited_for_forever(stack: RunningStack) -> None:
    stack.connect_ray()
    with pytest.raises(DeployError, match="no-such: unknown to Serve"):
        wait_until_running(["no-such"], report=lambda *_, **__: None, limit_s=0.5)


async def test_redeploying_api_leaves_an_open_socket_alone(stack: RunningStack) -> None:
    async with websockets.connect(stack.ws_url, ping_interval=None) as socket, httpx.AsyncClient() as client:
        before = (await client.get(f"{stack.http_url}/health")).status_code
        assert before == 200
        stack.redeploy("api")
        assert (await client.get(f"{stack.http_url}/health/ready")).status_code == 200
        # The hub's own limit for a socket without a connect command may have ended it, a cut would be 1006 or 1012.
        assert socket.close_code in (None, 3501, 3502)


async def test_a_changed_detail_stops_the_deployment_before_anything_is_touched(stack: RunningStack) -> None:
    program = (
        "import sys; from cluster import deploy, selftest\n"
        "selftest.PINNED['ray'] = '1.0'\n"
        "sys.exit(deploy.main(['api']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=stack.env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    event = json.loads(done.stdout.splitlines()[-1])
    assert event["event"] == "failed"
    assert "this release is made for 1.0" in event["message"]
