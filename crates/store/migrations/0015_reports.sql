-- What was found out about databases. The checks are sealed, for statements of users stand in them.
CREATE TABLE reports (
    id TEXT PRIMARY KEY NOT NULL,
    addon_id TEXT NOT NULL REFERENCES addons (id) ON DELETE CASCADE,
    app TEXT NOT NULL,
    name TEXT NOT NULL,
    sealed_checks BLOB NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX reports_addon ON reports (addon_id, created_at);
CREATE INDEX reports_age ON reports (created_at);
