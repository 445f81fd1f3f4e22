"""What a browser needs to open its socket."""

from pydantic import Field

from serve_app.schemas import ResponseSchema


class RealtimeToken(ResponseSchema):
    """A connection token: keep it in memory, send it in `connect`."""

    token: str
    expires_in: int = Field(description="Seconds.", examples=[60])
    url: str = Field(examples=["ws://localhost:8000/connection/websocket"])
