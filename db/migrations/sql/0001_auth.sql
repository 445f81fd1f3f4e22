-- Accounts, sessions, credentials, roles. Models: db/auth/models.py.

CREATE TABLE auth.organisations (
    id UUID DEFAULT app.new_id() NOT NULL,
    name VARCHAR(120) NOT NULL,
    slug VARCHAR(60) NOT NULL,
    deleted_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_organisations PRIMARY KEY (id)
);
CREATE UNIQUE INDEX uq_organisations_slug_live ON auth.organisations (slug) WHERE deleted_at IS NULL;

CREATE TABLE auth.permissions (
    name VARCHAR(60) NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_permissions PRIMARY KEY (name)
);

CREATE TABLE auth.roles (
    id UUID DEFAULT app.new_id() NOT NULL,
    name VARCHAR(50) NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_roles PRIMARY KEY (id),
    CONSTRAINT uq_roles_name UNIQUE (name)
);

CREATE TABLE auth.role_permissions (
    role_id UUID NOT NULL,
    permission VARCHAR(60) NOT NULL,
    CONSTRAINT pk_role_permissions PRIMARY KEY (role_id, permission),
    CONSTRAINT fk_role_permissions_role_id FOREIGN KEY(role_id) REFERENCES auth.roles (id) ON DELETE CASCADE,
    CONSTRAINT fk_role_permissions_permission FOREIGN KEY(permission) REFERENCES auth.permissions (name) ON DELETE CASCADE
);
CREATE INDEX ix_role_permissions_permission ON auth.role_permissions (permission);

CREATE TABLE auth.users (
    id UUID DEFAULT app.new_id() NOT NULL,
    email VARCHAR(255) NOT NULL,
    username VARCHAR(50) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    full_name VARCHAR(120) DEFAULT '' NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    is_verified BOOLEAN DEFAULT false NOT NULL,
    org_id UUID,
    tokens_valid_after timestamptz,
    password_changed_at timestamptz DEFAULT now() NOT NULL,
    last_login_at timestamptz,
    deleted_at timestamptz,
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT fk_users_org_id FOREIGN KEY(org_id) REFERENCES auth.organisations (id) ON DELETE SET NULL
);
CREATE INDEX ix_users_created_at_id ON auth.users (created_at, id);
CREATE INDEX ix_users_metadata ON auth.users USING gin (metadata);
CREATE INDEX ix_users_org_id ON auth.users (org_id);
CREATE UNIQUE INDEX uq_users_email_live ON auth.users (lower(email)) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX uq_users_username_live ON auth.users (lower(username)) WHERE deleted_at IS NULL;

CREATE TABLE auth.api_keys (
    id UUID DEFAULT app.new_id() NOT NULL,
    user_id UUID NOT NULL,
    org_id UUID,
    name VARCHAR(80) NOT NULL,
    public_id VARCHAR(16) NOT NULL,
    secret_sha256 BYTEA NOT NULL,
    scopes TEXT[] DEFAULT '{}'::text[] NOT NULL,
    ip_allow_list TEXT[] DEFAULT '{}'::text[] NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT fk_api_keys_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT fk_api_keys_org_id FOREIGN KEY(org_id) REFERENCES auth.organisations (id) ON DELETE CASCADE,
    CONSTRAINT uq_api_keys_public_id UNIQUE (public_id)
);
CREATE INDEX ix_api_keys_org_id ON auth.api_keys (org_id);
CREATE INDEX ix_api_keys_user_id ON auth.api_keys (user_id);

CREATE TABLE auth.external_identities (
    id UUID DEFAULT app.new_id() NOT NULL,
    user_id UUID NOT NULL,
    issuer VARCHAR(255) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_external_identities PRIMARY KEY (id),
    CONSTRAINT fk_external_identities_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE CASCADE
);
CREATE INDEX ix_external_identities_user_id ON auth.external_identities (user_id);
CREATE UNIQUE INDEX uq_external_identities_issuer_subject ON auth.external_identities (issuer, subject);

CREATE TABLE auth.login_attempts (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    account VARCHAR(255) NOT NULL,
    user_id UUID,
    ip VARCHAR(45),
    succeeded BOOLEAN NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_login_attempts PRIMARY KEY (id),
    CONSTRAINT fk_login_attempts_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE CASCADE
);
CREATE INDEX ix_login_attempts_account_at ON auth.login_attempts (account, at);
CREATE INDEX ix_login_attempts_at ON auth.login_attempts (at);
CREATE INDEX ix_login_attempts_ip_at ON auth.login_attempts (ip, at);
CREATE INDEX ix_login_attempts_user_id ON auth.login_attempts (user_id);

CREATE TABLE auth.memberships (
    org_id UUID NOT NULL,
    user_id UUID NOT NULL,
    role_id UUID NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_memberships PRIMARY KEY (org_id, user_id),
    CONSTRAINT fk_memberships_org_id FOREIGN KEY(org_id) REFERENCES auth.organisations (id) ON DELETE CASCADE,
    CONSTRAINT fk_memberships_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT fk_memberships_role_id FOREIGN KEY(role_id) REFERENCES auth.roles (id) ON DELETE RESTRICT
);
CREATE INDEX ix_memberships_role_id ON auth.memberships (role_id);
CREATE INDEX ix_memberships_user_id ON auth.memberships (user_id);

