-- The application. Models: db/{products,orders,idempotency,conversations,notifications,events}/models.py.

CREATE SEQUENCE app.events_id_seq;

CREATE TABLE app.categories (
    id UUID DEFAULT app.new_id() NOT NULL,
    slug VARCHAR(60) NOT NULL,
    name VARCHAR(80) NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    parent_id UUID,
    position INTEGER DEFAULT 0 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_categories PRIMARY KEY (id),
    CONSTRAINT uq_categories_slug UNIQUE (slug),
    CONSTRAINT fk_categories_parent_id FOREIGN KEY(parent_id) REFERENCES app.categories (id) ON DELETE SET NULL
);
CREATE INDEX ix_categories_parent_id ON app.categories (parent_id);

CREATE TABLE app.domain_events (
    id UUID DEFAULT app.new_id() NOT NULL,
    type VARCHAR(80) NOT NULL,
    payload JSONB DEFAULT '{}'::jsonb NOT NULL,
    actor_id UUID,
    occurred_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_domain_events PRIMARY KEY (id)
);
CREATE INDEX ix_domain_events_occurred_at ON app.domain_events (occurred_at);
CREATE INDEX ix_domain_events_type_occurred_at ON app.domain_events (type, occurred_at);

CREATE TABLE app.events (
    id BIGINT DEFAULT nextval('app.events_id_seq') NOT NULL,
    event_type VARCHAR(50) NOT NULL,
    user_id UUID,
    payload JSONB NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (id, created_at)
)
 PARTITION BY RANGE (created_at);
CREATE INDEX ix_events_event_type_created_at ON app.events (event_type, created_at);
CREATE INDEX ix_events_payload ON app.events USING gin (payload jsonb_path_ops);
CREATE INDEX ix_events_user_id_created_at ON app.events (user_id, created_at);

CREATE TABLE app.idempotency_keys (
    principal VARCHAR(80) NOT NULL,
    route VARCHAR(160) NOT NULL,
    key VARCHAR(255) NOT NULL,
    fingerprint BYTEA NOT NULL,
    status_code INTEGER NOT NULL,
    headers JSONB NOT NULL,
    body BYTEA NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (principal, route, key)
);
CREATE INDEX ix_idempotency_keys_expires_at ON app.idempotency_keys (expires_at);

CREATE TABLE app.event_deliveries (
    event_id UUID NOT NULL,
    subscriber VARCHAR(80) NOT NULL,
    delivered_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_event_deliveries PRIMARY KEY (event_id, subscriber),
    CONSTRAINT fk_event_deliveries_event_id FOREIGN KEY(event_id) REFERENCES app.domain_events (id) ON DELETE CASCADE
);

