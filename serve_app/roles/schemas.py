"""Roles over HTTP."""

from pydantic import Field

from serve_app.schemas import ResponseSchema


class PermissionSummary(ResponseSchema):
    """A thing that may be allowed."""

    name: str = Field(examples=["orders:read_all"])
    description: str


class Role(ResponseSchema):
    """A named set of permissions."""

    name: str = Field(examples=["operator"])
    description: str
    permissions: list[PermissionSummary] = Field(description="What it allows, by name.")


class RoleList(ResponseSchema):
    """Every role of the installation, by name."""

    items: list[Role]
