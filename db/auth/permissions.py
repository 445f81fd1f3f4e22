"""The vocabulary of what may be allowed, and what each role of a fresh installation allows.

The database holds the same as rows (0001_roles.sql and later revisions): a test compares the two. Whoever may do
something `own` needs no permission of another's rows: services check ownership.
"""

PERMISSIONS: dict[str, str] = {
    "products:read": "Read the catalogue",
    "products:write": "Create, change and remove products",
    "orders:place": "Place and cancel orders of one's own",
    "orders:read": "Read orders of one's own",
    "orders:read_all": "Read and export everybody's orders",
    "orders:manage": "Move any order through its statuses",
    "conversations:use": "Talk in conversations",
    "conversations:moderate": "Remove messages and conversations",
    "exports:create": "Export what one may read",
    "users:read": "Read accounts",
    "users:write": "Change, disable and remove accounts",
    "roles:manage": "Grant and withdraw roles",
    "audit:read": "Read the audit trail",
    "dashboard:read": "See the business figures",
    "jobs:read": "Look at jobs",
    "jobs:manage": "Cancel and retry jobs",
    "mailbox:read": "Read the development mailbox",
    "realtime:publish": "Publish through the server API",
    "realtime:read": "Read presence, history and channels through the server API",
    "realtime:admin": "Everything in the server API, disconnecting included",
}

ADMIN = "admin"
OPERATOR = "operator"
ANALYST = "analyst"
CUSTOMER = "customer"

_CUSTOMER = frozenset({"products:read", "orders:place", "orders:read", "conversations:use", "exports:create"})

ROLES: dict[str, frozenset[str]] = {
    ADMIN: frozenset(PERMISSIONS),
    OPERATOR: frozenset(PERMISSIONS) - {"users:write", "roles:manage"},
    ANALYST: _CUSTOMER | {"orders:read_all", "users:read", "dashboard:read", "jobs:read"},
    CUSTOMER: _CUSTOMER,
}