CREATE TABLE app.products (
    id UUID DEFAULT app.new_id() NOT NULL,
    org_id UUID,
    category_id UUID NOT NULL,
    sku VARCHAR(40) NOT NULL,
    name VARCHAR(160) NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    price NUMERIC(12, 2) NOT NULL,
    currency VARCHAR(3) DEFAULT 'EUR' NOT NULL,
    stock INTEGER DEFAULT 0 NOT NULL,
    image_url VARCHAR(400),
    attributes JSONB DEFAULT '{}'::jsonb NOT NULL,
    deleted_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_products PRIMARY KEY (id),
    CONSTRAINT ck_products_stock_not_negative CHECK (stock >= 0),
    CONSTRAINT ck_products_price_not_negative CHECK (price >= 0),
    CONSTRAINT fk_products_org_id FOREIGN KEY(org_id) REFERENCES auth.organisations (id) ON DELETE SET NULL,
    CONSTRAINT fk_products_category_id FOREIGN KEY(category_id) REFERENCES app.categories (id) ON DELETE RESTRICT
);
CREATE INDEX ix_products_attributes ON app.products USING gin (attributes);
CREATE INDEX ix_products_category_id_price_id ON app.products (category_id, price, id);
CREATE INDEX ix_products_created_at_id ON app.products (created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX ix_products_name_id ON app.products (name, id) WHERE deleted_at IS NULL;
CREATE INDEX ix_products_org_id ON app.products (org_id);
CREATE INDEX ix_products_price_id ON app.products (price, id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX uq_products_sku_live ON app.products (lower(sku)) WHERE deleted_at IS NULL;

CREATE TABLE app.conversations (
    id UUID DEFAULT app.new_id() NOT NULL,
    org_id UUID,
    title VARCHAR(120) DEFAULT '' NOT NULL,
    is_public BOOLEAN DEFAULT false NOT NULL,
    created_by UUID,
    message_count BIGINT DEFAULT 0 NOT NULL,
    last_message_at timestamptz DEFAULT now() NOT NULL,
    deleted_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_conversations PRIMARY KEY (id),
    CONSTRAINT fk_conversations_org_id FOREIGN KEY(org_id) REFERENCES auth.organisations (id) ON DELETE SET NULL,
    CONSTRAINT fk_conversations_created_by FOREIGN KEY(created_by) REFERENCES auth.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_conversations_created_by ON app.conversations (created_by);
CREATE INDEX ix_conversations_last_message_at_id ON app.conversations (last_message_at, id);
CREATE INDEX ix_conversations_org_id ON app.conversations (org_id);
CREATE INDEX ix_conversations_public ON app.conversations (created_at) WHERE is_public AND deleted_at IS NULL;

CREATE TABLE app.notifications (
    id UUID DEFAULT app.new_id() NOT NULL,
    user_id UUID NOT NULL,
    kind VARCHAR(40) NOT NULL,
    title VARCHAR(160) NOT NULL,
    body TEXT DEFAULT '' NOT NULL,
    data JSONB DEFAULT '{}'::jsonb NOT NULL,
    collapse_key VARCHAR(120),
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    read_at timestamptz,
    CONSTRAINT pk_notifications PRIMARY KEY (id),
    CONSTRAINT fk_notifications_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE CASCADE
);
CREATE INDEX ix_notifications_user_id_created_at_id ON app.notifications (user_id, created_at, id);
CREATE INDEX ix_notifications_user_id_unread ON app.notifications (user_id) WHERE read_at IS NULL;
CREATE UNIQUE INDEX uq_notifications_user_id_collapse_key_unread ON app.notifications (user_id, collapse_key) WHERE read_at IS NULL AND collapse_key IS NOT NULL;

CREATE TABLE app.orders (
    id UUID DEFAULT app.new_id() NOT NULL,
    number BIGINT GENERATED BY DEFAULT AS IDENTITY (START WITH 100001),
    user_id UUID NOT NULL,
    org_id UUID,
    status VARCHAR(20) DEFAULT 'pending' NOT NULL,
    currency VARCHAR(3) DEFAULT 'EUR' NOT NULL,
    total_amount NUMERIC(12, 2) NOT NULL,
    item_count INTEGER NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_orders PRIMARY KEY (id),
    CONSTRAINT ck_orders_status_known CHECK (status IN ('pending', 'paid', 'packed', 'shipped', 'delivered', 'cancelled')),
    CONSTRAINT uq_orders_number UNIQUE (number),
    CONSTRAINT fk_orders_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE RESTRICT,
    CONSTRAINT fk_orders_org_id FOREIGN KEY(org_id) REFERENCES auth.organisations (id) ON DELETE SET NULL
);
CREATE INDEX ix_orders_created_at_id ON app.orders (created_at, id);
CREATE INDEX ix_orders_org_id ON app.orders (org_id);
CREATE INDEX ix_orders_status_created_at ON app.orders (status, created_at);
CREATE INDEX ix_orders_user_id_created_at_id ON app.orders (user_id, created_at, id);

CREATE TABLE app.conversation_participants (
    conversation_id UUID NOT NULL,
    user_id UUID NOT NULL,
    joined_at timestamptz DEFAULT now() NOT NULL,
    last_read_number BIGINT DEFAULT 0 NOT NULL,
    last_read_at timestamptz,
    CONSTRAINT pk_conversation_participants PRIMARY KEY (conversation_id, user_id),
    CONSTRAINT fk_conversation_participants_conversation_id FOREIGN KEY(conversation_id) REFERENCES app.conversations (id) ON DELETE CASCADE,
    CONSTRAINT fk_conversation_participants_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE CASCADE
);
CREATE INDEX ix_conversation_participants_user_id ON app.conversation_participants (user_id, conversation_id);

CREATE TABLE app.messages (
    id UUID DEFAULT app.new_id() NOT NULL,
    conversation_id UUID NOT NULL,
    number BIGINT NOT NULL,
    author_id UUID,
    body TEXT NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    edited_at timestamptz,
    deleted_at timestamptz,
    CONSTRAINT pk_messages PRIMARY KEY (id),
    CONSTRAINT ck_messages_body_length CHECK (length(body) BETWEEN 1 AND 8000),
    CONSTRAINT fk_messages_conversation_id FOREIGN KEY(conversation_id) REFERENCES app.conversations (id) ON DELETE CASCADE,
    CONSTRAINT fk_messages_author_id FOREIGN KEY(author_id) REFERENCES auth.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_messages_author_id ON app.messages (author_id);
CREATE UNIQUE INDEX uq_messages_conversation_id_number ON app.messages (conversation_id, number);

CREATE TABLE app.order_items (
    id UUID DEFAULT app.new_id() NOT NULL,
    order_id UUID NOT NULL,
    position INTEGER NOT NULL,
    product_id UUID NOT NULL,
    product_name VARCHAR(160) NOT NULL,
    sku VARCHAR(40) NOT NULL,
    unit_price NUMERIC(12, 2) NOT NULL,
    quantity INTEGER NOT NULL,
    line_total NUMERIC(12, 2) NOT NULL,
    CONSTRAINT pk_order_items PRIMARY KEY (id),
    CONSTRAINT ck_order_items_quantity_positive CHECK (quantity > 0),
    CONSTRAINT fk_order_items_order_id FOREIGN KEY(order_id) REFERENCES app.orders (id) ON DELETE CASCADE,
    CONSTRAINT fk_order_items_product_id FOREIGN KEY(product_id) REFERENCES app.products (id) ON DELETE RESTRICT
);
CREATE INDEX ix_order_items_product_id ON app.order_items (product_id);
CREATE UNIQUE INDEX uq_order_items_order_id_position ON app.order_items (order_id, position);

CREATE TABLE app.order_status_history (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY,
    order_id UUID NOT NULL,
    previous VARCHAR(20),
    status VARCHAR(20) NOT NULL,
    changed_by UUID,
    reason TEXT DEFAULT '' NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_order_status_history PRIMARY KEY (id),
    CONSTRAINT fk_order_status_history_order_id FOREIGN KEY(order_id) REFERENCES app.orders (id) ON DELETE CASCADE,
    CONSTRAINT fk_order_status_history_changed_by FOREIGN KEY(changed_by) REFERENCES auth.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_order_status_history_changed_by ON app.order_status_history (changed_by);
CREATE INDEX ix_order_status_history_order_id_id ON app.order_status_history (order_id, id);

-- Nothing is lost when a month has no partition yet.
CREATE TABLE app.events_default PARTITION OF app.events DEFAULT;
SELECT app.ensure_event_partitions(3);
