"""What lives in memory, and who is its single owner?

| actor | how many | holds | after a restart |
|---|---|---|---|
| `hosts.ShardHost` | `SHARD_HOSTS` per cluster, and a standby each | the shards below, as plain objects | stands by |
| `brokers.BrokerShard` (hosted) | `BROKER_SHARDS` | streams, presence, interest of hubs | durable ones from Postgres |
| `sessions.SessionShard` (hosted) | `SESSION_SHARDS` | user → connections, revocations | hubs register again |
| `caches.CacheShard` (hosted) | `CACHE_SHARDS` | fill leases, invalidation stream | empty; every L1 is flushed |
| `metrics.MetricsShard` (hosted) | 1 | what each process counted last | counts anew; processes push within 2 s |
| `jobs.QueueOwner` (hosted) | 1 per queue shard | claims, limits | re-asserts leases from Postgres and agents |
| `agents.NodeAgent` | 1 per node | running jobs of its node | its jobs are rescued |
| `supervisor.Supervisor` | 1 | nothing | looks again |

Each has `actor.py` (a plain class, testable without Ray) and `handle.py` (Ray options, name, typed get-or-create).
"""
