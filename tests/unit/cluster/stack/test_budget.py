import pytest

from cluster.settings import Settings
from cluster.stack.budget import BudgetExceeded, budget, require_within


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]


def test_the_budget_adds_up_and_names_its_parts() -> None:
    needed = budget(settings())
    assert (
        needed.total == needed.api + needed.realtime + needed.hosts + needed.agents + needed.workers + needed.reserved
    )
    assert str(needed.total) in str(needed)
    assert "shard hosts" in str(needed)


def test_a_redeploy_is_counted_twice() -> None:
    one = budget(settings(api_replicas=1, database_pool_size=5, database_max_overflow=5))
    two = budget(settings(api_replicas=2, database_pool_size=5, database_max_overflow=5))
    assert two.api - one.api == 20


def test_the_laptops_budget_fits_the_embedded_server() -> None:
    require_within(budget(settings()), 200)


def test_too_many_connections_are_refused_with_the_remedy() -> None:
    assert budget(settings(api_replicas_max=4)).api == budget(settings(api_replicas=4)).api
    with pytest.raises(BudgetExceeded, match="API_REPLICAS"):
        require_within(budget(settings(api_replicas=50)), 100)


def test_broker_shards_are_counted_once_each_however_many_hosts_there_are() -> None:
    assert budget(settings(), broker_shards=4).hosts - budget(settings()).hosts == 2 * 3 * 3
    assert budget(settings(broker_shards=4, shard_hosts=2)).hosts == 2 * (2 * 8 + 4 * 3)
    assert budget(settings(broker_shards=4), broker_shards=1) == budget(settings(broker_shards=4))
