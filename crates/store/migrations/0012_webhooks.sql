-- No foreign key to the app: that it was destroyed is still told.
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL,
    addon_id TEXT,
    include TEXT NOT NULL,
    level TEXT NOT NULL,
    sealed_target BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX webhooks_app ON webhooks (app_id);

-- How what an app has was when it was last looked at.
CREATE TABLE webhook_shadows (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL,
    sealed_data BLOB NOT NULL
);
CREATE INDEX webhook_shadows_app ON webhook_shadows (app_id);

CREATE TABLE webhook_events (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL,
    addon_id TEXT,
    entity TEXT NOT NULL,
    sealed_payload BLOB NOT NULL,
    seq BIGINT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);
CREATE INDEX webhook_events_app ON webhook_events (app_id, seq);

CREATE TABLE webhook_deliveries (
    id TEXT PRIMARY KEY NOT NULL,
    event_id TEXT NOT NULL REFERENCES webhook_events (id) ON DELETE CASCADE,
    webhook_id TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT,
    last_attempt TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (event_id);
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_attempt_at);
