-- What users set at an add-on beside its plan.
CREATE TABLE addon_settings (
    addon_id TEXT NOT NULL REFERENCES addons (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (addon_id, name)
);

-- What a hook is to do once at an add-on. One of a kind at a time: a later one takes its place.
CREATE TABLE addon_errands (
    id TEXT PRIMARY KEY NOT NULL,
    addon_id TEXT NOT NULL REFERENCES addons (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    retry_at BIGINT,
    failure TEXT,
    given_up BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (addon_id, kind)
);

-- How an add-on was when it was last asked.
CREATE TABLE addon_samples (
    addon_id TEXT PRIMARY KEY NOT NULL REFERENCES addons (id) ON DELETE CASCADE,
    samples TEXT NOT NULL,
    taken_at BIGINT NOT NULL
);
