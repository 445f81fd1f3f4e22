"""Exports over HTTP."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from serve_app.schemas import RequestSchema, ResourceSchema, ResponseSchema


class ExportFormat(StrEnum):
    """What the files are: Parquet, Arrow IPC, CSV for spreadsheets, or a JSON object per line."""

    PARQUET = "parquet"
    ARROW = "arrow"
    CSV = "csv"
    NDJSON = "ndjson"


class ExportState(StrEnum):
    """How far an export is. `expired`: its files were deleted when their time was over."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class ExportCreate(RequestSchema):
    """What to export."""

    dataset: Annotated[str, Field(max_length=60, examples=["orders"])]
    format: ExportFormat
    filters: Annotated[
        dict[str, str],
        Field(max_length=20, description="Filters of the dataset.", examples=[{"created_from": "2026-01-01"}]),
    ] = Field(default_factory=dict)


class DatasetColumn(ResponseSchema):
    """One column of a dataset's files."""

    name: str
    kind: str
    description: str


class DatasetFilter(ResponseSchema):
    """One filter that a request may set."""

    name: str
    kind: str
    description: str
    choices: list[str]


class ExportDataset(ResponseSchema):
    """Something that can be exported."""

    name: str
    title: str
    description: str
    formats: list[ExportFormat]
    columns: list[DatasetColumn]
    filters: list[DatasetFilter]


class ExportDatasetList(ResponseSchema):
    """Everything that can be exported."""

    items: list[ExportDataset]


class ExportProgress(ResponseSchema):
    """How far the running attempt is."""

    rows: int
    total: int | None = Field(description="Null until the rows are counted.")
    percent: float = Field(ge=0, le=100)


class ExportFile(ResponseSchema):
    """One finished file."""

    name: str
    rows: int
    bytes: int
    sha256: str


class ExportSummary(ResourceSchema):
    """An export in a list."""

    id: UUID
    user_id: UUID
    dataset: str
    format: ExportFormat
    filters: dict[str, str]
    scope: str = Field(description="`own`: the requester's rows; `all`: everybody's.")
    state: ExportState
    progress: ExportProgress
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None


class Export(ExportSummary):
    """An export with its files."""

    files: list[ExportFile]
    manifest: dict[str, Any] | None = Field(description="What the files are, their sums and the snapshot they show.")


class ExportLinkCreate(RequestSchema):
    """Which file to make a link for."""

    name: Annotated[str | None, Field(max_length=200, description="A file of the export; null: the first.")] = None


class ExportLink(ResponseSchema):
    """An address that downloads a file without a credential, for a short time."""

    url: str
    name: str
    expires_at: datetime
