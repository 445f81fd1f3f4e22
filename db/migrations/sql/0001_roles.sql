-- The vocabulary of db/auth/permissions.py as of this revision, and the four roles of a fresh installation.

INSERT INTO auth.permissions (name, description) VALUES
    ('products:read', 'Read the catalogue'),
    ('products:write', 'Create, change and remove products'),
    ('orders:place', 'Place and cancel orders of one''s own'),
    ('orders:read', 'Read orders of one''s own'),
    ('orders:read_all', 'Read and export everybody''s orders'),
    ('orders:manage', 'Move any order through its statuses'),
    ('conversations:use', 'Talk in conversations'),
    ('conversations:moderate', 'Remove messages and conversations'),
    ('exports:create', 'Export what one may read'),
    ('users:read', 'Read accounts'),
    ('users:write', 'Change, disable and remove accounts'),
    ('roles:manage', 'Grant and withdraw roles'),
    ('audit:read', 'Read the audit trail'),
    ('dashboard:read', 'See the business figures'),
    ('jobs:read', 'Look at jobs'),
    ('jobs:manage', 'Cancel and retry jobs'),
    ('mailbox:read', 'Read the development mailbox'),
    ('realtime:publish', 'Publish through the server API'),
    ('realtime:read', 'Read presence, history and channels through the server API'),
    ('realtime:admin', 'Everything in the server API, disconnecting included');

INSERT INTO auth.roles (name, description) VALUES
    ('admin', 'Everything'),
    ('operator', 'Runs the shop and the cluster'),
    ('analyst', 'Reads and exports'),
    ('customer', 'Buys and talks');

INSERT INTO auth.role_permissions (role_id, permission)
SELECT roles.id, permissions.name FROM auth.roles AS roles CROSS JOIN auth.permissions AS permissions
WHERE roles.name = 'admin'
    OR permissions.name IN ('products:read', 'orders:place', 'orders:read', 'conversations:use', 'exports:create')
    OR roles.name = 'operator' AND permissions.name NOT IN ('users:write', 'roles:manage')
    OR roles.name = 'analyst' AND permissions.name IN ('orders:read_all', 'users:read', 'dashboard:read', 'jobs:read');
