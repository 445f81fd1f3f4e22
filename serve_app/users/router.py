"""Accounts, for operators and for their owners."""

from typing import Annotated, Any, Literal, NoReturn
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response, status
from pydantic import Field

from db import audit
from db.auth import service as auth
from db.auth.models import User as UserRow
from db.auth.permissions import CUSTOMER
from db.errors import PermissionDenied
from db.users import service
from db.users.errors import UserNotFound
from serve_app.auth.passwords import refuse_weak_password
from serve_app.conditional import expected_version, version_tag
from serve_app.dependencies import DbSession, LoginPrincipal, ResourcesDep, require, require_login, require_of_keys
from serve_app.idempotency import IdempotencyKey
from serve_app.links import ROOT
from serve_app.openapi_parts import ETAG_HEADER, LOCATION_HEADER, problems
from serve_app.orders.listing import answer_orders
from serve_app.orders.placing import answer_placed
from serve_app.orders.schemas import Order, OrderCreate, OrderSummary
from serve_app.pagination import PageQuery, by_cursor, numbered, read_cursor
from serve_app.schemas import Page
from serve_app.security.principal import Principal
from serve_app.users.presenting import present_user
from serve_app.users.reach import refuse_beyond
from serve_app.users.schemas import User, UserCreate, UserReplace, UserUpdate

router = APIRouter(prefix="/users", tags=["users"])

OWN_FIELDS = frozenset({"username", "full_name", "metadata"})
"""What people change of their own here. Address and password need the present password: PATCH /auth/me."""

AccountReader = Annotated[Principal, Depends(require_of_keys("users:read"))]
UserMaker = Annotated[Principal, Depends(require_login("users:write"))]
UserReader = Annotated[Principal, Depends(require("users:read"))]
IfMatch = Annotated[str | None, Header(description="ETag of the account as you read it.")]


class UserQuery(PageQuery):
    """Filters of the list of users."""

    q: Annotated[str | None, Field(max_length=100, description="Part of an e-mail address, username or name.")] = None
    sort: Literal["created_at", "-created_at", "username", "-username", "email", "-email"] = "-created_at"
    order: Literal["asc", "desc"] | None = None
    is_active: bool | None = None


@router.get("", response_model=Page[User], responses=problems(403))
async def list_users(
    query: Annotated[UserQuery, Query()],
    principal: UserReader,
    request: Request,
    response: Response,
    session: DbSession,
    resources: ResourcesDep,
) -> Any:
    """Accounts, filtered, sorted, page by page."""
    if query.by_cursor:
        found = await service.list_users_by_cursor(
            session,
            q=query.q,
            is_active=query.is_active,
            sort=query.sort,
            order=query.order,
            cursor=read_cursor(request, resources.links, query.cursor),
            limit=query.limit,
        )
        roles = await service.get_roles(session, found.items)
        return by_cursor(
            found,
            lambda row: present_user(row, roles[row.id], principal, full=False),
            request=request,
            response=response,
            signer=resources.links,
            limit=query.limit,
        )
    page = await service.list_users(
        session,
        q=query.q,
        is_active=query.is_active,
        sort=query.sort,
        order=query.order,
        page=query.page,
        limit=query.limit,
    )
    roles = await service.get_roles(session, page.items)
    return numbered(
        page,
        lambda row: present_user(row, roles[row.id], principal, full=False),
        request=request,
        response=response,
    )


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=User,
    responses=problems(403, 409) | {201: {"headers": ETAG_HEADER | LOCATION_HEADER}},
)
async def create_user(body: UserCreate, principal: UserMaker, response: Response, resources: ResourcesDep) -> Any:
    """Make an account for somebody. Needs `users:write`, and `roles:manage` for other roles than `customer`."""
    if set(body.roles) != {CUSTOMER}:
        _refuse_roles(principal)
    await refuse_weak_password(resources, body.password, context=(body.email, body.username), field="password")
    # Outside the transaction: hashing takes longer than everything else.
    password_hash = await resources.passwords.hash(body.password)
    async with resources.database.transaction(acting_user_id=principal.user_id) as session:
        user = await auth.register(
            session,
            email=body.email,
            username=body.username,
            password_hash=password_hash,
            full_name=body.full_name,
            roles=body.roles,
            is_verified=body.is_verified,
        )
        await audit.record(session, "user.created", subject_type="user", subject_id=user.id, actor_id=principal.user_id)
        answer = await _present(session, user, principal, response)
    response.headers["Location"] = f"{ROOT}/users/{user.id}"
    return answer


@router.get("/{user_id}", response_model=User, responses=problems(403, 404) | {200: {"headers": ETAG_HEADER}})
async def get_user(user_id: UUID, principal: AccountReader, session: DbSession, response: Response) -> Any:
    """One account: one's own, or anybody's with `users:read`."""
    _refuse_strangers(user_id, principal, "users:read")
    return await _present(session, await service.get_user(session, user_id), principal, response)


