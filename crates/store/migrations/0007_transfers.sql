-- Backups, restores and copies of add-ons' data. No foreign keys: a backup outlives its add-on and its app.
CREATE TABLE transfers (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    from_addon_id TEXT,
    from_name TEXT NOT NULL,
    to_addon_id TEXT,
    to_name TEXT NOT NULL,
    service TEXT NOT NULL,
    plan TEXT NOT NULL,
    backup_id TEXT,
    sealed_url BLOB NOT NULL,
    extensions TEXT NOT NULL,
    schedule TEXT,
    cancelled BOOLEAN NOT NULL,
    attempts BIGINT NOT NULL,
    source_bytes BIGINT NOT NULL,
    processed_bytes BIGINT NOT NULL,
    warnings BIGINT NOT NULL,
    digest TEXT,
    figures TEXT,
    proof TEXT NOT NULL,
    proof_text TEXT,
    proven_at BIGINT,
    proof_attempts BIGINT NOT NULL,
    proof_instance_id TEXT,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    UNIQUE (app_id, number)
);
CREATE INDEX transfers_state ON transfers (state);
CREATE INDEX transfers_proof ON transfers (proof);

-- The last number that an app has given out.
CREATE TABLE transfer_numbers (
    app_id TEXT PRIMARY KEY NOT NULL,
    last BIGINT NOT NULL
);

CREATE TABLE transfer_lines (
    transfer_id TEXT NOT NULL REFERENCES transfers (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX transfer_lines_transfer ON transfer_lines (transfer_id);

-- One for each add-on.
CREATE TABLE transfer_schedules (
    id TEXT PRIMARY KEY NOT NULL,
    addon_id TEXT NOT NULL UNIQUE REFERENCES addons (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    hour BIGINT NOT NULL,
    timezone TEXT NOT NULL,
    done BIGINT,
    created_at BIGINT NOT NULL
);
