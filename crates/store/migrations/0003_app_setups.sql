CREATE TABLE app_setups (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    source TEXT,
    sealed_source_url BLOB NOT NULL,
    source_checksum TEXT,
    source_version TEXT,
    sealed_overrides BLOB NOT NULL,
    plan TEXT,
    build_id TEXT,
    -- The one-off dyno that was made for postdeploy; there is only ever one.
    postdeploy_dyno_id TEXT,
    exit_code BIGINT,
    failure_message TEXT,
    manifest_errors TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX app_setups_app ON app_setups (app_id);
CREATE INDEX app_setups_status ON app_setups (status);
CREATE INDEX app_setups_dyno ON app_setups (postdeploy_dyno_id);
