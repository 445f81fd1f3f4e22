"""Jobs: look, cancel, run again."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field

from db.exports import service as exports
from db.jobs import service
from serve_app.dependencies import DbSession, require
from serve_app.jobs.schemas import Job, JobState
from serve_app.links import ROOT, action, self_link
from serve_app.openapi_parts import LOCATION_HEADER, problems
from serve_app.pagination import MAX_LIMIT, numbered
from serve_app.schemas import Page
from serve_app.security.principal import Principal

router = APIRouter(prefix="/jobs", tags=["jobs"])

MAX_PAGE = 100

JobReader = Annotated[Principal, Depends(require("jobs:read"))]
JobManager = Annotated[Principal, Depends(require("jobs:manage"))]


class JobQuery(BaseModel):
    """Filters of the list of jobs."""

    model_config = ConfigDict(extra="forbid")

    state: JobState | None = None
    kind: Annotated[str | None, Field(max_length=100)] = None
    queue: Annotated[str | None, Field(max_length=100)] = None
    page: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 1
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 20


@router.get("", response_model=Page[Job], responses=problems(403))
async def list_jobs(
    query: Annotated[JobQuery, Query()], principal: JobReader, request: Request, response: Response, session: DbSession
) -> Any:
    """Live and ended jobs, newest first."""
    page = await service.list_jobs(
        session, state=query.state, kind=query.kind, queue=query.queue, page=query.page, limit=query.limit
    )
    return numbered(
        page,
        lambda job: Job.of(job, links=self_link(f"/jobs/{job.id}")),
        request=request,
        response=response,
        max_page=MAX_PAGE,
    )


@router.get("/{job_id}", response_model=Job, responses=problems(403, 404))
async def get_job(job_id: UUID, principal: JobReader, session: DbSession) -> Any:
    """One job."""
    return _present(await service.get_job(session, job_id), principal)


@router.post("/{job_id}/cancel", response_model=Job, responses=problems(403, 404, 409))
async def cancel_job(job_id: UUID, principal: JobManager, session: DbSession) -> Any:
    """End a waiting job, or ask a running one to stop. An export whose job it is has ended with the answer."""
    job = await service.get_job(session, job_id)
    if await exports.cancel_with_job(session, job):
        return _present(await service.get_job(session, job_id), principal)
    return _present(await service.cancel_job(session, job_id), principal)


@router.post(
    "/{job_id}/retry",
    status_code=status.HTTP_201_CREATED,
    response_model=Job,
    responses=problems(403, 404, 409) | {201: {"headers": LOCATION_HEADER}},
)
async def retry_job(job_id: UUID, principal: JobManager, session: DbSession, response: Response) -> Any:
    """Run a failed or cancelled job's request again, as a new job; while that one is alive, it is the answer."""
    job = await service.retry_job(session, job_id)
    response.headers["Location"] = f"{ROOT}/jobs/{job.id}"
    return _present(job, principal)


def _present(job: service.JobView, principal: Principal) -> Job:
    links = self_link(f"/jobs/{job.id}")
    if principal.may("jobs:manage"):
        if job.state in service.LIVE_STATES:
            links["cancel"] = action(f"/jobs/{job.id}/cancel", "POST")
        elif job.state != "succeeded":
            links["retry"] = action(f"/jobs/{job.id}/retry", "POST")
    return Job.of(job, links=links)
