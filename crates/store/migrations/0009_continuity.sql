-- Add-ons that have their data from others. No foreign key to the source: it may be gone.
CREATE TABLE addon_origins (
    addon_id TEXT PRIMARY KEY NOT NULL REFERENCES addons (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    source_id TEXT NOT NULL,
    target BIGINT
);
CREATE INDEX addon_origins_source ON addon_origins (source_id);

-- What is kept of add-ons' past.
CREATE TABLE addon_archives (
    addon_id TEXT PRIMARY KEY NOT NULL REFERENCES addons (id) ON DELETE CASCADE,
    taken_at BIGINT,
    earliest BIGINT,
    bytes BIGINT NOT NULL,
    failure TEXT,
    attempts BIGINT NOT NULL,
    retry_at BIGINT
);
