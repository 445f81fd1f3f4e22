import pytest
from pydantic import ValidationError

from serve_app.realtime_inspection.schemas import TraceCreate


def test_a_trace_has_one_target() -> None:
    assert TraceCreate(channel="room:1").seconds == 60
    for wrong in ({}, {"user": "u", "client": "c"}, {"user": "u", "more": 1}):
        with pytest.raises(ValidationError):
            TraceCreate.model_validate(wrong)