CREATE TABLE auth.one_time_tokens (
    id UUID DEFAULT app.new_id() NOT NULL,
    user_id UUID NOT NULL,
    purpose VARCHAR(30) NOT NULL,
    token_sha256 BYTEA NOT NULL,
    payload JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_one_time_tokens PRIMARY KEY (id),
    CONSTRAINT fk_one_time_tokens_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE CASCADE
);
CREATE INDEX ix_one_time_tokens_user_id_purpose ON auth.one_time_tokens (user_id, purpose);
CREATE UNIQUE INDEX uq_one_time_tokens_token_sha256 ON auth.one_time_tokens (token_sha256);

CREATE TABLE auth.recovery_codes (
    id UUID DEFAULT app.new_id() NOT NULL,
    user_id UUID NOT NULL,
    code_hash VARCHAR(255) NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_recovery_codes PRIMARY KEY (id),
    CONSTRAINT fk_recovery_codes_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE CASCADE
);
CREATE INDEX ix_recovery_codes_user_id ON auth.recovery_codes (user_id);

CREATE TABLE auth.sessions (
    id UUID DEFAULT app.new_id() NOT NULL,
    user_id UUID NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    authenticated_at timestamptz DEFAULT now() NOT NULL,
    methods TEXT[] DEFAULT '{pwd}'::text[] NOT NULL,
    last_seen_at timestamptz DEFAULT now() NOT NULL,
    ip VARCHAR(45),
    user_agent VARCHAR(400),
    absolute_expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_reason VARCHAR(40),
    CONSTRAINT pk_sessions PRIMARY KEY (id),
    CONSTRAINT fk_sessions_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE CASCADE
);
CREATE INDEX ix_sessions_user_id ON auth.sessions (user_id);
CREATE INDEX ix_sessions_user_id_live ON auth.sessions (user_id, last_seen_at) WHERE revoked_at IS NULL;

CREATE TABLE auth.totp_credentials (
    user_id UUID NOT NULL,
    secret_encrypted BYTEA NOT NULL,
    last_used_step BIGINT,
    created_at timestamptz DEFAULT now() NOT NULL,
    confirmed_at timestamptz,
    CONSTRAINT pk_totp_credentials PRIMARY KEY (user_id),
    CONSTRAINT fk_totp_credentials_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE CASCADE
);

CREATE TABLE auth.user_roles (
    user_id UUID NOT NULL,
    role_id UUID NOT NULL,
    granted_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_user_roles PRIMARY KEY (user_id, role_id),
    CONSTRAINT fk_user_roles_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT fk_user_roles_role_id FOREIGN KEY(role_id) REFERENCES auth.roles (id) ON DELETE CASCADE
);
CREATE INDEX ix_user_roles_role_id ON auth.user_roles (role_id);

CREATE TABLE auth.webauthn_credentials (
    id UUID DEFAULT app.new_id() NOT NULL,
    user_id UUID NOT NULL,
    credential_id BYTEA NOT NULL,
    public_key BYTEA NOT NULL,
    sign_count BIGINT DEFAULT 0 NOT NULL,
    transports TEXT[] DEFAULT '{}'::text[] NOT NULL,
    name VARCHAR(80) DEFAULT '' NOT NULL,
    backed_up BOOLEAN DEFAULT false NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    last_used_at timestamptz,
    CONSTRAINT pk_webauthn_credentials PRIMARY KEY (id),
    CONSTRAINT fk_webauthn_credentials_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE CASCADE
);
CREATE INDEX ix_webauthn_credentials_user_id ON auth.webauthn_credentials (user_id);
CREATE UNIQUE INDEX uq_webauthn_credentials_credential_id ON auth.webauthn_credentials (credential_id);

CREATE TABLE auth.refresh_tokens (
    id UUID DEFAULT app.new_id() NOT NULL,
    session_id UUID NOT NULL,
    parent_id UUID,
    token_sha256 BYTEA NOT NULL,
    derivation_nonce BYTEA,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    replaced_by UUID,
    ip VARCHAR(45),
    CONSTRAINT pk_refresh_tokens PRIMARY KEY (id),
    CONSTRAINT fk_refresh_tokens_session_id FOREIGN KEY(session_id) REFERENCES auth.sessions (id) ON DELETE CASCADE,
    CONSTRAINT fk_refresh_tokens_parent_id FOREIGN KEY(parent_id) REFERENCES auth.refresh_tokens (id) ON DELETE SET NULL,
    CONSTRAINT fk_refresh_tokens_replaced_by FOREIGN KEY(replaced_by) REFERENCES auth.refresh_tokens (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_refresh_tokens_expires_at ON auth.refresh_tokens (expires_at);
CREATE INDEX ix_refresh_tokens_parent_id ON auth.refresh_tokens (parent_id);
CREATE INDEX ix_refresh_tokens_replaced_by ON auth.refresh_tokens (replaced_by);
CREATE INDEX ix_refresh_tokens_session_id ON auth.refresh_tokens (session_id);
CREATE UNIQUE INDEX uq_refresh_tokens_token_sha256 ON auth.refresh_tokens (token_sha256);
