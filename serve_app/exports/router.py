"""Exports: request, follow, cancel, download."""

import re
import time
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response, status
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from db.audit import service as audit
from db.auth import service as auth
from db.errors import PermissionDenied
from db.exports import service, storage
from db.exports.datasets import DATASETS, FORMATS, SEES_ALL
from db.exports.errors import ExportFileNotFound, ExportNotReady
from db.exports.models import Export as ExportRow
from db.jobs.service import get_progress
from serve_app.dependencies import DbSession, ResourcesDep, require
from serve_app.errors import HttpError
from serve_app.exports.schemas import (
    Export,
    ExportCreate,
    ExportDataset,
    ExportDatasetList,
    ExportFile,
    ExportLink,
    ExportLinkCreate,
    ExportProgress,
    ExportSummary,
)
from serve_app.idempotency import IdempotencyKey, answer_once, created
from serve_app.links import ROOT, action, self_link
from serve_app.middleware.head_on_get import show_head
from serve_app.openapi_parts import LOCATION_HEADER, PUBLIC, problems
from serve_app.pagination import MAX_LIMIT, numbered
from serve_app.schemas import Page
from serve_app.security.links import LinkInvalid
from serve_app.security.principal import Principal

router = APIRouter(tags=["exports"])

PATH = f"{ROOT}/exports"
NEEDED = "exports:create"
Exporter = Annotated[Principal, Depends(require(NEEDED))]
MEDIA_TYPES = {
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.file",
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}

_RANGE = re.compile(rb"^bytes=(?=.*\d)(\d{0,18})-(\d{0,18})$")
"""One range. Others are answered with the whole file, as RFC 9110 allows, rather than with an error."""


class LinkRefused(PermissionDenied):
    """The link was not made by us, was changed, or its time is over."""

    code = "link_refused"
    default_message = "This download link is not valid any more; ask for a new one."


class RangeNotSatisfiable(HttpError):
    """The file ends before the range begins."""

    code = "range_not_satisfiable"
    default_message = "The file has no such range."
    status = 416


class ExportQuery(BaseModel):
    """Pages of the list of exports."""

    model_config = ConfigDict(extra="forbid")

    page: Annotated[int, Field(ge=1, le=1000)] = 1
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 20


@router.get("/export-datasets", response_model=ExportDatasetList)
async def list_export_datasets(_principal: Exporter) -> Any:
    """What can be exported, with which columns and filters."""
    return ExportDatasetList(
        items=[
            ExportDataset.model_validate(
                {
                    "name": dataset.name,
                    "title": dataset.title,
                    "description": dataset.description,
                    "formats": list(FORMATS),
                    "columns": list(dataset.columns),
                    "filters": list(dataset.filters),
                }
            )
            for dataset in DATASETS.values()
        ]
    )


