"""People to start a conversation with."""

from serve_app.auth.schemas import UserSummary
from serve_app.schemas import ResponseSchema


class DirectoryPage(ResponseSchema):
    """The best matches."""

    items: list[UserSummary]