@router.patch(
    "/{user_id}",
    response_model=User,
    responses=problems(403, 404, 409, 412) | {200: {"headers": ETAG_HEADER}},
)
async def update_user(
    user_id: UUID,
    body: UserUpdate,
    principal: LoginPrincipal,
    session: DbSession,
    response: Response,
    if_match: IfMatch = None,
) -> Any:
    """Change an account: one's own name or metadata, or anybody's with `users:write` (roles with `roles:manage`).

    Somebody else's needs every permission that it holds, too.
    """
    _refuse_strangers(user_id, principal, "users:write")
    await refuse_beyond(session, principal, user_id)
    changes = body.model_dump(exclude_unset=True, exclude_none=True)
    roles = changes.pop("roles", None)
    if user_id == principal.user_id and "email" in changes:
        _refuse_own_address()
    if not principal.may("users:write") and (forbidden := sorted(changes.keys() - OWN_FIELDS)):
        raise PermissionDenied(f"Changing '{forbidden[0]}' needs users:write.", details={"fields": forbidden})
    if roles is not None:
        _refuse_roles(principal)
    user = await service.update_user(
        session,
        user_id,
        changes,
        roles=roles,
        expected_version=expected_version(if_match, required=False),
        actor_id=principal.user_id,
    )
    return await _present(session, user, principal, response)


@router.put(
    "/{user_id}",
    response_model=User,
    responses=problems(403, 404, 409, 412, 428) | {200: {"headers": ETAG_HEADER}},
)
async def replace_user(
    user_id: UUID,
    body: UserReplace,
    principal: UserMaker,
    session: DbSession,
    response: Response,
    if_match: IfMatch = None,
) -> Any:
    """Make an account exactly this. If-Match is required: what somebody else has changed would be lost unseen.

    One's own address changes at /auth/me only, with the password. Somebody else's needs every permission that it holds.
    """
    version = expected_version(if_match, required=True)
    await refuse_beyond(session, principal, user_id)
    changes = body.model_dump()
    roles = changes.pop("roles")
    held = await service.get_user(session, user_id)
    if user_id == principal.user_id and body.email.lower() != held.email.lower():
        _refuse_own_address()
    if set(roles) != set((await service.get_roles(session, [held]))[user_id]):
        _refuse_roles(principal)
    user = await service.update_user(
        session, user_id, changes, roles=roles, expected_version=version, actor_id=principal.user_id
    )
    return await _present(session, user, principal, response)


@router.delete("/{user_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(403, 404, 409, 412))
async def delete_user(
    user_id: UUID, principal: LoginPrincipal, session: DbSession, resources: ResourcesDep, if_match: IfMatch = None
) -> None:
    """Delete an account (softly): its sessions and keys end at once. With If-Match, only as you read it.

    Somebody else's needs every permission that it holds.
    """
    _refuse_strangers(user_id, principal, "users:write")
    await refuse_beyond(session, principal, user_id)
    await service.delete_user(
        session, user_id, expected_version=expected_version(if_match, required=False), actor_id=principal.user_id
    )
    resources.authenticator.forget(user_id=user_id)


@router.get("/{user_id}/orders", response_model=Page[OrderSummary], responses=problems(404))
async def list_user_orders(
    user_id: UUID,
    query: Annotated[PageQuery, Query()],
    principal: Annotated[Principal, Depends(require("orders:read"))],
    request: Request,
    response: Response,
    session: DbSession,
    resources: ResourcesDep,
) -> Any:
    """A person's orders: one's own, or anybody's with `orders:read_all`."""
    _refuse_strangers(user_id, principal, "orders:read_all")
    await service.get_user(session, user_id)
    return await answer_orders(session, query, request, response, resources, user_id=user_id)


@router.post(
    "/{user_id}/orders",
    status_code=status.HTTP_201_CREATED,
    response_model=Order,
    responses=problems(403, 404, 409) | {201: {"headers": LOCATION_HEADER}},
)
async def place_user_order(
    user_id: UUID,
    body: OrderCreate,
    principal: Annotated[Principal, Depends(require("orders:place"))],
    request: Request,
    session: DbSession,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Place an order: one's own, or anybody's with `orders:manage`; the order's history says who placed it."""
    _refuse_strangers(user_id, principal, "orders:manage")
    await service.get_user(session, user_id)
    return await answer_placed(session, body, principal, request, idempotency_key, user_id=user_id)


def _refuse_own_address() -> NoReturn:
    """Whoever finds somebody else's browser signed in shall not take the account over."""
    raise PermissionDenied("Change your own address at /auth/me, with your password.", details={"fields": ["email"]})


def _refuse_roles(principal: Principal) -> None:
    if not principal.may("roles:manage"):
        raise PermissionDenied("Choosing roles needs roles:manage.", details={"fields": ["roles"]})


def _refuse_strangers(user_id: UUID, principal: Principal, permission: str) -> None:
    """Somebody else's account does not exist for those who may not see it."""
    if user_id != principal.user_id and not principal.may(permission):
        raise UserNotFound


async def _present(session: DbSession, user: UserRow, principal: Principal, response: Response) -> User:
    roles = await service.get_roles(session, [user])
    response.headers["ETag"] = version_tag(user.version)
    return present_user(user, roles[user.id], principal)