@router.post(
    "/exports",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=Export,
    responses=problems(403, 409, 429) | {202: {"headers": LOCATION_HEADER}},
)
async def create_export(
    body: ExportCreate,
    principal: Exporter,
    request: Request,
    session: DbSession,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Start an export of one's own rows, or of everybody's with `orders:read_all`. Follow it on `exports:progress`."""

    async def start() -> Response:
        export = await service.request_export(
            session,
            user_id=principal.user_id,
            dataset=body.dataset,
            format=body.format,
            filters=body.filters,
            scope="all" if principal.may(SEES_ALL) else "own",
        )
        presented = await _present(session, export)
        return created(presented, f"{PATH}/{export.id}", status_code=status.HTTP_202_ACCEPTED)

    return await answer_once(request, session, principal, idempotency_key, start)


@router.get("/exports", response_model=Page[ExportSummary], responses=problems(403))
async def list_exports(
    query: Annotated[ExportQuery, Query()],
    principal: Exporter,
    request: Request,
    response: Response,
    session: DbSession,
) -> Any:
    """One's own exports, newest first."""
    page = await service.list_exports(session, user_id=principal.user_id, page=query.page, limit=query.limit)
    progress = {row.id: await _progress(session, row) for row in page.items}
    return numbered(
        page,
        lambda row: ExportSummary.of(row, progress=progress[row.id], links=self_link(f"/exports/{row.id}")),
        request=request,
        response=response,
    )


@router.get("/exports/{export_id}", response_model=Export, responses=problems(404))
async def get_export(export_id: UUID, principal: Exporter, session: DbSession) -> Any:
    """One export with its progress, and its files once it has succeeded."""
    return await _present(session, await service.get_export(session, export_id, user_id=principal.user_id))


@router.post("/exports/{export_id}/cancel", response_model=Export, responses=problems(403, 404, 409))
async def cancel_export(export_id: UUID, principal: Exporter, session: DbSession) -> Any:
    """Stop an export: it is cancelled with the answer. What it wrote is deleted."""
    return await _present(session, await service.cancel_export(session, export_id, user_id=principal.user_id))


@router.post(
    "/exports/{export_id}/link",
    status_code=status.HTTP_201_CREATED,
    response_model=ExportLink,
    responses=problems(403, 404, 409),
)
async def create_export_link(
    export_id: UUID,
    principal: Exporter,
    session: DbSession,
    resources: ResourcesDep,
    body: ExportLinkCreate | None = None,
) -> Any:
    """Make an address that downloads a file without a credential, for a short time."""
    export = await service.get_export(session, export_id, user_id=principal.user_id)
    if export.scope == "all" and not principal.may(SEES_ALL):
        raise PermissionDenied(f"This export holds everybody's rows; that needs '{SEES_ALL}'.")
    name = body.name if body is not None else None
    if name is None:
        files = await service.list_files(session, export_id)
        if not files:
            raise ExportNotReady
        name = files[0].name
    file = await service.get_file(session, export, name)
    expires_at = int(time.time()) + resources.settings.export_link_minutes * 60
    path = f"{PATH}/{export_id}/files/{file.name}"
    by = str(principal.user_id)
    signature = resources.links.sign_link(path, expires_at=expires_at, subject=by)
    query = urlencode({"expires": expires_at, "by": by, "signature": signature})
    return ExportLink(url=f"{path}?{query}", name=file.name, expires_at=datetime.fromtimestamp(expires_at, UTC))


@router.get(
    "/exports/{export_id}/files/{name}",
    openapi_extra=PUBLIC,
    response_class=FileResponse,
    responses=problems(403, 404)
    | {
        200: {"description": "The file.", "content": {"application/octet-stream": {}}},
        206: {"description": "The range that was asked for.", "content": {"application/octet-stream": {}}},
        416: {"description": "The file has no such range."},
    },
)
async def download_export_file(
    export_id: UUID,
    name: str,
    request: Request,
    session: DbSession,
    resources: ResourcesDep,
    expires: Annotated[int, Query(ge=0, le=2**53)],
    by: Annotated[UUID, Query(description="Who the link was made for.")],
    signature: Annotated[str, Query(max_length=200)],
) -> Any:
    """Download a file by signed link. One Range is honoured; If-Range compares the file's sum."""
    try:
        path_signed = f"{PATH}/{export_id}/files/{name}"
        resources.links.verify_link(path_signed, expires_at=expires, signature=signature, subject=str(by))
    except LinkInvalid as error:
        raise LinkRefused from error
    export = await service.get_export(session, export_id, user_id=by)
    # The link outlives its request by minutes: what its owner has lost since counts.
    identity = await auth.load_identity(session, by)
    needed = {NEEDED, SEES_ALL} if export.scope == "all" else {NEEDED}
    if identity is None or not needed <= identity.permissions:
        raise LinkRefused
    file = await service.get_file(session, export, name)
    path = storage.file_path(resources.settings, export_id, file.name)
    if not path.is_file():
        raise ExportFileNotFound
    byte_range = _normalise_range(request, file.bytes)
    await audit.record(
        session,
        "export.download",
        subject_type="export",
        subject_id=export_id,
        actor_id=by,
        details={"name": file.name, "bytes": file.bytes, "rows": file.rows, "range": byte_range},
    )
    show_head(request.scope)
    return FileResponse(
        path,
        media_type=MEDIA_TYPES[export.format],
        filename=file.name,
        headers={
            "ETag": f'"{file.sha256}"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _normalise_range(request: Request, size: int) -> str | None:
    """The range that will be honoured. Raises RangeNotSatisfiable.

    What is no single range is taken out of the request, so that the whole file is sent.
    """
    given = next((value for name, value in request.scope["headers"] if name == b"range"), None)
    found = _RANGE.match(given) if given is not None else None
    if found is None or (all(found.groups()) and int(found[2]) < int(found[1])):
        request.scope["headers"] = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
        return None
    first, last = found.groups()
    if int(first) >= size if first else int(last) == 0:
        raise RangeNotSatisfiable(details={"size": size})
    return found.string.decode()


async def _progress(session: DbSession, row: ExportRow) -> ExportProgress:
    rows, total = row.rows_done, row.rows_total
    if row.state == "running" and row.job_id is not None:
        reported = await get_progress(session, row.job_id) or {}
        rows, total = int(reported.get("rows", rows)), reported.get("total", total)
    return ExportProgress(rows=rows, total=total, percent=service.percent(rows, total, row.state))


async def _present(session: DbSession, row: ExportRow) -> Export:
    links = self_link(f"/exports/{row.id}")
    if row.state in service.LIVE_STATES:
        links["cancel"] = action(f"/exports/{row.id}/cancel", "POST")
    if row.state == "succeeded":
        links["link"] = action(f"/exports/{row.id}/link", "POST")
    files = [ExportFile.model_validate(file) for file in await service.list_files(session, row.id)]
    return Export.of(row, files=files, progress=await _progress(session, row), links=links)
