"""Every router of the api application, in the order of the documentation."""

from fastapi import APIRouter

from serve_app.audit.router import router as audit_router
from serve_app.auth.account_router import router as account_router
from serve_app.auth.recovery_router import router as recovery_router
from serve_app.auth.router import router as auth_router
from serve_app.conversations.router import router as conversations_router
from serve_app.dashboard.router import router as dashboard_router
from serve_app.directory.router import router as directory_router
from serve_app.emulation.router import router as emulation_router
from serve_app.exports.router import router as exports_router
from serve_app.health.router import router as health_router
from serve_app.jobs.router import router as jobs_router
from serve_app.mailbox.router import router as mailbox_router
from serve_app.metrics.router import router as metrics_router
from serve_app.notifications.router import router as notifications_router
from serve_app.orders.router import router as orders_router
from serve_app.passkeys.login_router import router as passkey_login_router
from serve_app.passkeys.router import router as passkeys_router
from serve_app.presence.router import router as presence_router
from serve_app.problems.router import router as problems_router
from serve_app.products.category_router import router as categories_router
from serve_app.products.router import router as products_router
from serve_app.realtime_inspection.router import router as realtime_inspection_router
from serve_app.realtime_inspection.rules_router import router as realtime_rules_router
from serve_app.realtime_inspection.traces_router import router as realtime_traces_router
from serve_app.realtime_inspection.users_router import router as realtime_users_router
from serve_app.realtime_tokens.router import router as realtime_router
from serve_app.roles.router import router as roles_router
from serve_app.second_factor.router import router as second_factor_router
from serve_app.server_api.router import router as server_api_router
from serve_app.users.router import router as users_router
from serve_app.wellknown.router import router as wellknown_router

API_PREFIX = "/api/v1"

VERSIONED: tuple[APIRouter, ...] = (
    auth_router,
    account_router,
    recovery_router,
    second_factor_router,
    passkeys_router,
    passkey_login_router,
    users_router,
    roles_router,
    directory_router,
    products_router,
    categories_router,
    orders_router,
    conversations_router,
    presence_router,
    notifications_router,
    exports_router,
    jobs_router,
    mailbox_router,
    audit_router,
    dashboard_router,
    realtime_router,
    realtime_inspection_router,
    realtime_traces_router,
    realtime_rules_router,
    realtime_users_router,
)
"""Routers under API_PREFIX."""

UNVERSIONED: tuple[APIRouter, ...] = (
    health_router,
    metrics_router,
    wellknown_router,
    problems_router,
    server_api_router,
    emulation_router,
)
"""Routers at fixed addresses: health, metrics, documentation, the realtime server API."""
