"""Realtime processes and their connections over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from serve_app.realtime.questions import FRAMES_MAX, SECONDS_MAX
from serve_app.schemas import RequestSchema, ResourceSchema, ResponseSchema

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


class RealtimeConnection(ResourceSchema):
    """One connection."""

    client: str
    user: str = Field(description="Empty: anonymous, or not known yet.")
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
        description="The last 50 frames, secrets redacted: only of a traced connection that is asked for by its id."
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
    session: str
    node: str
    transport: str
    opened_at: datetime
    ended_at: datetime
    code: int = Field(description="Close code; 0: its transport went away without one.", examples=[3008])
    reason: str
    queue_bytes: int = Field(description="What it had not read.")


class EndedConnectionList(ResponseSchema):
    """The last endings, newest first. Each process remembers a thousand."""

    items: list[EndedConnection]
    silent: list[str] = Field(description="Processes that did not answer in time: their part is missing.")


class TraceCreate(RequestSchema):
    """What to trace: a user, a connection or a channel, and how long."""

    user: Id | None = None
    client: Id | None = None
    channel: Id | None = None
    seconds: Annotated[int, Field(ge=1, le=SECONDS_MAX)] = 60
    frames: Annotated[int, Field(ge=1, le=FRAMES_MAX, description="At most, in each realtime process.")] = 1_000

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
