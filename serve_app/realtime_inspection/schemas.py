"""Realtime processes and their connections over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from serve_app.realtime.questions import FRAMES_MAX, SECONDS_MAX
from serve_app.schemas import RequestSchema, ResourceSchema, ResponseSchema, Whole

Id = Annotated[str, Field(min_length=1, max_length=255)]


class RealtimeNode(ResponseSchema):
    """One realtime process."""

    node: str = Field(description="Identity of this life of the process.")
    name: str = Field(description="Machine and process id.")
    connections: int
    users: int
    subscriptions: int
    channels: int
    uptime_s: int
    cpu_percent: float = Field(description="Of one core, on average since it started.")
    rss_bytes: int
    transports: dict[str, int] = Field(description="Connections by transport.", examples=[{"json/websocket": 12}])


class RealtimeNodeList(ResponseSchema):
    """All realtime processes."""

    items: list[RealtimeNode]
    silent: list[str] = Field(description="Processes that did not answer in time: their part is missing.")


class HeldChannel(ResponseSchema):
    """One subscription of a connection."""

    channel: str
    state: str = Field(examples=["live"])
    server_side: bool = Field(description="Chosen by the server, not by the client.")
    positioned: bool
    expires_at: datetime | None
    epoch: str = Field(description="Of the channel's stream; empty without one.")
    offset: int = Field(description="How far the stream was written to subscribers in this process.")


class RealtimeConnection(ResourceSchema):
    """One connection."""

    client: str
    user: str = Field(description="Empty: anonymous, or not known yet.")
    info: Any = Field(description="What its token says about who it is.", examples=[{"name": "ada"}])
    session: str = Field(description="Login session.")
    node: str
    state: str = Field(examples=["connected"])
    transport: str = Field(examples=["json/websocket"])
    name: str = Field(description="What the client calls itself.")
    version: str
    opened_at: datetime
    expires_at: datetime | None
    queue_bytes: int = Field(description="Written and not read by the client yet. Above 1 MiB it is closed with 3008.")
    commands: int = Field(description="Commands that wait for an answer.")
    channel_count: int
    channels: list[HeldChannel] = Field(description="In a list the first 20, else all.")
    traced: bool
    frames: list[dict[str, Any]] = Field(
        description="The last frames, secrets redacted, of a connection that is asked for by its id: 50 while it is "
        "traced, else a few (`REALTIME_LAST_FRAMES`) without what channels brought. For who may administrate."
    )


class RealtimeConnectionList(ResponseSchema):
    """Connections by client id."""

    items: list[RealtimeConnection]
    total: int = Field(description="How many meet the conditions, in all processes that answered.")
    next: str | None = Field(description="`after` of the next page.")
    silent: list[str] = Field(description="Processes that did not answer in time: their part is missing.")


class EndedConnection(ResponseSchema):
    """How a connection ended."""

    client: str
    user: str
    info: Any = Field(description="What its token said about who it is.", examples=[{"name": "ada"}])
    session: str
    node: str
    transport: str
    opened_at: datetime
    ended_at: datetime
    code: int = Field(description="Close code; 0: its transport went away without one.", examples=[3008])
    reason: str
    queue_bytes: int = Field(description="What it had not read.")
    frames: list[dict[str, Any]] = Field(
        description="The last frames, secrets redacted, when one connection is asked for by its id. For who may "
        "administrate."
    )


class EndedConnectionList(ResponseSchema):
    """The last endings, newest first. Each process remembers a thousand."""

    items: list[EndedConnection]
    silent: list[str] = Field(description="Processes that did not answer in time: their part is missing.")


class TraceCreate(RequestSchema):
    """What to trace: a user, a connection or a channel, and how long."""

    user: Id | None = None
    client: Id | None = None
    channel: Id | None = None
    seconds: Annotated[Whole, Field(ge=1, le=SECONDS_MAX)] = 60
    frames: Annotated[Whole, Field(ge=1, le=FRAMES_MAX, description="At most, in each realtime process.")] = 1_000

    @model_validator(mode="after")
    def one_target(self) -> Self:
        """Exactly one of the three."""
        if sum(target is not None for target in (self.user, self.client, self.channel)) != 1:
            raise ValueError("name one of user, client and channel")
        return self


class RealtimeTrace(ResourceSchema):
    """A live trace."""

    id: str
    trace_channel: str = Field(description="Subscribe to it, recovering from offset 0, to read what is traced.")
    user: str | None
    client: str | None
    channel: str | None
    seconds: int
    frames: int
    nodes: list[str] = Field(description="Processes that trace.")
    connections: int = Field(description="Connections that are traced now.")


class RealtimeTraceList(ResponseSchema):
    """Traces that are under way."""

    items: list[RealtimeTrace]
    silent: list[str] = Field(description="Processes that did not answer in time: their part is missing.")


class RealtimeNamespace(ResponseSchema):
    """The rules of some channels."""

    name: str
    options: dict[str, Any] = Field(
        description="As written in the file, without those that have their default.",
        examples=[{"history_size": 100, "history_ttl": "5m"}],
    )


class RealtimeRules(ResponseSchema):
    """The namespaces that some processes have in force."""

    version: str = Field(description="Identity of the text that they were read from.")
    nodes: list[str] = Field(description="Processes that have them in force.")
    items: list[RealtimeNamespace]
    mistakes: list[str] = Field(description="Why the newest file is not in force there.")


class RealtimeRulesList(ResponseSchema):
    """The namespaces in force; more than one item only while a changed file is being taken, or cannot be."""

    items: list[RealtimeRules]
    silent: list[str] = Field(description="Processes that did not answer in time: their part is missing.")


class RealtimeShard(ResponseSchema):
    """One shard: the single owner of its part of some state."""

    kind: str = Field(examples=["brokers"])
    shard: int
    ready: bool = Field(description="It answers.")
    buckets: int | None = Field(description="Of brokers: how many of the buckets of channels it owns.")


class ShardProcess(ResponseSchema):
    """One process of a shard host: it is active, stands by, or does not answer."""

    host: int
    side: int
    state: Literal["active", "standby", "silent"]
    pid: int | None
    node: str = Field(description="Ray node.")
    incarnation: str
    lease_s: float | None = Field(
        description="Seconds for which it answers without new leave of its standby; null: it needs none."
    )
    shards: list[RealtimeShard]


class ShardProcessList(ResponseSchema):
    """The processes that host shards."""

    items: list[ShardProcess]
    buckets: int = Field(description="How many buckets there are in all.", examples=[1024])
