-- Services that partners run, as their manifests say.
CREATE TABLE partners (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE,
    manifest TEXT NOT NULL,
    sealed_secrets BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- What an add-on is at its partner. Its config vars are its credential's values.
CREATE TABLE partner_resources (
    addon_id TEXT PRIMARY KEY NOT NULL REFERENCES addons (id) ON DELETE CASCADE,
    provider_id TEXT,
    options TEXT NOT NULL,
    accepted BOOLEAN NOT NULL,
    gone BOOLEAN NOT NULL,
    deadline BIGINT NOT NULL,
    wanted_plan TEXT,
    plan_refused TEXT,
    message TEXT,
    drain_id TEXT,
    drain_token TEXT NOT NULL
);

-- What partners show; of each only its hash is kept.
CREATE TABLE partner_tokens (
    id TEXT PRIMARY KEY NOT NULL,
    addon_id TEXT NOT NULL REFERENCES addons (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    expires_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX partner_tokens_addon ON partner_tokens (addon_id);

-- A drain that is an add-on's goes with it.
ALTER TABLE drains ADD COLUMN addon_id TEXT;
