-- Running services that add-ons live in.
CREATE TABLE instances (
    id TEXT PRIMARY KEY NOT NULL,
    service TEXT NOT NULL,
    plan TEXT,
    address TEXT NOT NULL UNIQUE,
    sealed_values BLOB NOT NULL,
    removed BOOLEAN NOT NULL,
    failures BIGINT NOT NULL,
    retry_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX instances_service ON instances (service);

-- No foreign key to the app: what is being taken away outlives it.
CREATE TABLE addons (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    service TEXT NOT NULL,
    plan TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    instance_id TEXT REFERENCES instances (id),
    attempts BIGINT NOT NULL,
    retry_at BIGINT,
    failure TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX addons_app ON addons (app_id);
CREATE INDEX addons_state ON addons (state);
CREATE INDEX addons_instance ON addons (instance_id);

CREATE TABLE addon_credentials (
    id TEXT PRIMARY KEY NOT NULL,
    addon_id TEXT NOT NULL REFERENCES addons (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    sealed_values BLOB NOT NULL,
    active BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (addon_id, name)
);

CREATE TABLE addon_attachments (
    id TEXT PRIMARY KEY NOT NULL,
    addon_id TEXT NOT NULL REFERENCES addons (id) ON DELETE CASCADE,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    namespace TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (app_id, name)
);
CREATE INDEX addon_attachments_addon ON addon_attachments (addon_id);

-- The config vars that attachments give: of the app now, and of each release as it was made.
ALTER TABLE apps ADD COLUMN attached_config_id TEXT;
ALTER TABLE releases ADD COLUMN attached_config_id TEXT;
