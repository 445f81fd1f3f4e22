"""Refusals about read positions."""

from db.errors import Conflict


class PositionUnknown(Conflict):
    """The position is not one of the stream: another epoch, or beyond its end."""

    code = "position_unknown"
    default_message = "The channel's stream has no such position."
